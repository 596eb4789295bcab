"""rollback_handler: one round of the undo. It acts as far as MGN lets it, then parks until a job ends, or is done."""

from datetime import timedelta

from runtime.errors import (
    CheckFailedError,
    CheckPendingError,
    LaunchFailedError,
    MigrationError,
    SourceServerBusyError,
    SourceServerStateError,
    TransientError,
)
from runtime.logic.journal import REASON_LIMIT, lock_held_by, move, note
from runtime.logic.lookups.migration import active_jobs_of, load, server_of
from runtime.logic.lookups.readiness import is_gone
from runtime.logic.ports import Ports
from runtime.logic.steps.rollback_plan import (
    AwaitJob,
    Finished,
    Freeze,
    RestoreTemplate,
    Revert,
    Situation,
    Terminate,
    UndoStep,
    launched_instances,
    next_step,
    our_jobs,
)
from runtime.logic.waits.parking import park, parked
from runtime.logic.waits.settling import unanswered
from runtime.models.dispatch import Dispatch
from runtime.models.functions.steps import Failure, Rollback, UndoGoal
from runtime.models.mgn import Job
from runtime.models.record import Facts, LaunchKind, MigrationRecord
from runtime.models.status import MigrationStatus
from runtime.models.waits import (
    LaunchIntent,
    Outcome,
    Progress,
    UndoWait,
)

ACTOR = Rollback.function.name
CANCELLED = "MigrationCancelledError"
STEPS_A_ROUND = 8
"""More than any undo needs; a bound for MGN that never shows what was done."""


def roll_back(step: Rollback, token: str, ports: Ports) -> None:
    """Run one round and complete the task, unless a job has to end first."""
    progress = _round(step, token, ports)
    if progress is not None:
        ports.resumer.resume(token, Outcome(reason=f"undo {progress}", progress=progress))


def freeze(step: Rollback, ports: Ports) -> Progress:
    """The last resort when the undo itself fails: keep everything and call a person."""
    record, ports = load(ports, step)
    if (progress := _over_before(record, step)) is not None:
        return progress
    if record.source_server_id is None:
        # Nothing was touched, so there is nothing for a person to look at.
        return _finish(ports, _begin(ports, record, step), step)
    return _freeze(ports, record, f"the undo failed: {failure_reason(step.failure)}")


def failure_reason(failure: Failure | None) -> str:
    """The error and cause a Catch recorded, in words."""
    if failure is None:
        return "no reason recorded"
    if failure.error == CheckPendingError.__name__:
        # The retries of a check that never passed are used up.
        reason = f"{CheckFailedError.__name__}: it never passed: {failure.message}"
    else:
        reason = f"{failure.error}: {failure.message}" if failure.message else failure.error
    return reason[:REASON_LIMIT]


def _round(step: Rollback, token: str, ports: Ports) -> Progress | None:
    record, ports = load(ports, step)
    if (progress := _over_before(record, step)) is not None:
        return progress
    if step.goal is UndoGoal.ROLLED_BACK:
        record = _begin(ports, record, step)
    if record.source_server_id is None:
        return _finish(ports, record, step)
    if (record.undo_rounds or 0) >= ports.budgets.undo_rounds:
        return _freeze(ports, record, f"not undone in {ports.budgets.undo_rounds} rounds")
    # The record says by now that nothing more is to be launched; a batch written before that is seen here.
    state = ports.dispatches.state(ports.scope)
    doubtful = unanswered(ports, state)
    if any(member.migration_id == record.migration_id for member in doubtful):
        _await(ports, record, token, "the end of a doubt about its launch")
        return None
    record, _ = load(ports, step)
    return _undo_until_blocked(ports, record, state, step, token)


def _over_before(record: MigrationRecord, step: Rollback) -> Progress | None:
    """How the undo ended before it began; None when there is something to do."""
    if record.status.is_terminal:
        return Progress.FROZEN if record.status is MigrationStatus.FROZEN else Progress.DONE
    # A second execution that failed before it found out that it is one: the migration is the first one's.
    return None if record.execution in (None, step.execution) else Progress.DONE


def _begin(ports: Ports, record: MigrationRecord, step: Rollback) -> MigrationRecord:
    reason = f"{failure_reason(step.failure)}{_told_by_mgn(ports, record, step.failure)}"[:REASON_LIMIT]
    # Claimed, too: an execution that failed in its first step has not done so.
    facts = Facts(failure=reason, execution=step.execution) if record.failure is None else None
    return move(ports, record, MigrationStatus.ROLLING_BACK, actor=ACTOR, reason=reason, facts=facts)


def _told_by_mgn(ports: Ports, record: MigrationRecord, failure: Failure | None) -> str:
    """What the log of a launch that failed says of its server."""
    launch = record.cutover_launch or record.test_launch
    if failure is None or failure.error != LaunchFailedError.__name__ or launch is None:
        return ""
    try:
        log = ports.mgn.job_log(launch.job_id)
    except MigrationError:
        # The reason would be good to have, and the undo does not wait for it.
        return ""
    told = [item for item in log if item.tells_of_failure and item.source_server_id in (None, record.source_server_id)]
    events = [f"{item.event} ({item.raw_error})" if item.raw_error else item.event for item in told]
    return f"; MGN logged {', '.join(events)}" if events else ""


