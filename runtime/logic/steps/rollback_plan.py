"""What to undo next, computed from what MGN says now and never from where the workflow thinks it is (I6)."""

from dataclasses import dataclass

from runtime.logic.lookups.readiness import is_gone
from runtime.models.mgn import InstanceHealth, Job, LaunchTemplateRef, LifeCycleState, SourceServer
from runtime.models.record import MigrationRecord
from runtime.models.request import Phase


@dataclass(frozen=True)
class Freeze:
    """Stop, keep everything, call a person."""

    reason: str


@dataclass(frozen=True)
class AwaitJob:
    """MGN is working on the server; nothing can be undone before that job ends."""

    job_id: str


@dataclass(frozen=True)
class Revert:
    """Move the lifecycle back."""

    state: LifeCycleState


@dataclass(frozen=True)
class Terminate:
    """Terminate the instance this migration launched."""

    instance_id: str


@dataclass(frozen=True)
class RestoreTemplate:
    """Make the remembered launch template version the default again."""

    template: LaunchTemplateRef


@dataclass(frozen=True)
class Finished:
    """Nothing of this migration is left."""


UndoStep = Freeze | AwaitJob | Revert | Terminate | RestoreTemplate | Finished


@dataclass(frozen=True)
class Situation:
    """One reading of everything the undo depends on."""

    server: SourceServer | None
    active_jobs: tuple[Job, ...]
    """Those that hold the server, or may: one of ours that MGN does not show yet is among them."""
    instances: dict[str, InstanceHealth]
    template: LaunchTemplateRef | None


def next_step(record: MigrationRecord, now: Situation) -> UndoStep:
    """The next thing to undo. Doubt freezes; nothing is deleted that is not provably this migration's."""
    ours = our_jobs(record)
    server = now.server
    if server is None or is_gone(server):
        return Freeze("the source server left MGN after a launch; its instance is kept") if ours else Finished()
    if server.state == LifeCycleState.CUTOVER and ours:
        return Freeze("the cutover is final in MGN, so nothing can be undone; the source no longer replicates")
    if now.active_jobs:
        return AwaitJob(now.active_jobs[0].job_id)
    return (
        _launch_left(server, ours)
        or _instance_left(record, server, now.instances, ours)
        or _lifecycle_left(record, server)
        or _template_left(record, now.template)
        or Finished()
    )


def launched_instances(record: MigrationRecord, server: SourceServer | None) -> tuple[str, ...]:
    """Every instance this migration launched, as far as the journal and MGN know."""
    launches = (record.test_launch, record.cutover_launch)
    known = {launch.instance_id for launch in launches if launch and launch.instance_id}
    shown = server.launched_instance if server else None
    if shown and shown.ec2_instance_id and shown.job_id in our_jobs(record):
        known.add(shown.ec2_instance_id)
    return tuple(sorted(known))


def our_jobs(record: MigrationRecord) -> set[str]:
    launches = (record.test_launch, record.cutover_launch)
    return {launch.job_id for launch in launches if launch}


def _launch_left(server: SourceServer, ours: set[str]) -> UndoStep | None:
    launched = {LifeCycleState.TESTING: Phase.TEST, LifeCycleState.CUTTING_OVER: Phase.CUTOVER}
    before = {Phase.TEST: LifeCycleState.READY_FOR_TEST, Phase.CUTOVER: LifeCycleState.READY_FOR_CUTOVER}
    for state, phase in launched.items():
        if server.state != state:
            continue
        if server.launched_job(phase) in ours:
            return Revert(before[phase])
        # A launch of somebody else stays, but not the template that this migration made.
        return Freeze(f"{server.source_server_id} is {state} by a job that is not ours") if ours else None
    return None


def _instance_left(
    record: MigrationRecord, server: SourceServer, instances: dict[str, InstanceHealth], ours: set[str]
) -> UndoStep | None:
    alive = [i for i in launched_instances(record, server) if i in instances and not instances[i].is_gone]
    if not alive:
        return None
    shown = server.launched_instance
    if shown is None or shown.ec2_instance_id not in alive or shown.job_id not in ours:
        return Freeze(f"{', '.join(alive)} of this migration is running, but MGN no longer shows it as the server's")
    if record.undo_launch is not None:
        return Freeze(f"MGN job {record.undo_launch.job_id} ended and {shown.ec2_instance_id} is still running")
    return Terminate(shown.ec2_instance_id or "")


def _lifecycle_left(record: MigrationRecord, server: SourceServer) -> UndoStep | None:
    before = record.lifecycle_before
    wanted = (
        LifeCycleState.READY_FOR_CUTOVER
        if before == LifeCycleState.READY_FOR_CUTOVER
        else LifeCycleState.READY_FOR_TEST
    )
    ready = (LifeCycleState.READY_FOR_TEST, LifeCycleState.READY_FOR_CUTOVER)
    return Revert(wanted) if server.state in ready and server.state != wanted else None


def _template_left(record: MigrationRecord, current: LaunchTemplateRef | None) -> UndoStep | None:
    remembered = record.launch_template
    return RestoreTemplate(remembered) if remembered and current and current != remembered else None
