"""trigger_migration: ask the dispatcher for a launch and park until MGN tells this server's result."""

from datetime import timedelta

from runtime.logic.journal import move
from runtime.logic.lookups.migration import load
from runtime.logic.ports import Ports
from runtime.logic.waits.parking import park, parked
from runtime.models.functions.steps import TriggerMigration
from runtime.models.record import LAUNCHING_STATUS, LaunchKind
from runtime.models.waits import LaunchIntent, LaunchWait

ACTOR = TriggerMigration.function.name


def trigger(step: TriggerMigration, ports: Ports) -> None:
    """Park the intent to launch a phase."""
    record, ports = load(ports, step)
    kind = LaunchKind(step.phase)
    reason = f"waiting for room to launch the {step.phase}"
    record = move(ports, record, LAUNCHING_STATUS[kind], actor=ACTOR, reason=reason)
    window = record.request.window if kind is LaunchKind.CUTOVER else None
    known = record.launch(kind)
    if known is not None:
        deadline = record.updated_at + timedelta(seconds=ports.budgets.launch)
    else:
        queued = record.updated_at + timedelta(seconds=ports.budgets.launch_queue)
        deadline = min(queued, window.not_after) if window else queued
    wait = LaunchWait(
        **parked(ports, record, step.task_token),
        name=f"launch-{step.phase}",
        deadline=deadline,
        phase=step.phase,
        intent=LaunchIntent(kind=kind, wave=record.request.wave, not_after=window.not_after if window else None),
        job_id=known.job_id if known else None,
    )
    park(ports, record, wait)
