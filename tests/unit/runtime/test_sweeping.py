"""sweep: with every event lost, what waits is looked at and what was forgotten is found (I10)."""

import pytest

from runtime.errors import ServiceUnavailableError
from runtime.logic.dispatching import look
from runtime.logic.sweeping import SweepReport, sweep
from runtime.models.status import MigrationStatus
from tests.builders import SCOPE, TARGET_SCOPE
from tests.fakes import FakePorts
from tests.unit.runtime.stages import EXECUTION, a_world, accepted, bring_to, finish_jobs, the_record

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


def test_migration_accepted_a_moment_ago_is_left_alone() -> None:
    ports = a_world()
    accepted(ports)
    ports.advance(60)
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
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 1
    assert the_record(ports).status is MigrationStatus.FROZEN
    assert sweep_for_a_quarter_of_an_hour(ports) == 0


@pytest.mark.parametrize("stage", ["test-launched", "test-launching"])
def test_migration_whose_execution_runs_or_that_waits_is_no_orphan(stage: str) -> None:
    ports = bring_to(stage)
    if stage == "test-launching":
        ports.resumer.ended_executions.add(EXECUTION)
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 0


def test_i7_orphan_that_never_got_an_account_is_found() -> None:
    ports = bring_to("validated")
    ports.store.records["mig-1"] = the_record(ports).model_copy(update={"scope": None})
    ports.resumer.ended_executions.add(EXECUTION)
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 1
