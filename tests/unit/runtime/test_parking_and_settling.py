"""Parking and settling: each token is used once, whatever comes twice, late or in between (I10)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from runtime.errors import ServiceUnavailableError, TargetAccountError, ThrottledError
from runtime.logic.signals import take_signal
from runtime.logic.waits.parking import hand_out_signals, park, parked
from runtime.logic.waits.settling import Settled, settle
from runtime.models.decisions import Decision, Signal
from runtime.models.dispatch import Batch, Dispatch, Member
from runtime.models.events import MigrationSignal
from runtime.models.mgn import InstanceHealth
from runtime.models.record import LaunchKind
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from runtime.models.waits import ApprovalWait, Outcome, UndoWait, WaitKind
from tests.builders import (
    INSTANCE_ID,
    JOB_ID,
    NOON,
    OTHER_SERVER_ID,
    SCOPE,
    SERVER_ID,
    a_job,
    a_lock,
    a_record,
    a_server,
    a_signal,
    a_wait,
    some_health,
)
from tests.fakes import FakeMgn, FakePorts, FakeResumer, InMemoryWaits
from tests.unit.runtime.stages import a_world, the_record, waits_of

TOKEN = "token"
LAUNCH = a_wait(job_id=JOB_ID)
IDLE = Dispatch(scope=SCOPE)
END = NOON + timedelta(hours=2)


def waiting_world(state: str = "READY_FOR_CUTOVER") -> FakePorts:
    ports = a_world(a_server(state=state))
    ports.migrations.records["mig-1"] = a_record(
        status=MigrationStatus.AWAITING_APPROVAL,
        scope=SCOPE,
        source_server_id=SERVER_ID,
        required_gates=(Gate.CUTOVER,),
    )
    ports.migrations.lock(a_lock())
    return ports


def await_approval(ports: FakePorts, token: str = TOKEN, deadline: datetime = END) -> None:
    wait = ApprovalWait(
        **parked(ports, the_record(ports), token), name="approval-cutover", deadline=deadline, gate=Gate.CUTOVER
    )
    park(ports, the_record(ports), wait)


def await_launch(ports: FakePorts, token: str = TOKEN) -> None:
    park(ports, the_record(ports), a_wait(token=token, deadline=END, job_id=JOB_ID))


def settled(ports: FakePorts, state: Dispatch = IDLE) -> Settled:
    return settle(ports, tuple(ports.waits.open(SCOPE)), state)


def approve(ports: FakePorts) -> str:
    sent = MigrationSignal(migration_id="mig-1", decision=Decision.APPROVE, gate=Gate.CUTOVER, by="ada")
    return take_signal(ports, sent)


def test_parked_wait_names_its_server_its_start_and_its_end() -> None:
    ports = waiting_world()
    await_approval(ports)
    (wait,) = waits_of(ports)
    assert (wait.name, wait.scope, wait.source_server_id) == ("approval-cutover", SCOPE, SERVER_ID)
    assert (wait.parked_at, wait.deadline) == (NOON, END)


def test_i10_signal_before_its_token_waits_for_it() -> None:
    ports = waiting_world()
    assert approve(ports) == "taken"
    await_approval(ports)
    assert settled(ports).resumed == 1
    assert ports.resumer.resumed[TOKEN].error is None


def test_signal_after_its_token_resumes_it() -> None:
    ports = waiting_world()
    await_approval(ports)
    assert settled(ports).resumed == 0
    approve(ports)
    assert settled(ports).resumed == 1
    assert list(ports.resumer.resumed) == [TOKEN]
    assert waits_of(ports) == ()


def test_i10_duplicate_signals_and_late_looks_are_harmless() -> None:
    ports = waiting_world()
    await_approval(ports)
    assert [approve(ports) for _ in range(3)] == ["taken", "ignored: decided before", "ignored: decided before"]
    assert [settled(ports).resumed for _ in range(3)] == [1, 0, 0]
    assert len(ports.resumer.resumed) == 1


def test_first_try_that_parks_after_the_second_keeps_nobody_from_answering_it() -> None:
    ports = waiting_world()
    await_approval(ports, "second")
    await_approval(ports, "first")
    ports.resumer.gone.add("first")
    approve(ports)
    assert settled(ports).resumed == 1
    assert list(ports.resumer.resumed) == ["second"]
    assert waits_of(ports) == ()


def test_step_that_is_tried_for_hours_keeps_the_tokens_of_its_last_tries() -> None:
    ports = waiting_world()
    for number in (*range(100), 99):
        await_approval(ports, f"token-{number}")
    (wait,) = waits_of(ports)
    assert [ports.tokens.token(key) for key in wait.token_keys] == [f"token-{number}" for number in range(95, 100)]


def test_step_parked_again_has_the_signals_its_earlier_wait_had() -> None:
    ports = waiting_world()
    approve(ports)
    await_approval(ports, "first")
    await_approval(ports, "second")
    (wait,) = waits_of(ports)
    assert (ports.token_of(wait), [signal.by for signal in wait.signals]) == ("second", ["ada"])


def test_parked_wait_does_not_hold_its_task_token() -> None:
    ports = waiting_world()
    await_approval(ports, "s3cr3t")
    (wait,) = waits_of(ports)
    assert "s3cr3t" not in wait.to_json()
    approve(ports)
    settled(ports)
    assert "s3cr3t" in ports.resumer.resumed


def test_wait_whose_token_is_kept_no_longer_is_dropped() -> None:
    ports = waiting_world()
    await_approval(ports)
    ports.tokens.kept.clear()
    approve(ports)
    assert settled(ports).resumed == 1
    assert not ports.resumer.resumed
    assert not waits_of(ports)


def test_look_reads_no_signals() -> None:
    ports = waiting_world()
    await_approval(ports)
    approve(ports)
    ports.decisions.of = _never  # type: ignore[method-assign]
    assert settled(ports).resumed == 1


def _never(migration_id: str) -> tuple[Signal, ...]:
    raise AssertionError(f"the signals of {migration_id} are in its waits")


def test_i10_signal_that_comes_while_an_earlier_one_is_handed_out_is_not_lost() -> None:
    # Given a bearer who read the signals before a second one came and writes after the bearer of that one
    ports = waiting_world()
    await_approval(ports)
    first, second = a_signal(gate=Gate.FINALIZE), a_signal(Decision.CANCEL, at=NOON + timedelta(seconds=1))
    ports.decisions.keep(first)
    read = ports.decisions.of

    def overtaken(migration_id: str) -> tuple[Signal, ...]:
        ports.decisions.of = read  # type: ignore[method-assign]
        found = read(migration_id)
        ports.decisions.keep(second)
        hand_out_signals(ports, the_record(ports))
        return found

    ports.decisions.of = overtaken  # type: ignore[method-assign]
    # When the first hands out what was read
    hand_out_signals(ports, the_record(ports))
    # Then the wait has both
    assert waits_of(ports)[0].signals == (first, second)


def test_signals_of_a_migration_without_an_account_wait_in_the_table() -> None:
    ports = waiting_world()
    ports.decisions.keep(a_signal(Decision.CANCEL))
    hand_out_signals(ports, a_record())
    assert waits_of(ports) == ()


class _KeptFirst(FakeResumer):
    """Notes whether the outcome was in the store when its token was used."""

    def __init__(self, waits: InMemoryWaits) -> None:
        super().__init__()
        self.waits, self.kept = waits, [False]

    def resume(self, token: str, outcome: Outcome) -> bool:
        self.kept = [wait.outcome == outcome for wait in self.waits.of(SCOPE, "mig-1")]
        return super().resume(token, outcome)


def test_outcome_is_kept_before_its_token_is_used() -> None:
    ports = waiting_world()
    ports.resumer = resumer = _KeptFirst(ports.waits)
    approve(ports)
    await_approval(ports)
    settled(ports)
    assert resumer.kept == [True]


class _Dying(FakeResumer):
    def resume(self, token: str, outcome: Outcome) -> bool:
        raise ServiceUnavailableError("died between decide and resume")


def test_i10_crash_between_decide_and_resume_is_redelivered_by_the_next_look() -> None:
    ports = waiting_world("TESTING")
    ports.mgn.started.append(a_job(launch_status="FAILED"))
    ports.resumer = _Dying()
    await_launch(ports)
    assert [str(failure) for failure in settled(ports).failures] == ["died between decide and resume"]
    ports.resumer = resumer = FakeResumer()
    ports.mgn.started.clear()
    assert settled(ports).resumed == 1
    assert resumer.resumed[TOKEN].error == "LaunchFailedError"


def test_step_retried_with_a_new_token_gets_the_outcome_its_old_token_missed() -> None:
    ports = waiting_world("TESTING")
    await_launch(ports, "first")
    ports.waits.decide(waits_of(ports)[0], Outcome(reason="launched"))
    await_launch(ports, "second")
    settled(ports)
    assert ports.resumer.resumed == {"second": Outcome(reason="launched")}


def test_token_nobody_waits_for_any_more_closes_its_wait() -> None:
    ports = waiting_world()
    ports.resumer.gone.add(TOKEN)
    approve(ports)
    await_approval(ports)
    assert settled(ports).resumed == 1
    assert waits_of(ports) == ()


def test_a_thousand_waits_are_read_in_one_describe_each() -> None:
    ports = FakePorts(FakeMgn(a_server(state="TESTING"), a_server(OTHER_SERVER_ID, state="TESTING")))
    ports.mgn.started += [
        a_job("mgnjob-a", SERVER_ID, launch_status="LAUNCHED"),
        a_job("mgnjob-b", OTHER_SERVER_ID, launch_status="FAILED"),
    ]
    ports.instances.put(some_health())
    jobs = {"mgnjob-a": SERVER_ID, "mgnjob-b": OTHER_SERVER_ID}
    for number in range(500):
        for job_id, server in jobs.items():
            name = f"{job_id}-{number}"
            ports.waits.park(a_wait(migration_id=name, source_server_id=server, job_id=job_id))
            boot = a_wait("boot", name, kind=WaitKind.BOOT, source_server_id=server, instance_id=INSTANCE_ID)
            ports.waits.park(boot)
    assert settled(ports).resumed >= 1_000
    assert (ports.mgn.calls.count("servers"), ports.mgn.calls.count("jobs")) == (1, 1)
    errors = [ports.resumer.resumed[f"token-of-{job_id}-0-launch-test"].error for job_id in jobs]
    assert errors == [None, "LaunchFailedError"]


@pytest.mark.parametrize(
    ("job", "health", "asked"),
    [
        ("STARTED", "ok", ["jobs"]),
        ("COMPLETED", "initializing", ["jobs", "health"]),
        ("COMPLETED", "ok", ["jobs", "health", "servers"]),
    ],
)
def test_boot_is_asked_for_no_more_than_could_end_it(job: str, health: str, asked: list[str]) -> None:
    ports = waiting_world("TESTING")
    ports.mgn.started.append(a_job(status=job, launch_status="LAUNCHED"))
    ports.instances.put(some_health(instance_status=health))
    read = ports.instances.health

    def noted(ids: Sequence[str]) -> dict[str, InstanceHealth]:
        ports.mgn.calls.append("health")
        return read(ids)

    ports.instances.health = noted  # type: ignore[method-assign]
    ports.waits.park(a_wait(kind=WaitKind.BOOT, job_id=JOB_ID, instance_id=INSTANCE_ID))
    settled(ports)
    assert ports.mgn.calls == asked


def test_nothing_is_asked_for_waits_whose_outcome_is_kept() -> None:
    ports = waiting_world()
    ports.waits.park(LAUNCH.model_copy(update={"outcome": Outcome()}))
    assert settled(ports).resumed == 1
    assert ports.mgn.calls == []


def test_nothing_is_asked_where_nothing_waits() -> None:
    ports = waiting_world()
    assert settled(ports) == Settled(0, (), ())
    assert ports.mgn.calls == []


def test_what_goes_on_is_told_apart_from_what_ended() -> None:
    ports = waiting_world()
    approve(ports)
    await_approval(ports)
    other = ports.waits.park(a_wait(migration_id="mig-2"))
    assert settled(ports) == Settled(1, (other,), ())


def test_undo_waits_while_a_launch_of_its_migration_is_in_doubt_and_no_longer() -> None:
    ports = waiting_world("TESTING")
    park(ports, the_record(ports), UndoWait(**parked(ports, the_record(ports), TOKEN), deadline=END))
    member = Member(migration_id="mig-1", wait="launch-test", source_server_id=SERVER_ID)
    batch = Batch(launch_id="launch-1", kind=LaunchKind.TEST, members=(member,), attempted_at=NOON)
    doubt = Dispatch(scope=SCOPE, in_flight=batch)
    stranger = batch.model_copy(update={"members": (member.model_copy(update={"migration_id": "mig-2"}),)})
    assert settled(ports, doubt).resumed == 0
    assert settled(ports, doubt.model_copy(update={"in_flight": stranger})).resumed == 1


class _Poisoned(FakeResumer):
    def resume(self, token: str, outcome: Outcome) -> bool:
        if token == "poison":
            raise ValueError("Step Functions cannot read this token")
        return super().resume(token, outcome)


def test_i7_wait_that_cannot_be_resumed_does_not_keep_the_others() -> None:
    ports = waiting_world("TESTING")
    ports.resumer = resumer = _Poisoned()
    for name, token in (("mig-1", "poison"), ("mig-2", "fine")):
        ports.waits.park(a_wait(migration_id=name, token=token, deadline=NOON - timedelta(hours=1), job_id=JOB_ID))
    report = settled(ports)
    assert (report.resumed, [str(failure) for failure in report.failures]) == (
        1,
        ["Step Functions cannot read this token"],
    )
    assert list(resumer.resumed) == ["fine"]


@pytest.mark.parametrize(("seconds", "error"), [(7_199, None), (7_200, "TargetAccountError")])
def test_i7_wait_in_an_account_that_refuses_its_role_ends_at_its_deadline(seconds: int, error: str | None) -> None:
    ports = waiting_world()
    ports.mgn.failures["servers"] = [TargetAccountError("refused")]
    await_approval(ports)
    ports.advance(seconds)
    report = settled(ports)
    assert [type(failure) for failure in report.failures] == [TargetAccountError]
    assert [outcome.error for outcome in ports.resumer.resumed.values()] == ([error] if error else [])
    assert [wait.name for wait in report.open] == ([] if error else ["approval-cutover"])


def test_kept_outcome_is_delivered_although_the_account_refuses_its_role() -> None:
    ports = waiting_world()
    ports.mgn.failures["servers"] = [TargetAccountError("refused")]
    ports.waits.park(a_wait("replication", kind=WaitKind.REPLICATION))
    ports.waits.park(LAUNCH.model_copy(update={"outcome": Outcome(reason="launched")}))
    settled(ports)
    assert ports.resumer.resumed == {LAUNCH.token: Outcome(reason="launched")}


def test_throttled_reading_decides_nothing() -> None:
    ports = waiting_world()
    ports.mgn.failures["servers"] = [ThrottledError("ThrottlingException")]
    await_approval(ports, deadline=NOON)
    with pytest.raises(ThrottledError):
        settled(ports)
    assert ports.resumer.resumed == {}


def test_cancel_that_reached_a_wait_takes_its_launch_back() -> None:
    ports = waiting_world()
    ports.waits.park(a_wait(intent={"kind": "test", "wave": "1"}))
    (asking,) = waits_of(ports)
    ports.decisions.keep(a_signal(Decision.CANCEL))
    hand_out_signals(ports, the_record(ports))
    (cancelled,) = waits_of(ports)
    assert (asking.asks_for_launch, cancelled.asks_for_launch) == (True, False)


def test_i6_terminate_of_an_undo_is_not_taken_back_by_a_cancel() -> None:
    wait: UndoWait = a_wait("undo", kind=WaitKind.UNDO, intent={"kind": "terminate", "wave": "1"})
    assert wait.model_copy(update={"signals": (a_signal(Decision.CANCEL),)}).asks_for_launch
