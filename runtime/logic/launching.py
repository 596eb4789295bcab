"""trigger_migration: start a launch exactly once without a client token (I3).

The intent is journaled before the call and the MGN job is tagged with it. Whenever the answer of a call is lost, the
job is looked for by its tag; a new call goes out only when MGN has shown for long enough that there is none.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from runtime.errors import LaunchInDoubtError, SourceServerBusyError, SourceServerStateError, ThrottledError
from runtime.logic.admission import load
from runtime.logic.journal import move, note
from runtime.logic.ports import Ports
from runtime.logic.preparing import server_of
from runtime.logic.waiting import park
from runtime.models.mgn import Job
from runtime.models.record import Facts, Launch, MigrationRecord, Wait, WaitKind
from runtime.models.request import Phase
from runtime.models.status import MigrationStatus
from runtime.models.steps import TriggerMigration

ACTOR = "trigger_migration"
LAUNCH_TAG = "migration:launch-id"
CORRELATION_TAG = "migration:correlation-id"
MIGRATION_TAG = "migration:id"

_CLOCK_SKEW = timedelta(minutes=5)
_STATUS = {Phase.TEST: MigrationStatus.TEST_LAUNCHING, Phase.CUTOVER: MigrationStatus.CUTOVER_LAUNCHING}


def trigger(step: TriggerMigration, ports: Ports) -> None:
    """Start the launch of a phase and park until MGN tells this server's launchStatus."""
    record, ports = load(ports, step)
    launch = record.launch(step.phase) or Launch(launch_id=ports.new_id())
    reason = f"asking MGN for a {step.phase} launch"
    facts = launch_facts(step.phase, launch)
    record = move(ports, record, _STATUS[step.phase], actor=ACTOR, reason=reason, facts=facts)
    server_id = server_of(record)

    def start(tags: dict[str, str]) -> Job:
        return ports.mgn.start_launch(step.phase, [server_id], tags)

    keep = partial(launch_facts, step.phase)
    record, launch = launch_once(ports, record, launch, start=start, keep=keep, actor=ACTOR)
    park(
        ports,
        Wait(
            migration_id=record.migration_id,
            name=f"launch-{step.phase}",
            kind=WaitKind.LAUNCH,
            scope=ports.scope,
            source_server_id=server_id,
            parked_at=ports.now(),
            deadline=record.updated_at + timedelta(seconds=ports.budgets.launch),
            token=step.task_token,
            phase=step.phase,
            job_id=launch.job_id,
        ),
    )


def launch_once(
    ports: Ports,
    record: MigrationRecord,
    launch: Launch,
    *,
    start: Callable[[dict[str, str]], Job],
    keep: Callable[[Launch], Facts],
    actor: str,
) -> tuple[MigrationRecord, Launch]:
    """Make sure exactly one MGN job exists for this intent, and know its id.

    Raises LaunchInDoubtError while an earlier call may still show up, ThrottledError when MGN refused the call.
    """
    if launch.job_id is not None:
        return record, launch
    if launch.attempted_at is not None:
        record, launch = adopt(ports, record, launch, keep=keep, actor=actor)
        if launch.job_id is not None:
            return record, launch
    launch = launch.model_copy(update={"attempted_at": ports.now()})
    record = note(ports, record, keep(launch), actor=actor, reason="calling MGN")
    tags = {
        LAUNCH_TAG: launch.launch_id,
        CORRELATION_TAG: record.correlation_id,
        MIGRATION_TAG: record.migration_id,
    }
    try:
        job = start(tags)
    except ThrottledError:
        # MGN did nothing: the next try may call at once.
        refused = launch.model_copy(update={"attempted_at": None})
        note(ports, record, keep(refused), actor=actor, reason="MGN refused the call for now")
        raise
    except (SourceServerBusyError, SourceServerStateError):
        # The call that made the server busy may be our own earlier one.
        job_or_none = tagged_job(ports, launch)
        if job_or_none is None:
            raise
        job = job_or_none
    return _keep_job(ports, record, launch, job, keep=keep, actor=actor)


def adopt(
    ports: Ports, record: MigrationRecord, launch: Launch, *, keep: Callable[[Launch], Facts], actor: str
) -> tuple[MigrationRecord, Launch]:
    """Find the job of a call whose answer was lost; raises LaunchInDoubtError while it may still appear."""
    job = tagged_job(ports, launch)
    if job is not None:
        return _keep_job(ports, record, launch, job, keep=keep, actor=actor)
    age = (ports.now() - launch.attempted_at).total_seconds() if launch.attempted_at else 0.0
    if age < ports.budgets.launch_doubt:
        raise LaunchInDoubtError(f"launch {launch.launch_id} was called {age:.0f} s ago and MGN shows no job of it yet")
    return record, launch


def tagged_job(ports: Ports, launch: Launch) -> Job | None:
    """The MGN job that carries this launch's tag."""
    since = (launch.attempted_at or ports.now()) - _CLOCK_SKEW
    return next((job for job in ports.mgn.jobs_since(since) if job.tags.get(LAUNCH_TAG) == launch.launch_id), None)


def launch_facts(phase: Phase, launch: Launch) -> Facts:
    """The fact that a phase has this launch."""
    return Facts(test_launch=launch) if phase is Phase.TEST else Facts(cutover_launch=launch)


def _keep_job(
    ports: Ports, record: MigrationRecord, launch: Launch, job: Job, *, keep: Callable[[Launch], Facts], actor: str
) -> tuple[MigrationRecord, Launch]:
    launch = launch.model_copy(update={"job_id": job.job_id})
    return note(ports, record, keep(launch), actor=actor, reason=f"MGN job {job.job_id}"), launch
