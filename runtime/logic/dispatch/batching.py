"""One call that starts an MGN job, made exactly once although MGN's launch calls have no client token (I3).

A batch is written before its call and its launch id tags the job. After any doubt the job is looked for by that tag,
and a new call goes out only when MGN has shown for long enough that there is none.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import MigrationError, RecordChangedError, ServiceUnavailableError
from runtime.logic.dispatch.packing import asking
from runtime.logic.journal import note
from runtime.logic.ports import Ports
from runtime.models.dispatch import VISIBLE_AFTER, Batch, Dispatch, Member, StartedJob
from runtime.models.functions.catalogue import DISPATCH_LAUNCHES
from runtime.models.mgn import Job, SourceServer
from runtime.models.record import LAUNCHING_STATUS, Facts, Launch, LaunchKind, MigrationRecord
from runtime.models.waits import Launching, due

ACTOR = DISPATCH_LAUNCHES.name
LAUNCH_TAG = "migration:launch-id"
CORRELATION_TAG = "migration:correlation-id"
TAG_VALUE_LIMIT = 256
CORRELATION_TAGS = 40
"""Of the 50 tags a resource may have. They hold the ids of a full job, unless senders chose very long ones."""

CLOCK_SKEW = timedelta(minutes=5)
_HOPE = timedelta(hours=1)
"""How long the job of a given up call may still come to light."""
_NOTE_ATTEMPTS = 5

Group = Sequence[Launching]


class Started(NamedTuple):
    """What became of a call: the state after it, the servers of its job, and why it was refused."""

    state: Dispatch
    servers: int = 0
    refused: MigrationError | None = None


def start(ports: Ports, state: Dispatch, group: Group) -> Started:
    """Start one MGN job for these waits. After ServiceUnavailableError the batch is still in flight."""
    batch = Batch(
        launch_id=ports.new_id(), kind=group[0].asked.kind, members=tuple(map(_member, group)), attempted_at=ports.now()
    )
    state = save(ports, state, in_flight=batch)
    owed = _still_owed(ports, group)
    members = tuple(_member(wait) for wait, _ in owed)
    if not members:
        return Started(save(ports, state, in_flight=None))
    if members != batch.members:
        batch = batch.model_copy(update={"members": members})
        state = save(ports, state, in_flight=batch)
    try:
        job = _call(ports, batch, [record.correlation_id for _, record in owed])
    except ServiceUnavailableError as lost:
        return Started(state, refused=lost)
    except MigrationError as refused:
        return Started(save(ports, state, in_flight=None), refused=refused)
    batch = batch.model_copy(update={"job_id": job.job_id})
    return Started(_announce(ports, save(ports, state, in_flight=batch), batch), len(members))


def finish(ports: Ports, state: Dispatch) -> Dispatch:
    """Bring a batch to its end whose dispatcher died or whose call lost its answer."""
    batch = state.in_flight
    if batch is None:
        return _adopt_late(ports, state)
    if batch.job_id is None:
        job = _tagged_jobs(ports, [batch]).get(batch.launch_id)
        if job is None:
            if ports.now() - batch.attempted_at < timedelta(seconds=ports.budgets.launch_doubt):
                return state
            return _adopt_late(ports, save(ports, state, in_flight=None, given_up=(*state.given_up, batch)))
        batch = batch.model_copy(update={"job_id": job.job_id})
        state = save(ports, state, in_flight=batch)
    return _announce(ports, state, batch)


def _adopt_late(ports: Ports, state: Dispatch) -> Dispatch:
    """Adopt the job of a batch that was given up too early, before its servers look as if someone changed them."""
    jobs = _tagged_jobs(ports, state.given_up)
    for batch in state.given_up:
        others = tuple(other for other in state.given_up if other != batch)
        if job := jobs.get(batch.launch_id):
            batch = batch.model_copy(update={"job_id": job.job_id})
            state = _announce(ports, save(ports, state, in_flight=batch, given_up=others), batch)
        elif ports.now() - batch.attempted_at > _HOPE:
            state = save(ports, state, given_up=others)
    return state


def _tagged_jobs(ports: Ports, batches: Sequence[Batch]) -> dict[str, Job]:
    """The jobs MGN shows of these batches by launch id: those it lists, and those their servers name."""
    if not batches:
        return {}
    since = min(batch.attempted_at for batch in batches) - CLOCK_SKEW
    found = _by_launch_id(ports.mgn.jobs_since(since), batches)
    unlisted = [batch for batch in batches if batch.launch_id not in found and batch.kind is not LaunchKind.TERMINATE]
    if named := _jobs_named_by_servers(ports, unlisted):
        found |= _by_launch_id(ports.mgn.jobs(named), unlisted)
    return found


def _by_launch_id(jobs: Iterable[Job], batches: Iterable[Batch]) -> dict[str, Job]:
    sought = {batch.launch_id for batch in batches}
    tagged = ((job.tags.get(LAUNCH_TAG, ""), job) for job in jobs)
    return {launch_id: job for launch_id, job in tagged if launch_id in sought}


def _jobs_named_by_servers(ports: Ports, batches: Iterable[Batch]) -> list[str]:
    """The jobs that servers of these batches name as those of their last launch, where it was called for since."""
    batch_of = {member.source_server_id: batch for batch in batches for member in batch.members}
    named = set()
    for server in ports.mgn.servers(sorted(batch_of)) if batch_of else ():
        batch = batch_of[server.source_server_id]
        if was_called_for(server, batch.kind, batch.attempted_at):
            named.add(server.launched_job(batch.kind.phase))
    return sorted(job_id for job_id in named if job_id)


def was_called_for(server: SourceServer, kind: LaunchKind, attempted_at: datetime) -> bool:
    """Whether the server itself tells of a launch call that may be the one made then."""
    return kind is not LaunchKind.TERMINATE and server.was_launched_since(kind.phase, attempted_at - CLOCK_SKEW)


def _call(ports: Ports, batch: Batch, correlation_ids: Iterable[str]) -> Job:
    servers = [member.source_server_id for member in batch.members]
    tags = {LAUNCH_TAG: batch.launch_id, **correlation_tags(correlation_ids)}
    if batch.kind is LaunchKind.TERMINATE:
        return ports.mgn.terminate(servers, tags)
    return ports.mgn.start_launch(batch.kind.phase, servers, tags)


def _still_owed(ports: Ports, group: Group) -> list[tuple[Launching, MigrationRecord]]:
    """Those that still ask, read after the batch was written.

    A migration that is given up moves its record before it looks for a batch in flight: one of us sees the other.
    """
    waits = _asking(ports, [(wait.migration_id, wait.name) for wait in group])
    records = ports.migrations.records_of([wait.migration_id for wait in group])
    owed = []
    for known in group:
        # An earlier call of this look may have taken until past the end of a window.
        if known.deadline <= ports.now():
            continue
        wait, record = waits.get((known.migration_id, known.name)), records.get(known.migration_id)
        if wait is None or record is None or not wait.asks_for_launch:
            continue
        if has_job(ports, wait, record):
            continue
        if record.status is LAUNCHING_STATUS.get(wait.asked.kind, record.status) and not record.status.is_terminal:
            owed.append((wait, record))
        else:
            ports.waits.close(wait)
    return owed


def has_job(ports: Ports, wait: Launching, record: MigrationRecord | None) -> bool:
    """Whether the launch was started before. A step that ran again may have parked a wait that does not know it."""
    launch = record.launch(wait.asked.kind) if record else None
    if launch is None:
        return False
    _give_job(ports, wait, launch.job_id)
    return True


def _announce(ports: Ports, state: Dispatch, batch: Batch) -> Dispatch:
    """Write the job into every member's record and wait, then take the batch out of flight."""
    job_id = batch.job_id or ""
    launch = Launch(launch_id=batch.launch_id, job_id=job_id)
    records = ports.migrations.records_of([member.migration_id for member in batch.members])
    waits = _asking(ports, [(member.migration_id, member.wait) for member in batch.members])
    for member in batch.members:
        _note_job(ports, records.get(member.migration_id), batch, launch)
        wait = waits.get((member.migration_id, member.wait))
        if wait is not None and wait.asks_for_launch:
            _give_job(ports, wait, job_id)
    started = StartedJob(job_id=job_id, servers=len(batch.members), started_at=batch.attempted_at)
    recent = [job for job in state.recent if ports.now() - job.started_at < VISIBLE_AFTER]
    return save(ports, state, in_flight=None, recent=(*recent, started))