def _undo_until_blocked(
    ports: Ports, record: MigrationRecord, state: Dispatch, step: Rollback, token: str
) -> Progress | None:
    server_id = server_of(record)
    refused: tuple[UndoStep, SourceServerBusyError | SourceServerStateError] | None = None
    for _ in range(STEPS_A_ROUND):
        planned = next_step(record, _situation(ports, record, state, server_id))
        match planned:
            case Finished():
                return _finish(ports, record, step)
            case Freeze(reason=reason):
                return _freeze(ports, record, reason)
            case AwaitJob(job_id=job_id):
                _await(ports, record, token, job_id, job_id=job_id)
                return None
            case Terminate(instance_id=instance_id):
                intent = LaunchIntent(kind=LaunchKind.TERMINATE, wave=record.request.wave)
                _await(ports, record, token, f"MGN to terminate {instance_id}", intent=intent)
                return None
        if refused and refused[0] == planned:
            return _refused(ports, record, refused[1])
        try:
            _do(ports, planned, server_id)
        except (SourceServerBusyError, SourceServerStateError) as error:
            # A job began since we looked, or another round was faster: who looks again sees it.
            refused = planned, error
    return _freeze(ports, record, "MGN does not show what the undo did")


def _refused(ports: Ports, record: MigrationRecord, error: SourceServerBusyError | SourceServerStateError) -> Progress:
    if isinstance(error, SourceServerBusyError):
        raise TransientError(f"MGN does not show the job yet: {error}")
    return _freeze(ports, record, f"MGN refused to undo: {error}")


def _situation(ports: Ports, record: MigrationRecord, state: Dispatch, server_id: str) -> Situation:
    server = next(iter(ports.mgn.servers([server_id])), None)
    instances = launched_instances(record, server)
    return Situation(
        server=server,
        active_jobs=(*_young_jobs(ports, record, state), *active_jobs_of(ports, server_id)),
        instances=ports.instances.health(instances) if instances else {},
        # MGN deletes the template of a server that left (docs/mgn.md#launch-template).
        template=ports.launch_settings.current(server_id) if record.launch_template and not is_gone(server) else None,
    )


def _young_jobs(ports: Ports, record: MigrationRecord, state: Dispatch) -> tuple[Job, ...]:
    """The jobs of this migration that began a moment ago: MGN may hold the server for them and not show it yet."""
    ours = our_jobs(record) | ({record.undo_launch.job_id} if record.undo_launch else set())
    young = sorted(ours & state.young_jobs(ports.now()))
    shown = {job.job_id: job for job in ports.mgn.jobs(young)} if young else {}
    jobs = (shown.get(job_id) or Job(job_id=job_id) for job_id in young)
    return tuple(job for job in jobs if job.is_active)


def _do(ports: Ports, planned: UndoStep, server_id: str) -> None:
    match planned:
        case Revert(state=state):
            ports.mgn.change_lifecycle(server_id, state)
        case RestoreTemplate(template=template):
            ports.launch_settings.restore(template)


def _await(
    ports: Ports,
    record: MigrationRecord,
    token: str,
    what: str,
    *,
    job_id: str | None = None,
    intent: LaunchIntent | None = None,
) -> None:
    # Only rounds that wait for MGN count; a round repeated because AWS throttled it is the same round.
    rounds = (record.undo_rounds or 0) + 1
    record = note(ports, record, Facts(undo_rounds=rounds), actor=ACTOR, reason=f"undo round {rounds} waits for {what}")
    # As long as a launch waits for room; a job that ends it has its own deadline.
    limit = ports.budgets.undo if intent is None else ports.budgets.launch_queue
    deadline = ports.now() + timedelta(seconds=limit)
    wait = UndoWait(**parked(ports, record, token), deadline=deadline, job_id=job_id, intent=intent)
    park(ports, record, wait)


def _finish(ports: Ports, record: MigrationRecord, step: Rollback) -> Progress:
    if step.goal is UndoGoal.CLEANED_UP:
        status, reason = MigrationStatus.COMPLETED, "test launch verified and cleaned up"
    elif (record.failure or "").startswith(CANCELLED):
        status, reason = MigrationStatus.CANCELLED, record.failure or ""
    else:
        status, reason = MigrationStatus.ROLLED_BACK, record.failure or ""
    move(ports, record, status, actor=ACTOR, reason=reason, unlock=lock_held_by(record, at=ports.now()))
    return Progress.DONE


def _freeze(ports: Ports, record: MigrationRecord, why: str) -> Progress:
    # The lock stays: nobody starts on this server before a person has looked and released it.
    reason = f"{why} (after: {record.failure})" if record.failure else why
    move(ports, record, MigrationStatus.FROZEN, actor=ACTOR, reason=reason)
    return Progress.FROZEN
