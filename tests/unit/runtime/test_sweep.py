"""sweep: with every event lost, what waits is looked at and what was forgotten is found (I10)."""

from datetime import timedelta
from itertools import chain

import pytest

from runtime.errors import ServiceUnavailableError
from runtime.logic.dispatch.looking import look
from runtime.logic.ingress import accept
from runtime.logic.sweep import ASKED, RESTARTED, UNDER_WAY, SweepReport, sweep
from runtime.models.events import MigrationRequested
from runtime.models.status import MigrationStatus
from tests.builders import NOON, SCOPE, TARGET_SCOPE, a_record, a_request, an_entry
from tests.fakes import FakePorts
from tests.saboteur import Saboteur, dying
from tests.unit.runtime.stages import EXECUTION, a_world, accepted, bring_to, finish_jobs, the_record, waits_of

QUIET = SweepReport(scopes=1, restarted=0, frozen=0)


def test_every_account_and_region_is_looked_at() -> None:
    ports = FakePorts(targets=(TARGET_SCOPE,))
    assert sweep(ports) == SweepReport(scopes=2, restarted=0, frozen=0)
    assert ports.wakes.sent == [(SCOPE, 0), (TARGET_SCOPE, 0)]


def test_i10_launch_whose_every_event_was_lost_is_resumed_by_the_look_after_a_sweep() -> None:
    ports = bring_to("test-launching")
    finish_jobs(ports)
    ports.wakes.sent.clear()
    assert sweep(ports) == QUIET
    for scope, _ in ports.wakes.sent:
        look(ports.at(scope))
    assert ports.resumer.resumed["launch-test"].error is None


def test_i1_accepted_migration_that_never_began_is_started_again() -> None:
    ports = a_world()
    accepted(ports)
    ports.bus.published.clear()
    ports.advance(121)
    assert sweep(ports).restarted == 1
    assert ports.bus.types() == ["MigrationRequested"]


def test_i12_crowd_that_waits_for_its_turn_is_started_again_in_parts_and_everyone_in_turn() -> None:
    ports = a_world()
    for number in range(2 * RESTARTED + 1):
        record = a_record(f"mig-{number}", status=MigrationStatus.RECEIVED)
        ports.migrations.append(record, an_entry(record))
    ports.advance(3_600)
    assert sorted(sweep(ports).restarted for _ in range(3)) == [1, RESTARTED, RESTARTED]
    again = [event.migration_id for event in ports.bus.published if isinstance(event, MigrationRequested)]
    assert len(set(again)) == 2 * RESTARTED + 1


def test_i1_what_a_sender_asks_for_beyond_its_share_of_a_minute_is_accepted_and_begins_with_later_sweeps() -> None:
    ports = a_world()
    ports.begins_per_sender = 2
    for number in range(5):
        accept(ports, a_request(f"mig-{number}"), requester="AROA1:eve")
    accept(ports, a_request("mig-ada"), requester="AROA1:ada")
    assert len(ports.migrations.records) == 6
    began = [[event.migration_id for event in ports.bus.published]]
    for _ in range(4):
        ports.bus.published.clear()
        ports.advance(180 if len(began) == 1 else 60)
        for begun in chain.from_iterable(began):
            # An execution has claimed those that began.
            claimed = ports.migrations.records[begun].model_copy(update={"status": MigrationStatus.VALIDATING})
            ports.migrations.records[begun] = claimed
        sweep(ports)
        began.append([event.migration_id for event in ports.bus.published])
    assert began == [["mig-0", "mig-1", "mig-ada"], ["mig-2", "mig-3"], ["mig-4"], [], []]


@pytest.mark.parametrize("seconds", [60, 120])
def test_migration_accepted_a_moment_ago_is_left_alone(seconds: int) -> None:
    ports = a_world()
    accepted(ports)
    ports.advance(seconds)
    assert sweep(ports).restarted == 0


def test_i10_forgotten_migration_the_bus_does_not_take_keeps_no_wait_from_being_looked_at() -> None:
    ports = a_world()
    accepted(ports)
    ports.advance(121)
    ports.bus.refusals = 1
    with pytest.raises(ServiceUnavailableError):
        sweep(ports)
    assert ports.wakes.sent == [(SCOPE, 0)]
    assert sweep(ports).restarted == 1