def _note_job(ports: Ports, record: MigrationRecord | None, batch: Batch, launch: Launch) -> None:
    servers = len(batch.members)
    reason = f"MGN job {launch.job_id} with {servers} server{'' if servers == 1 else 's'}"
    for attempt in range(_NOTE_ATTEMPTS):
        if record is None or record.launch(batch.kind) is not None:
            return
        try:
            note(ports, record, Facts.of_launch(batch.kind, launch), actor=ACTOR, reason=reason)
        except RecordChangedError:
            if attempt == _NOTE_ATTEMPTS - 1:
                raise
            record = ports.migrations.record(record.migration_id)
        else:
            return


def _give_job(ports: Ports, wait: Launching, job_id: str) -> None:
    limit = ports.budgets.undo if wait.asked.kind is LaunchKind.TERMINATE else ports.budgets.launch
    deadline = ports.now() + timedelta(seconds=limit)
    ports.waits.amend(wait, {"job_id": job_id, "deadline": deadline, "lane": due(deadline)})


def correlation_tags(correlation_ids: Iterable[str]) -> dict[str, str]:
    """Tags that carry the correlation ids of a job's migrations, as many as fit (I9)."""
    values = [""]
    for correlation_id in dict.fromkeys(correlation_ids):
        joined = f"{values[-1]} {correlation_id}".strip()
        if len(joined) <= TAG_VALUE_LIMIT:
            values[-1] = joined
        else:
            values.append(correlation_id)
    keys = (CORRELATION_TAG if number == 1 else f"{CORRELATION_TAG}-{number}" for number in range(1, len(values) + 1))
    return dict(list(zip(keys, values, strict=True))[:CORRELATION_TAGS])


def save(ports: Ports, state: Dispatch, **changes: object) -> Dispatch:
    return ports.dispatches.save(state.model_copy(update=changes))


def _asking(ports: Ports, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Launching]:
    found = asking(ports.waits.those(ports.scope, names).values())
    return {(wait.migration_id, wait.name): wait for wait in found}


def _member(wait: Launching) -> Member:
    return Member(migration_id=wait.migration_id, wait=wait.name, source_server_id=wait.source_server_id)
