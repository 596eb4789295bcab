"""trigger_migration: ask the dispatcher for a launch and park until MGN tells this server's result."""

from datetime import timedelta

from runtime.logic.journal import move
from runtime.logic.ports import Ports
from runtime.logic.steps.validate_input import load
from runtime.logic.waits.settling import park
from runtime.models.record import Facts, Launch, LaunchIntent, LaunchKind, MigrationRecord, WaitKind
from runtime.models.status import MigrationStatus
from runtime.models.steps import TriggerMigration

ACTOR = "trigger_migration"

LAUNCHING_STATUS = {
    LaunchKind.TEST: MigrationStatus.TEST_LAUNCHING,
    LaunchKind.CUTOVER: MigrationStatus.CUTOVER_LAUNCHING,
}
"""The only status in which a launch may be started."""


def trigger(step: TriggerMigration, ports: Ports) -> None:
    """Park the intent to launch a phase."""
    record, ports = load(ports, step)
    kind = LaunchKind(step.phase)
    reason = f"waiting for room to launch the {step.phase}"
    record = move(ports, record, LAUNCHING_STATUS[kind], actor=ACTOR, reason=reason)
    window = record.request.window if kind is LaunchKind.CUTOVER else None
    known = launch_of(record, kind)
    if known is not None:
        deadline = record.updated_at + timedelta(seconds=ports.budgets.launch)
    else:
        queued = record.updated_at + timedelta(seconds=ports.budgets.launch_queue)
        deadline = min(queued, window.not_after) if window else queued
    park(
        ports,
        record,
        WaitKind.LAUNCH,
        name=f"launch-{step.phase}",
        token=step.task_token,
        deadline=deadline,
        phase=step.phase,
        intent=LaunchIntent(kind=kind, wave=record.request.wave, not_after=window.not_after if window else None),
        job_id=known.job_id if known else None,
    )


def launch_of(record: MigrationRecord, kind: LaunchKind) -> Launch | None:
    """The launch of this kind that was started for the migration."""
    match kind:
        case LaunchKind.TEST:
            return record.test_launch
        case LaunchKind.CUTOVER:
            return record.cutover_launch
        case LaunchKind.TERMINATE:
            return record.undo_launch


def launch_facts(kind: LaunchKind, launch: Launch) -> Facts:
    """The fact that this launch was started."""
    match kind:
        case LaunchKind.TEST:
            return Facts(test_launch=launch)
        case LaunchKind.CUTOVER:
            return Facts(cutover_launch=launch)
        case LaunchKind.TERMINATE:
            return Facts(undo_launch=launch)
