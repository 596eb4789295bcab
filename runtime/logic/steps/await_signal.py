"""The waits that are not MGN's: a person's approval, the cutover window, the soak, the next try of a check."""

from datetime import timedelta

from runtime.errors import NotVerifiedError
from runtime.logic.journal import move
from runtime.logic.lookups.approvals import approvals, in_words
from runtime.logic.lookups.decisions import decisions_of
from runtime.logic.lookups.migration import load
from runtime.logic.ports import Ports
from runtime.logic.steps.pending import next_try
from runtime.logic.waits.parking import park, parked
from runtime.models.functions.steps import AwaitSignal
from runtime.models.record import Facts, MigrationRecord
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from runtime.models.waits import ApprovalWait, CheckWait, SoakWait, WaitKind, WindowWait

ACTOR = AwaitSignal.function.name


def await_signal(step: AwaitSignal, ports: Ports) -> None:
    """Park an approval, the window or the soak, each bounded from the moment its status began; or a pending check."""
    record, ports = load(ports, step)
    match step.kind:
        case WaitKind.APPROVAL if step.gate is not None:
            _await_approval(ports, record, step.gate, step.task_token)
        case WaitKind.WINDOW:
            _await_window(ports, record, step.task_token)
        case WaitKind.SOAK:
            _await_soak(ports, record, step.task_token)
        case WaitKind.CHECK:
            _await_check(ports, record, step.task_token)
        case _:
            raise NotVerifiedError(f"{step.kind} is not a wait of signal_handler")


def _await_approval(ports: Ports, record: MigrationRecord, gate: Gate, token: str) -> None:
    reason = f"waiting for approval of {gate}"
    record = move(ports, record, MigrationStatus.AWAITING_APPROVAL, actor=ACTOR, reason=reason)
    wait = ApprovalWait(
        **parked(ports, record, token),
        name=f"approval-{gate}",
        deadline=record.updated_at + timedelta(seconds=record.request.approval.timeout_seconds),
        gate=gate,
        # None before the cutover. A test instance may go as soon as its testers are done.
        instance_id=_cutover_instance(record),
    )
    park(ports, record, wait)


def _await_window(ports: Ports, record: MigrationRecord, token: str) -> None:
    signals = decisions_of(ports, record) if Gate.CUTOVER in record.gates else ()
    window = record.request.window
    opened = tuple(each for each in approvals(record, signals) if each.gate is Gate.CUTOVER)
    record = move(
        ports,
        record,
        MigrationStatus.AWAITING_WINDOW,
        actor=ACTOR,
        reason=f"waiting for {'the window' if window else 'MGN to be able to launch it'}{in_words(opened)}",
        facts=Facts(approvals=opened or None),
    )
    wait = WindowWait(
        **parked(ports, record, token),
        deadline=window.not_after if window else record.updated_at + timedelta(seconds=ports.budgets.window),
        not_before=window.not_before if window else None,
    )
    park(ports, record, wait)


def _await_soak(ports: Ports, record: MigrationRecord, token: str) -> None:
    record = move(ports, record, MigrationStatus.SOAKING, actor=ACTOR, reason="soaking")
    end = record.updated_at + timedelta(seconds=record.request.soak_seconds)
    wait = SoakWait(
        **parked(ports, record, token),
        deadline=end + timedelta(seconds=ports.budgets.boot),
        not_before=end,
        instance_id=_cutover_instance(record),
    )
    park(ports, record, wait)


def _await_check(ports: Ports, record: MigrationRecord, token: str) -> None:
    not_before, deadline = next_try(record, now=ports.now(), budgets=ports.budgets)
    park(ports, record, CheckWait(**parked(ports, record, token), not_before=not_before, deadline=deadline))


def _cutover_instance(record: MigrationRecord) -> str | None:
    return record.cutover_launch.instance_id if record.cutover_launch else None
