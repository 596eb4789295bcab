"""Parking and waking: each token is used once, whatever comes twice, late or in between (I10)."""

from datetime import timedelta

import pytest

from runtime.errors import ServiceUnavailableError
from runtime.logic.signalling import take_signal, wake_server
from runtime.logic.waiting import park, settle
from runtime.models.events import MigrationSignal
from runtime.models.record import Decision, Outcome, Wait, WaitKind
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from tests.builders import (
    JOB_ID,
    NOON,
    OTHER_SERVER_ID,
    SERVER_ID,
    a_job,
    a_lock,
    a_record,
    a_server,
    a_wait,
)
from tests.fakes import FakeMgn, FakePorts, FakeResumer, InMemoryStore
from tests.unit.runtime.stages import a_world

GATE = a_wait("approval-cutover", kind=WaitKind.APPROVAL, gate=Gate.CUTOVER)
LAUNCH = a_wait(job_id=JOB_ID)


def waiting_world(state: str = "READY_FOR_CUTOVER") -> FakePorts:
    ports = a_world(a_server(state=state))
    ports.store.records["mig-1"] = a_record(status=MigrationStatus.AWAITING_APPROVAL)
    ports.store.lock(a_lock())
    return ports


def approve(ports: FakePorts) -> str:
    sent = MigrationSignal(migration_id="mig-1", decision=Decision.APPROVE, gate=Gate.CUTOVER, by="ada")
    return take_signal(ports, sent)


def test_i10_signal_before_its_token_waits_for_it() -> None:
    ports = waiting_world()
    assert approve(ports) == "taken"
    assert park(ports, GATE) == 1
    assert ports.resumer.resumed[GATE.token].error is None


def test_signal_after_its_token_resumes_it() -> None:
    ports = waiting_world()
    assert park(ports, GATE) == 0
    approve(ports)
    assert list(ports.resumer.resumed) == [GATE.token]
    assert ports.store.waits("mig-1") == ()


def test_i10_duplicate_signals_and_late_events_are_harmless() -> None:
    ports = waiting_world()
    park(ports, GATE)
    assert [approve(ports) for _ in range(3)] == ["taken", "ignored: decided before", "ignored: decided before"]
    assert wake_server(ports, SERVER_ID) == 0
    assert len(ports.resumer.resumed) == 1


def test_i10_event_of_a_server_nobody_migrates_wakes_nothing() -> None:
    assert wake_server(waiting_world(), OTHER_SERVER_ID) == 0


class _KeptFirst(FakeResumer):
    """Notes whether the outcome was in the store when its token was used."""

    def __init__(self, store: InMemoryStore) -> None:
        super().__init__()
        self.store, self.kept = store, [False]

    def resume(self, token: str, outcome: Outcome) -> bool:
        self.kept = [wait.outcome == outcome for wait in self.store.waits("mig-1")]
        return super().resume(token, outcome)


def test_outcome_is_kept_before_its_token_is_used() -> None:
    ports = waiting_world()
    ports.resumer = resumer = _KeptFirst(ports.store)
    approve(ports)
    park(ports, GATE)
    assert resumer.kept == [True]


class _Dying(FakeResumer):
    def resume(self, token: str, outcome: Outcome) -> bool:
        raise ServiceUnavailableError("died between decide and resume")


def test_i10_crash_between_decide_and_resume_is_redelivered_by_the_sweep() -> None:
    ports = waiting_world("TESTING")
    ports.mgn.started.append(a_job(launch_status="FAILED"))
    ports.resumer = _Dying()
    with pytest.raises(ServiceUnavailableError):
        park(ports, LAUNCH)
    ports.resumer = resumer = FakeResumer()
    ports.mgn.started.clear()
    assert settle(ports, ports.store.waits("mig-1")) == 1
    assert resumer.resumed[LAUNCH.token].error == "LaunchFailedError"


def test_step_retried_with_a_new_token_gets_the_outcome_its_old_token_missed() -> None:
    ports = waiting_world("TESTING")
    ports.store.park(LAUNCH)
    ports.store.decide(LAUNCH, Outcome(reason="launched"))
    assert park(ports, LAUNCH.model_copy(update={"token": "token-2"})) == 1
    assert ports.resumer.resumed == {"token-2": Outcome(reason="launched")}


def test_token_nobody_waits_for_any_more_closes_its_wait() -> None:
    ports = waiting_world()
    ports.resumer.gone.add(GATE.token)
    approve(ports)
    assert park(ports, GATE) == 1
    assert ports.store.waits("mig-1") == ()


def test_two_waits_are_read_in_one_describe() -> None:
    ports = FakePorts(FakeMgn(a_server(state="TESTING"), a_server(OTHER_SERVER_ID, state="TESTING")))
    ports.mgn.started += [
        a_job("mgnjob-a", SERVER_ID, launch_status="LAUNCHED"),
        a_job("mgnjob-b", OTHER_SERVER_ID, launch_status="FAILED"),
    ]
    waits = (
        a_wait(job_id="mgnjob-a"),
        a_wait(migration_id="mig-2", source_server_id=OTHER_SERVER_ID, job_id="mgnjob-b"),
    )
    assert settle(ports, waits) == 2
    assert (ports.mgn.calls.count("servers"), ports.mgn.calls.count("jobs")) == (1, 1)
    errors = [ports.resumer.resumed[wait.token].error for wait in waits]
    assert errors == [None, "LaunchFailedError"]


def test_nothing_is_asked_for_waits_whose_outcome_is_kept() -> None:
    ports = waiting_world()
    settle(ports, [LAUNCH.model_copy(update={"outcome": Outcome()})])
    assert ports.mgn.calls == []


class _Poisoned(FakeResumer):
    def resume(self, token: str, outcome: Outcome) -> bool:
        if token == "poison":
            raise ValueError("Step Functions cannot read this token")
        return super().resume(token, outcome)


def test_i7_wait_that_cannot_be_resumed_does_not_keep_the_others() -> None:
    ports = waiting_world("TESTING")
    ports.resumer = resumer = _Poisoned()
    overdue: tuple[Wait, ...] = tuple(
        a_wait(migration_id=name, token=token, deadline=NOON - timedelta(hours=1))
        for name, token in (("mig-1", "poison"), ("mig-2", "fine"))
    )
    with pytest.raises(ValueError, match="cannot read"):
        settle(ports, overdue)
    assert list(resumer.resumed) == ["fine"]
