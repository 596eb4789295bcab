"""A look reads what can have changed, does what it has time for, and starves nobody, however many wait (I7, I12)."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.logic.dispatch import looking
from runtime.logic.dispatch.looking import HEAD, PAGE, look
from runtime.logic.signals import mgn_event
from runtime.logic.waits.settling import EXTENSIONS, OVERSIGHT
from runtime.models.dispatch import Looked
from runtime.models.envelopes import EventEnvelope
from runtime.models.functions.environment import Budgets
from runtime.models.record import LaunchKind
from runtime.models.request import Phase, Window
from runtime.models.waits import BOOTING, QUEUE, LaunchIntent, WaitKind, due
from tests.builders import JOB_ID, NOON, SCOPE, a_job, a_lock, a_record, a_request, a_server, a_wait, server_id
from tests.fakes import FakeMgn, FakePorts

MINUTE = timedelta(minutes=1)


def an_account(**budgets: Any) -> FakePorts:
    return FakePorts(FakeMgn(), budgets=Budgets(**{"launch_gather": 0, **budgets}))


def look_on(ports: FakePorts, **how: Any) -> looking.Look:
    """One look for what can have changed, after which the next one knows what it left."""
    report = look(ports, **{"everything": False, **how})
    ports.dispatches.looked(SCOPE, report.looked.model_copy(update={"at": ports.now()}))
    return report


def ask(ports: FakePorts, number: int, *, wave: str = "1", **changes: Any) -> Any:
    """Have a numbered migration wait for its test."""
    name = f"mig-{number:05d}"
    ports.mgn.add(a_server(server_id(number), state="READY_FOR_TEST"))
    ports.migrations.records[name] = a_record(
        name, status="TEST_LAUNCHING", scope=SCOPE, source_server_id=server_id(number)
    )
    wait = {
        "source_server_id": server_id(number),
        "parked_at": ports.now(),
        "deadline": NOON + timedelta(days=3),
        "token": f"token-{number}",
        "intent": LaunchIntent(kind=LaunchKind.TEST, wave=wave),
        "lane": None,
    }
    return ports.waits.park(a_wait("launch-test", name, **{**wait, **changes}))


def approve(ports: FakePorts, number: int, **changes: Any) -> Any:
    """Have a numbered migration wait for an approval nobody gives."""
    name = f"mig-{number:05d}"
    ports.mgn.add(a_server(server_id(number), state="READY_FOR_CUTOVER"))
    wait = {"kind": WaitKind.APPROVAL, "source_server_id": server_id(number), "deadline": NOON + timedelta(days=3)}
    return ports.waits.park(a_wait("approval-cutover", name, **{**wait, "lane": None, "token": name, **changes}))


def fill(ports: FakePorts) -> None:
    """Let others' job leave no room."""
    ports.mgn.started.append(a_job("mgnjob-theirs", *(f"s-foreign{number:010d}" for number in range(200))))


