"""The waits that are not MGN's: a person's approval, the cutover window, the soak."""

from datetime import timedelta

from runtime.errors import NotVerifiedError
from runtime.logic.journal import move
from runtime.logic.ports import Ports
from runtime.logic.steps.validate_input import load
from runtime.logic.waits.settling import park
from runtime.models.record import MigrationRecord, WaitKind
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from runtime.models.steps import AwaitSignal

ACTOR = "signal_handler"


def await_signal(step: AwaitSignal, ports: Ports) -> None:
    """Park an approval, the window or the soak; each is bounded from the moment its status began."""
    record, ports = load(ports, step)
    request, budgets = record.request, ports.budgets
    match step.kind:
        case WaitKind.APPROVAL:
            record = move(
                ports,
                record,
                MigrationStatus.AWAITING_APPROVAL,
                actor=ACTOR,
                reason=f"waiting for approval of {step.gate}",
            )
            deadline = record.updated_at + timedelta(seconds=request.approval.timeout_seconds)
            park(
                ports,
                record,
                step.kind,
                token=step.task_token,
                deadline=deadline,
                name=f"approval-{step.gate}",
                gate=step.gate,
                # A test instance may go as soon as its testers are done: the cutover does not need it.
                instance_id=_cutover_instance(record) if step.gate is Gate.FINALIZE else None,
            )
        case WaitKind.WINDOW:
            record = move(ports, record, MigrationStatus.AWAITING_WINDOW, actor=ACTOR, reason="waiting for the window")
            window = request.window
            deadline = window.not_after if window else record.updated_at + timedelta(seconds=budgets.window)
            not_before = window.not_before if window else None
            park(ports, record, step.kind, token=step.task_token, deadline=deadline, not_before=not_before)
        case WaitKind.SOAK:
            record = move(ports, record, MigrationStatus.SOAKING, actor=ACTOR, reason="soaking")
            end = record.updated_at + timedelta(seconds=request.soak_seconds)
            park(
                ports,
                record,
                step.kind,
                token=step.task_token,
                deadline=end + timedelta(seconds=budgets.boot),
                not_before=end,
                instance_id=_cutover_instance(record),
            )
        case _:
            raise NotVerifiedError(f"{step.kind} is not a wait of signal_handler")


def _cutover_instance(record: MigrationRecord) -> str | None:
    return record.cutover_launch.instance_id if record.cutover_launch else None
