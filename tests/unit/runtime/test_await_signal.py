"""signal_handler as a step: approvals, the window and the soak are parked with their bounds."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.errors import NotVerifiedError
from runtime.logic.dispatch.looking import look
from runtime.logic.steps.await_signal import await_signal
from runtime.models.functions.steps import AwaitSignal
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from runtime.models.waits import WaitKind
from tests.builders import NOON, SCOPE, a_signal, some_health
from tests.fakes import FakePorts
from tests.unit.runtime.stages import a_step, bring_to, the_record, waits_of

WINDOW = {"not_before": NOON + timedelta(hours=3), "not_after": NOON + timedelta(hours=6)}


def parked(ports: FakePorts, kind: WaitKind, gate: Gate | None = None, token: str = "token") -> Any:
    await_signal(a_step(AwaitSignal, kind=kind, gate=gate, task_token=token), ports)
    return next(wait for wait in waits_of(ports) if ports.token_of(wait) == token)


def test_parking_wakes_the_dispatcher_of_the_migrations_account_and_region() -> None:
    ports = bring_to("cutover-prepared", test=False)
    ports.wakes.sent.clear()
    parked(ports, WaitKind.WINDOW)
    assert ports.wakes.sent == [(SCOPE, 0)]


def test_approval_waits_as_long_as_the_request_says() -> None:
    ports = bring_to("cutover-prepared", test=False, approval={"cutover": True, "timeout_seconds": 600})
    wait = parked(ports, WaitKind.APPROVAL, Gate.CUTOVER)
    assert (wait.name, wait.gate, wait.deadline) == ("approval-cutover", Gate.CUTOVER, NOON + timedelta(seconds=600))
    assert the_record(ports).status is MigrationStatus.AWAITING_APPROVAL
    ports.advance(600)
    look(ports)
    assert ports.resumer.resumed["token"].error == "ApprovalExpiredError"


def test_window_is_parked_from_not_before_to_not_after() -> None:
    ports = bring_to("cutover-prepared", test=False, window=WINDOW)
    wait = parked(ports, WaitKind.WINDOW)
    assert (wait.not_before, wait.deadline) == (WINDOW["not_before"], WINDOW["not_after"])
    assert look(ports).resumed == 0
    ports.advance(3 * 3_600)
    assert look(ports).resumed == 1


def test_migration_without_a_window_goes_on_as_soon_as_it_is_launchable() -> None:
    ports = bring_to("windowed", test=False)
    assert ports.resumer.resumed["window"].error is None
    assert the_record(ports).status is MigrationStatus.AWAITING_WINDOW


def test_i14_journal_says_who_opened_the_gate_before_the_window() -> None:
    ports = bring_to("cutover-prepared", test=False, approval={"cutover": True, "finalize": True})
    opened = a_signal(gate=Gate.CUTOVER, sender="AROA1:ada", reason="tested")
    ports.decisions.keep(opened)
    ports.decisions.keep(a_signal(gate=Gate.FINALIZE, sender="AROA1:ada"))
    for token in ("token", "again"):
        parked(ports, WaitKind.WINDOW, token=token)
    entry = ports.migrations.journal("mig-1")[-1]
    assert entry.facts.approvals == (opened,)
    assert (
        entry.reason
        == "waiting for MGN to be able to launch it; cutover approved by ada@example.com (AROA1:ada): tested"
    )


def test_soak_watches_the_cutover_instance_and_has_an_end() -> None:
    ports = bring_to("cutover-verified", test=False, soak_seconds=900)
    wait = parked(ports, WaitKind.SOAK)
    launch = the_record(ports).cutover_launch
    assert launch is not None
    assert (wait.instance_id, wait.not_before) == (launch.instance_id, NOON + timedelta(seconds=900))
    assert wait.deadline == NOON + timedelta(seconds=900 + 3_600)
    ports.advance(900)
    assert look(ports).resumed == 1


def test_last_approval_watches_the_cutover_instance() -> None:
    ports = bring_to("cutover-verified", test=False, approval={"finalize": True})
    wait = parked(ports, WaitKind.APPROVAL, Gate.FINALIZE)
    launch = the_record(ports).cutover_launch
    assert launch is not None
    assert launch.instance_id is not None
    assert wait.instance_id == launch.instance_id
    assert look(ports).resumed == 0
    ports.instances.put(some_health(launch.instance_id, state="terminated"))
    look(ports)
    assert ports.resumer.resumed["token"].error == "DriftError"


def test_approval_of_the_cutover_does_not_need_the_test_instance() -> None:
    ports = bring_to("cutover-prepared", approval={"cutover": True})
    wait = parked(ports, WaitKind.APPROVAL, Gate.CUTOVER)
    assert wait.instance_id is None
    for instance in list(ports.instances.known):
        ports.instances.put(some_health(instance, state="terminated"))
    assert look(ports).resumed == 0


@pytest.mark.parametrize("kind", [WaitKind.WINDOW, WaitKind.APPROVAL])
def test_i7_step_retried_later_keeps_its_deadline(kind: WaitKind) -> None:
    ports = bring_to("cutover-prepared", test=False, window=WINDOW)
    gate: Any = Gate.CUTOVER if kind is WaitKind.APPROVAL else None
    first = parked(ports, kind, gate)
    ports.advance(60)
    assert parked(ports, kind, gate, token="again").deadline == first.deadline


@pytest.mark.parametrize("kind", [WaitKind.LAUNCH, WaitKind.UNDO])
def test_wait_that_belongs_to_another_step_is_refused(kind: WaitKind) -> None:
    with pytest.raises(NotVerifiedError, match="not a wait of signal_handler"):
        await_signal(a_step(AwaitSignal, kind=kind, task_token="t"), bring_to("test-prepared"))