class TestReading:
    def test_look_reads_no_more_when_ten_times_as_many_wait(self) -> None:
        read = []
        for many in (50, 500):
            ports = an_account()
            fill(ports)
            for number in range(many):
                (ask if number % 2 else approve)(ports, number)
            look_on(ports)
            ports.advance(1)
            approve(ports, 9_999)
            before = ports.waits.rows
            look_on(ports)
            read.append(ports.waits.rows - before)
        assert read[0] == read[1] < 10

    def test_round_reads_a_page_and_the_next_one_goes_on_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looking, "PAGE", 10)
        ports = an_account()
        for number in range(25):
            approve(ports, number, lane=BOOTING + "elsewhere")
        pages = [look_on(ports, everything=True).looked.page for _ in range(3)]
        assert pages == ["mig-00010#approval-cutover", "mig-00020#approval-cutover", None]

    def test_job_that_is_over_is_asked_about_no_more_while_its_instance_boots(self) -> None:
        ports = an_account()
        ports.mgn.add(a_server(server_id(1), state="TESTING"))
        ports.mgn.started.append(a_job(JOB_ID, server_id(1), status="COMPLETED"))
        boot = a_wait("boot-test", kind=WaitKind.BOOT, phase=Phase.TEST, source_server_id=server_id(1), lane=None)
        ports.waits.park(boot)
        for _ in range(10):
            assert look_on(ports).again == ports.budgets.look
            ports.advance(ports.budgets.look)
        assert ports.mgn.calls.count("jobs") == 1

    def test_event_has_the_next_look_see_its_server_and_no_other(self) -> None:
        ports = an_account()
        for number in (1, 2):
            approve(ports, number)
            ports.migrations.lock(a_lock(owner=f"mig-{number:05d}", source_server_id=server_id(number)))
        look_on(ports)
        ports.advance(60)
        arn = f"arn:aws:mgn:{SCOPE.region}:{SCOPE.account}:source-server/{server_id(2)}"
        event = {"source": "aws.mgn", "detail-type": "x", "account": SCOPE.account, "region": SCOPE.region}
        mgn_event(ports, EventEnvelope.model_validate({**event, "resources": [arn]}))
        assert look_on(ports).waiting == 1

    def test_word_that_comes_while_a_look_reads_is_not_filed_away(self) -> None:
        ports = an_account()
        approve(ports, 1)
        servers = ports.mgn.servers

        def spoken_to(ids: Any) -> Any:
            (wait,) = ports.waits.of(SCOPE, "mig-00001")
            ports.waits.amend(wait, {"lane": due(ports.now() + timedelta(microseconds=1))})
            return servers(ids)

        ports.mgn.servers = spoken_to  # type: ignore[method-assign]
        look_on(ports)
        ports.mgn.servers = servers  # type: ignore[method-assign]
        assert look_on(ports).waiting == 1


class TestQueue:
    def test_who_finds_no_room_stands_in_the_queue_in_turn(self) -> None:
        ports = an_account()
        fill(ports)
        for number in range(6):
            ask(ports, number, wave="large" if number < 4 else "small")
        look_on(ports)
        queue = [wait.migration_id for wait in ports.waits.in_lanes(SCOPE, QUEUE, f"{QUEUE}~", 10)]
        assert [int(name[-1]) for name in queue] == [0, 4, 1, 5, 2, 3]

    def test_late_wave_neither_overtakes_those_at_the_head_nor_waits_for_all(self) -> None:
        ports = an_account()
        for number in range(250):
            ask(ports, number, wave="large")
        assert look_on(ports).launched == 200
        ports.advance(60)
        ask(ports, 900, wave="late")
        look_on(ports)
        queue = [wait.migration_id for wait in ports.waits.in_lanes(SCOPE, QUEUE, f"{QUEUE}~", 3)]
        assert queue == ["mig-00200", "mig-00900", "mig-00201"]

    def test_queue_is_launched_once_there_is_room_and_no_look_reads_more_of_it(self) -> None:
        ports = an_account()
        for number in range(HEAD + 300):
            ask(ports, number)
        assert look_on(ports).launched == 200
        ports.mgn.end(ports.mgn.started[0].job_id)
        ports.advance(60)
        before = ports.waits.rows
        assert look_on(ports).launched == 200
        assert ports.waits.rows - before < 2 * HEAD + 2 * 200 + 10


