"""What a wait amounts to: approvals, windows, cancels, and the bound that every wait has (I7)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.logic.waits.observing import observe
from runtime.models.decisions import Decision, Signal
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import InstanceHealth, SourceServer, Truth
from runtime.models.record import LaunchKind
from runtime.models.request import Gate, Phase
from runtime.models.waits import (
    LaunchIntent,
    Outcome,
    Wait,
    WaitKind,
)
from tests.builders import INSTANCE_ID, JOB_ID, NOON, SERVER_ID, a_job, a_server, a_signal, a_wait, some_health

END = NOON + timedelta(hours=2)
CUTOVER_GATE = a_wait("approval-cutover", kind=WaitKind.APPROVAL, gate=Gate.CUTOVER)
FINALIZE_GATE = a_wait("approval-finalize", kind=WaitKind.APPROVAL, gate=Gate.FINALIZE)
WINDOW = a_wait("window", kind=WaitKind.WINDOW, not_before=NOON + timedelta(hours=1))
ASKING = a_wait(intent=LaunchIntent(kind=LaunchKind.TEST, wave="1"))
READY, CUTTING = a_server(state="READY_FOR_CUTOVER"), a_server(state="CUTTING_OVER")


def seen(wait: Wait, server: SourceServer, *signals: Signal, seconds: float = 0) -> Outcome | None:
    now = NOON + timedelta(seconds=seconds)
    decided = wait.model_copy(update={"signals": signals})
    return observe(decided, Truth(servers={SERVER_ID: server}), now=now, budgets=Budgets())


def error(outcome: Outcome | None) -> str | None:
    return outcome.error if outcome else "goes on"


def test_approval_of_the_gate_opens_it_and_says_who_and_why() -> None:
    outcome = seen(CUTOVER_GATE, READY, a_signal(gate=Gate.CUTOVER, reason="all green"))
    assert outcome == Outcome(reason="approved cutover by ada@example.com (unverified): all green")


def test_rejection_of_the_gate_fails_it_with_who_and_why() -> None:
    outcome = seen(FINALIZE_GATE, CUTTING, a_signal(Decision.REJECT, gate=Gate.FINALIZE))
    assert outcome is not None
    assert outcome.error == "ApprovalRejectedError"
    assert outcome.reason == "rejected finalize by ada@example.com (unverified): no reason given"


def test_approval_of_another_gate_opens_nothing() -> None:
    assert error(seen(CUTOVER_GATE, READY, a_signal(gate=Gate.FINALIZE), a_signal())) == "goes on"


def test_approval_expires_at_its_deadline_and_not_before() -> None:
    assert error(seen(CUTOVER_GATE, READY, seconds=7_199)) == "goes on"
    assert error(seen(CUTOVER_GATE, READY, seconds=7_200)) == "ApprovalExpiredError"


def test_approval_given_in_time_counts_even_when_it_is_seen_late() -> None:
    assert error(seen(CUTOVER_GATE, READY, a_signal(gate=Gate.CUTOVER), seconds=9_000)) is None


@pytest.mark.parametrize(
    ("wait", "server"),
    [(CUTOVER_GATE, CUTTING), (FINALIZE_GATE, READY), (WINDOW, a_server(state="TESTING")), (WINDOW, CUTTING)],
)
def test_lifecycle_changed_while_waiting_for_a_person_or_the_window_is_drift(wait: Wait, server: SourceServer) -> None:
    assert error(seen(wait, server, a_signal(gate=Gate.CUTOVER))) == "DriftError"


def with_instance(health: InstanceHealth, *signals: Signal) -> Outcome | None:
    wait = FINALIZE_GATE.model_copy(update={"instance_id": INSTANCE_ID, "signals": signals})
    truth = Truth(servers={SERVER_ID: CUTTING}, instances={INSTANCE_ID: health})
    return observe(wait, truth, now=NOON, budgets=Budgets())


@pytest.mark.parametrize("signals", [(), (a_signal(gate=Gate.FINALIZE),)])
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("terminated", "is terminated"),
        ("shutting-down", "is shutting-down"),
        ("stopped", "is stopped"),
        (None, "is unknown to EC2"),
    ],
)
def test_instance_ended_by_hand_while_the_last_approval_is_awaited_is_drift(
    signals: tuple[Signal, ...], state: str | None, words: str
) -> None:
    outcome = with_instance(some_health(state=state), *signals)
    assert outcome is not None
    assert outcome.error == "DriftError"
    assert f"{INSTANCE_ID} {words} where it was left running" in outcome.reason


@pytest.mark.parametrize(
    "health", [some_health(), some_health(instance_status="impaired"), some_health(ssm_ping="ConnectionLost")]
)
def test_instance_that_runs_badly_is_left_to_who_approves(health: InstanceHealth) -> None:
    assert error(with_instance(health)) == "goes on"


def test_window_opens_at_not_before() -> None:
    assert error(seen(WINDOW, READY, seconds=3_599)) == "goes on"
    assert error(seen(WINDOW, READY, seconds=3_600)) is None


def test_window_closes_at_not_after_even_for_a_launchable_server() -> None:
    assert error(seen(WINDOW, READY, seconds=7_199)) is None
    assert error(seen(WINDOW, READY, seconds=7_200)) == "WindowMissedError"


def test_server_lagging_inside_its_window_waits_and_then_misses_it() -> None:
    lagging = a_server(state="READY_FOR_CUTOVER", lag="PT1H")
    assert error(seen(WINDOW, lagging, seconds=3_600)) == "goes on"
    missed = seen(WINDOW, lagging, seconds=7_200)
    assert missed is not None
    assert "lag is 3600 s" in missed.reason


@pytest.mark.parametrize("wait", [CUTOVER_GATE, FINALIZE_GATE, WINDOW, a_wait(job_id=JOB_ID), ASKING])
def test_cancel_ends_any_wait_and_says_who_cancelled(wait: Wait) -> None:
    outcome = seen(wait, READY, a_signal(Decision.CANCEL, reason="wrong server"))
    assert outcome is not None
    assert outcome.error == "MigrationCancelledError"
    assert outcome.reason == "cancelled by ada@example.com (unverified): wrong server"


def test_i6_undo_that_runs_is_not_cancelled() -> None:
    undo = a_wait("undo", kind=WaitKind.UNDO, job_id=JOB_ID, signals=(a_signal(Decision.CANCEL),))
    truth = Truth(jobs={JOB_ID: a_job()})
    assert observe(undo, truth, now=NOON, budgets=Budgets()) is None


def test_i7_decision_with_the_longest_reason_still_ends_its_wait() -> None:
    long = "x" * 2048
    assert error(seen(WINDOW, READY, a_signal(Decision.CANCEL, reason=long))) == "MigrationCancelledError"
    assert error(seen(CUTOVER_GATE, READY, a_signal(gate=Gate.CUTOVER, reason=long))) is None


states = st.sampled_from(["NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER", "CUTOVER", ""])
servers = st.builds(
    a_server,
    state=states,
    replication=st.sampled_from(["CONTINUOUS", "STALLED", "INITIAL_SYNC", ""]),
    lag=st.sampled_from(["P0D", "PT5H", None]),
    job_id=st.sampled_from([None, JOB_ID, "mgnjob-other"]),
    first_boot=st.sampled_from(["WAITING", "SUCCEEDED", "UNKNOWN"]),
)
jobs = st.none() | st.builds(
    a_job,
    launch_status=st.sampled_from(["PENDING", "IN_PROGRESS", "LAUNCHED", "FAILED", "TERMINATED"]),
    status=st.sampled_from(["PENDING", "STARTED", "COMPLETED"]),
)
intents = st.builds(
    lambda kind, end: LaunchIntent(kind=kind, wave="1", not_after=end),
    st.sampled_from(LaunchKind),
    st.sampled_from([None, END, END + timedelta(days=1)]),
)
instances = st.none() | st.builds(
    some_health,
    state=st.sampled_from(["pending", "running", "stopped", "terminated", None]),
    instance_status=st.sampled_from(["ok", "impaired", "initializing", None]),
    ssm_ping=st.sampled_from(["Online", "ConnectionLost", None]),
)


@given(
    kind=st.sampled_from(WaitKind),
    phase=st.sampled_from(Phase),
    gate=st.sampled_from(Gate),
    server=st.none() | servers,
    job=jobs,
    health=instances,
    late=st.integers(0, 10**9),
    has_start=st.booleans(),
    intent=st.none() | intents,
    has_job=st.booleans(),
    in_doubt=st.booleans(),
)
def test_i7_every_kind_of_wait_ends_at_its_deadline(late: int, has_start: bool, in_doubt: bool, **case: Any) -> None:
    if case["kind"] is WaitKind.LAUNCH and case["intent"] is None:
        case["intent"] = ASKING.intent
    # A boot may outlast its deadline by a job, because MGN changes nothing on the server before.
    patience = timedelta(seconds=Budgets().launch if case["kind"] is WaitKind.BOOT else 0)
    wait = a_wait(
        kind=case["kind"],
        phase=case["phase"],
        gate=case["gate"],
        intent=case["intent"],
        job_id=JOB_ID if case["has_job"] or case["kind"] is WaitKind.BOOT else None,
        instance_id=INSTANCE_ID,
        not_before=NOON if has_start or case["kind"] in (WaitKind.SOAK, WaitKind.CHECK) else None,
    )
    truth = Truth(
        servers={SERVER_ID: case["server"]} if case["server"] else {},
        jobs={JOB_ID: case["job"]} if case["job"] else {},
        instances={INSTANCE_ID: case["health"]} if case["health"] else {},
        launching=frozenset({wait.migration_id} if in_doubt else ()),
    )
    now = END + patience + timedelta(seconds=late)
    assert observe(wait, truth, now=now, budgets=Budgets()) is not None