def test_empty_world_is_swept_without_a_call_to_mgn(ports: FakePorts) -> None:
    assert sweep(ports) == QUIET
    assert ports.mgn.calls == []


def sweep_for_a_quarter_of_an_hour(ports: FakePorts) -> int:
    frozen = 0
    for _ in range(15):
        ports.advance(60)
        frozen += sweep(ports).frozen
    return frozen


def test_i7_migration_whose_execution_died_unheard_freezes_once() -> None:
    ports = bring_to("test-launched")
    ports.resumer.ended_executions.add(EXECUTION)
    assert sweep_for_a_quarter_of_an_hour(ports) == 0
    ports.advance(1_800)
    assert sweep_for_a_quarter_of_an_hour(ports) == 0
    assert sweep_for_a_quarter_of_an_hour(ports) == 1
    assert the_record(ports).status is MigrationStatus.FROZEN
    assert sweep_for_a_quarter_of_an_hour(ports) == 0


def test_migration_whose_execution_runs_is_no_orphan() -> None:
    ports = bring_to("test-launched")
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 0


def test_i7_parked_migration_whose_execution_died_unheard_freezes_as_well() -> None:
    # A window may be 300 days off; its wait alone would not end before.
    ports = bring_to("test-launching")
    assert len(waits_of(ports)) == 1
    ports.resumer.ended_executions.add(EXECUTION)
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 1
    assert the_record(ports).reason == "its execution ended unheard without an end for the migration"


def a_crowd(count: int) -> FakePorts:
    """As many migrations whose approval is awaited, each with an execution of its own."""
    ports = FakePorts()
    for number in range(count):
        name = f"mig-{number}"
        at = NOON + timedelta(seconds=number)
        record = a_record(name, status=MigrationStatus.AWAITING_APPROVAL, execution=f"execution-of-{name}")
        record = record.model_copy(update={"updated_at": at})
        ports.migrations.append(record, an_entry(record))
    ports.advance(7_200)
    return ports


def asked_in(ports: FakePorts, sweeps: int, seconds: float = 60) -> list[list[str]]:
    """Whose executions each of these sweeps asks about, those that ask about any."""
    found = []
    for _ in range(sweeps):
        ports.advance(seconds)
        ports.resumer.asked.clear()
        sweep(ports)
        found.append(list(ports.resumer.asked))
    return [asked for asked in found if asked]


@pytest.mark.parametrize(("count", "rounds"), [(1, 1), (50, 1), (51, 2), (230, 5)])
def test_sweep_asks_about_a_bounded_number_and_about_everyone_in_turn(count: int, rounds: int) -> None:
    turns = asked_in(a_crowd(count), rounds * len(UNDER_WAY))
    assert len(turns) == rounds
    assert max(map(len, turns)) <= ASKED
    assert sorted(name for asked in turns for name in asked) == sorted(f"execution-of-mig-{n}" for n in range(count))


@pytest.mark.parametrize("seconds", [3, 60, 600, 660, 11 * 3_600])
def test_every_status_has_its_turn_whatever_the_period(seconds: float) -> None:
    ports = FakePorts()
    for status in UNDER_WAY:
        record = a_record(f"mig-{status}", status=status, execution=status)
        ports.migrations.append(record, an_entry(record))
    ports.advance(7_200)
    asked = asked_in(ports, len(UNDER_WAY), seconds)
    assert sorted(name for names in asked for name in names) == sorted(UNDER_WAY)


def test_sweep_reads_the_table_no_oftener_for_many_that_wait_than_for_one() -> None:
    def calls(ports: FakePorts) -> int:
        counted = Saboteur(ports, 0, dying(after=False), names=("migrations", "waits", "dispatches", "decisions"))
        asked_in(ports, len(UNDER_WAY))
        return counted.calls

    assert calls(a_crowd(1)) == calls(a_crowd(200))


def test_i7_orphan_that_never_got_an_account_is_found() -> None:
    ports = bring_to("validated")
    ports.migrations.records["mig-1"] = the_record(ports).model_copy(update={"scope": None})
    ports.resumer.ended_executions.add(EXECUTION)
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 1