class TestBounds:
    def test_look_takes_a_page_of_those_that_are_due_and_goes_on_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looking, "PAGE", 10)
        ports = an_account()
        for number in range(25):
            approve(ports, number)
        assert [(report.waiting, report.again) for report in (look_on(ports) for _ in range(4))] == [
            (10, 0),
            (10, 0),
            (5, None),
            (0, None),
        ]

    def test_look_without_time_begins_nothing_and_the_next_goes_on_with_the_oldest(self) -> None:
        ports = an_account()
        for number in range(20):
            approve(ports, number, parked_at=NOON - number * MINUTE, deadline=NOON - MINUTE)
        resume = ports.resumer.resume

        def slow(token: str, outcome: Any) -> bool:
            ports.advance(10)
            return resume(token, outcome)

        ports.resumer.resume = slow  # type: ignore[method-assign]
        report = look_on(ports, until=ports.now() + timedelta(seconds=25))
        assert (report.resumed, report.again, report.looked.is_behind) == (3, 0, True)
        assert list(ports.resumer.resumed) == ["mig-00019", "mig-00018", "mig-00017"]

    def test_those_that_cannot_be_resumed_keep_nobody_from_being_looked_at(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(looking, "PAGE", 10)
        ports = an_account()
        for number in range(15):
            approve(ports, number)
            ports.mgn.add(a_server(server_id(number), state="TESTING"))
        resume = ports.resumer.resume

        def poisoned(token: str, outcome: Any) -> bool:
            if token < "mig-00010":
                raise ValueError("unreadable")
            return resume(token, outcome)

        ports.resumer.resume = poisoned  # type: ignore[method-assign]
        assert look_on(ports).resumed == 0
        assert look_on(ports).resumed == 5


class TestOverlooked:
    def overlooked(self, **changes: Any) -> FakePorts:
        """A launch that waits for room and whose deadline passes."""
        ports = an_account()
        fill(ports)
        ask(ports, 1, **{"deadline": NOON + 5 * MINUTE, **changes})
        look_on(ports)
        return ports

    def test_i12_deadline_that_passed_while_nobody_looked_moves_and_the_journal_says_so(self) -> None:
        ports = self.overlooked()
        ports.advance(20 * 60)
        look_on(ports, everything=True)
        (wait,) = ports.waits.of(SCOPE, "mig-00001")
        assert (wait.deadline, ports.resumer.resumed) == (NOON + 40 * MINUTE, {})
        assert "nobody looked from" in ports.migrations.journals["mig-00001"][-1].reason

    def test_i7_deadline_that_passed_under_our_eyes_ends_the_wait(self) -> None:
        ports = self.overlooked()
        for _ in range(6):
            ports.advance(60)
            look_on(ports, everything=True)
        assert ports.resumer.resumed["token-1"].error == "LaunchFailedError"

    def test_i7_looks_that_never_get_to_everything_move_it_a_few_times_only(self) -> None:
        ports = self.overlooked()
        for _ in range(EXTENSIONS + 2):
            ports.dispatches.looked(SCOPE, Looked(at=ports.now(), is_behind=True))
            ports.advance((OVERSIGHT + 2 * MINUTE).total_seconds())
            look_on(ports, everything=True)
        assert ports.resumer.resumed["token-1"].error == "LaunchFailedError"
        notes = [entry for entry in ports.migrations.journals["mig-00001"] if "nobody looked" in entry.reason]
        assert len(notes) == EXTENSIONS

    def test_i5_cutover_window_does_not_grow_and_its_end_says_who_was_late(self) -> None:
        closes = NOON + 5 * MINUTE
        intent = LaunchIntent(kind=LaunchKind.CUTOVER, wave="1", not_after=closes)
        ports = self.overlooked(intent=intent, phase=Phase.CUTOVER)
        window = Window(not_before=NOON - MINUTE, not_after=closes)
        record = ports.migrations.records["mig-00001"]
        ports.migrations.records["mig-00001"] = record.model_copy(update={"request": a_request(window=window)})
        ports.advance(20 * 60)
        look_on(ports, everything=True)
        outcome = ports.resumer.resumed["token-1"]
        assert outcome.error == "WindowMissedError"
        assert "nobody looked from" in outcome.reason


def test_page_is_what_one_answer_of_dynamodb_holds() -> None:
    """A megabyte: waits are less than a kilobyte each."""
    assert PAGE * len(a_wait().to_json()) < 1_000_000
