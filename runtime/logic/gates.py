"""The waits that are not MGN's: a person's approval, the cutover window, the soak."""

from datetime import datetime, timedelta

from runtime.errors import NotVerifiedError
from runtime.logic.admission import load
from runtime.logic.journal import move
from runtime.logic.ports import Ports
from runtime.logic.preparing import server_of
from runtime.logic.waiting import park
from runtime.models.record import MigrationRecord, Wait, WaitKind
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
            _park(ports, record, step, deadline=deadline, name=f"approval-{step.gate}")
        case WaitKind.WINDOW:
            record = move(ports, record, MigrationStatus.AWAITING_WINDOW, actor=ACTOR, reason="waiting for the window")
            window = request.window
            deadline = window.not_after if window else record.updated_at + timedelta(seconds=budgets.window)
            _park(ports, record, step, deadline=deadline, not_before=window.not_before if window else None)
        case WaitKind.SOAK:
            record = move(ports, record, MigrationStatus.SOAKING, actor=ACTOR, reason="soaking")
            end = record.updated_at + timedelta(seconds=request.soak_seconds)
            _park(ports, record, step, deadline=end + timedelta(seconds=budgets.boot), not_before=end)
        case _:
            raise NotVerifiedError(f"{step.kind} is not a wait of signal_handler")


def _park(
    ports: Ports,
    record: MigrationRecord,
    step: AwaitSignal,
    *,
    deadline: datetime,
    not_before: datetime | None = None,
    name: str | None = None,
) -> None:
    launch = record.cutover_launch
    park(
        ports,
        Wait(
            migration_id=record.migration_id,
            name=name or step.kind,
            kind=step.kind,
            scope=ports.scope,
            source_server_id=server_of(record),
            parked_at=ports.now(),
            deadline=deadline,
            not_before=not_before,
            token=step.task_token,
            gate=step.gate,
            instance_id=launch.instance_id if launch else None,
        ),
    )
