"""dispatch_launches: one look at everything that waits in an account and Region, and the launches MGN has room for.

MGN's launch calls have no client token. So a batch is written before its call and its launch id tags the job; after
any doubt the job is looked for by that tag, and a new call goes out only when MGN has shown for long enough that there
is none (I3).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import (
    MigrationError,
    RecordChangedError,
    ServiceUnavailableError,
    SourceServerBusyError,
    SourceServerGoneError,
    SourceServerStateError,
    TargetAccountError,
    ThrottledError,
)
from runtime.logic.admission import JOB_HORIZON
from runtime.logic.journal import REASON_LIMIT, note
from runtime.logic.launching import LAUNCHING_STATUS, launch_facts, launch_of
from runtime.logic.observation import is_launchable, misfit
from runtime.logic.packing import VISIBLE_AFTER, Room, asked, coming, due, in_order, next_batch, room, typical_seconds
from runtime.logic.ports import Ports
from runtime.logic.waiting import conclude, settle
from runtime.models.dispatch import Batch, Dispatch, Member, StartedJob
from runtime.models.mgn import Job
from runtime.models.record import Launch, LaunchKind, MigrationRecord, Outcome, Progress, Wait, WaitKind

ACTOR = "dispatch_launches"
LAUNCH_TAG = "migration:launch-id"
CORRELATION_TAG = "migration:correlation-id"
TAG_VALUE_LIMIT = 256
CORRELATION_TAGS = 40
"""Of the 50 tags a resource may have. They hold the ids of a full job, unless senders chose very long ones."""

_CLOCK_SKEW = timedelta(minutes=5)
_HOPE = timedelta(hours=1)
"""How long the job of a given up call may still come to light."""
_NOTE_ATTEMPTS = 5

Group = Sequence[Wait]


class Look(NamedTuple):
    """What one look saw and did."""

    waiting: int
    resumed: int
    launched: int
    again: float | None
    """Seconds until it is worth looking again although no event may come; None: at the next wake."""
    failures: tuple[Exception, ...] = ()
    """What kept waits from ending; everything else was done."""


def look(ports: Ports) -> Look:
    """Settle what ended, then launch what MGN has room for.

    Raises RecordChangedError when another look is launching.
    """
    state = ports.store.dispatch(ports.scope)
    # An account that may not be entered any more fails below, where its waits can still end at their deadlines.
    with suppress(TargetAccountError):
        state = _finish(ports, state)
    settled = settle(ports, tuple(ports.store.open_waits(ports.scope)), state)
    asking = in_order(wait for wait in settled.open if wait.asks_for_launch)
    launched, pauses = 0, []
    if asking and state.in_flight is None and not _is_closed(settled.failures):
        launched, pause = _launch(ports, state, asking, coming(settled.open, now=ports.now()))
        pauses += [pause] if pause is not None else []
    # No event tells of a boot, nor of a job whose call was lost.
    if state.in_flight or any(wait.kind is WaitKind.BOOT for wait in settled.open):
        pauses.append(ports.budgets.look)
    return Look(
        waiting=len(settled.open) + settled.resumed,
        resumed=settled.resumed,
        launched=launched,
        again=min(pauses, default=None),
        failures=settled.failures,
    )


def _is_closed(failures: Iterable[Exception]) -> bool:
    return any(isinstance(failure, TargetAccountError) for failure in failures)


def _launch(ports: Ports, state: Dispatch, asking: Group, others: int) -> tuple[int, float | None]:
    """Launch as many as there is room for; how many that were, and after how long to try the rest."""
    listed = tuple(ports.mgn.jobs_since(_unsettled_since(ports, state)))
    active = [job for job in listed if job.is_active]
    left = room(listed, state.recent, now=ports.now())._replace(coming=others)
    oldest = min((job.created_at for job in active), default=ports.now() - _CLOCK_SKEW)
    seconds = typical_seconds(listed) or state.job_seconds
    state = state.model_copy(update={"active_since": oldest, "job_seconds": seconds})
    ready = _idle(asking, active)
    launched, gather = 0, ports.budgets.launch_gather
    while batch := next_batch(ready, left, now=ports.now(), gather=gather):
        state, fit = _fit(ports, state, batch)
        if len(fit) < len(batch):
            # The places of those that cannot launch now go to the next ones.
            ready = [wait for wait in ready if wait not in batch or wait in fit]
            continue
        ready = [wait for wait in ready if wait not in batch]
        groups: deque[Group] = deque([batch])
        while groups and not left.is_full:
            group = groups.popleft()[: left.servers]
            state, started, refused = _start(ports, state, group)
            match refused:
                case None:
                    launched += started
                    left = Room(left.jobs - bool(started), left.servers - started, others)
                case ThrottledError() | ServiceUnavailableError():
                    return launched, ports.budgets.look
                case SourceServerBusyError() | SourceServerGoneError() | SourceServerStateError():
                    state, smaller = _without_offenders(ports, state, group, refused)
                    groups.extend(smaller)
                case _:
                    raise refused
    if ready and not left.is_full:
        gathered = min(due(wait, gather=gather) for wait in ready) - ports.now()
        return launched, max(gathered.total_seconds(), 0)
    return launched, None if launched == len(asking) else ports.budgets.look


def _unsettled_since(ports: Ports, state: Dispatch) -> datetime:
    """From when on jobs have to be listed: a busy day has hundreds, of which few are active."""
    own = [job.started_at - _CLOCK_SKEW for job in state.recent]
    return min([state.active_since or ports.now() - JOB_HORIZON, *own])


class _Started(NamedTuple):
    """What became of a call: the state after it, the servers of its job, and why it was refused."""

    state: Dispatch
    servers: int = 0
    refused: MigrationError | None = None


def _start(ports: Ports, state: Dispatch, group: Group) -> _Started:
    """Start one MGN job for these waits. After ServiceUnavailableError the batch is still in flight."""
    batch = Batch(
        launch_id=ports.new_id(), kind=_kind(group[0]), members=tuple(map(_member, group)), attempted_at=ports.now()
    )
    state = _save(ports, state, in_flight=batch)
    owed = _still_owed(ports, group)
    members = tuple(_member(wait) for wait, _ in owed)
    if not members:
        return _Started(_save(ports, state, in_flight=None))
    if members != batch.members:
        batch = batch.model_copy(update={"members": members})
        state = _save(ports, state, in_flight=batch)
    try:
        job = _call(ports, batch, [record.correlation_id for _, record in owed])
    except ServiceUnavailableError as lost:
        return _Started(state, refused=lost)
    except MigrationError as refused:
        return _Started(_save(ports, state, in_flight=None), refused=refused)
    batch = batch.model_copy(update={"job_id": job.job_id})
    return _Started(_announce(ports, _save(ports, state, in_flight=batch), batch), len(members))


def _call(ports: Ports, batch: Batch, correlation_ids: Iterable[str]) -> Job:
    servers = [member.source_server_id for member in batch.members]
    tags = {LAUNCH_TAG: batch.launch_id, **correlation_tags(correlation_ids)}
    if batch.kind is LaunchKind.TERMINATE:
        return ports.mgn.terminate(servers, tags)
    return ports.mgn.start_launch(batch.kind.phase, servers, tags)


def _still_owed(ports: Ports, group: Group) -> list[tuple[Wait, MigrationRecord]]:
    """Those that still ask, read after the batch was written.

    A migration that is given up moves its record before it looks for a batch in flight: one of us sees the other.
    """
    waits = {(wait.migration_id, wait.name): wait for wait in ports.store.open_waits(ports.scope)}
    records = ports.store.records_of([wait.migration_id for wait in group])
    owed = []
    for known in group:
        wait, record = waits.get((known.migration_id, known.name)), records.get(known.migration_id)
        if wait is None or record is None or not wait.asks_for_launch:
            continue
        if _has_job(ports, wait, record):
            continue
        if record.status is LAUNCHING_STATUS.get(_kind(wait), record.status) and not record.status.is_terminal:
            owed.append((wait, record))
        else:
            ports.store.close(wait)
    return owed


def _has_job(ports: Ports, wait: Wait, record: MigrationRecord | None) -> bool:
    """Whether the launch was started before. A step that ran again may have parked a wait that does not know it."""
    launch = launch_of(record, _kind(wait)) if record else None
    if launch is None:
        return False
    _give_job(ports, wait, launch.job_id)
    return True


def _finish(ports: Ports, state: Dispatch) -> Dispatch:
    """Bring a batch to its end whose dispatcher died or whose call lost its answer."""
    batch = state.in_flight
    if batch is None:
        return _adopt_late(ports, state)
    if batch.job_id is None:
        job = _tagged_job(ports, batch)
        if job is None:
            in_doubt = ports.now() - batch.attempted_at < timedelta(seconds=ports.budgets.launch_doubt)
            given_up = (*state.given_up, batch)
            return state if in_doubt else _save(ports, state, in_flight=None, given_up=given_up)
        batch = batch.model_copy(update={"job_id": job.job_id})
        state = _save(ports, state, in_flight=batch)
    return _announce(ports, state, batch)


def _adopt_late(ports: Ports, state: Dispatch) -> Dispatch:
    """Adopt the job of a batch that was given up too early, before its servers look as if someone changed them."""
    for batch in state.given_up:
        others = tuple(other for other in state.given_up if other != batch)
        if job := _tagged_job(ports, batch):
            batch = batch.model_copy(update={"job_id": job.job_id})
            state = _announce(ports, _save(ports, state, in_flight=batch, given_up=others), batch)
        elif ports.now() - batch.attempted_at > _HOPE:
            state = _save(ports, state, given_up=others)
    return state


def _tagged_job(ports: Ports, batch: Batch) -> Job | None:
    since = batch.attempted_at - _CLOCK_SKEW
    return next((job for job in ports.mgn.jobs_since(since) if job.tags.get(LAUNCH_TAG) == batch.launch_id), None)


def _announce(ports: Ports, state: Dispatch, batch: Batch) -> Dispatch:
    """Write the job into every member's record and wait, then take the batch out of flight."""
    job_id = batch.job_id or ""
    launch = Launch(launch_id=batch.launch_id, job_id=job_id)
    for member in batch.members:
        _note_job(ports, member.migration_id, batch, launch)
        waits = ports.store.waits(ports.scope, member.migration_id)
        for wait in waits:
            if wait.name == member.wait and wait.asks_for_launch:
                _give_job(ports, wait, job_id)
    started = StartedJob(job_id=job_id, servers=len(batch.members), started_at=batch.attempted_at)
    recent = [job for job in state.recent if ports.now() - job.started_at < VISIBLE_AFTER]
    return _save(ports, state, in_flight=None, recent=(*recent, started))


def _note_job(ports: Ports, migration_id: str, batch: Batch, launch: Launch) -> None:
    reason = f"MGN job {launch.job_id} with {len(batch.members)} servers"
    for attempt in range(_NOTE_ATTEMPTS):
        record = ports.store.record(migration_id)
        if record is None or launch_of(record, batch.kind) is not None:
            return
        try:
            note(ports, record, launch_facts(batch.kind, launch), actor=ACTOR, reason=reason)
        except RecordChangedError:
            if attempt == _NOTE_ATTEMPTS - 1:
                raise
        else:
            return


def _give_job(ports: Ports, wait: Wait, job_id: str) -> None:
    limit = ports.budgets.undo if _kind(wait) is LaunchKind.TERMINATE else ports.budgets.launch
    deadline = ports.now() + timedelta(seconds=limit)
    ports.store.amend(wait, {"job_id": job_id, "deadline": deadline})


def _fit(ports: Ports, state: Dispatch, batch: Group) -> tuple[Dispatch, list[Wait]]:
    """Those that can be launched as MGN has them now; a server that someone changed ends its wait by itself."""
    servers = {server.source_server_id: server for server in ports.mgn.servers([w.source_server_id for w in batch])}
    # What looks changed by someone may be the work of a call whose job is still to be found.
    doubtful = {member.migration_id for batch in state.given_up for member in batch.members}
    fit: list[Wait] = []
    misfits: list[tuple[Wait, Outcome]] = []
    for wait in batch:
        server = servers.get(wait.source_server_id)
        outcome = misfit(wait, server)
        if outcome is not None:
            misfits += [] if wait.migration_id in doubtful else [(wait, outcome)]
        elif server is not None and is_launchable(wait, server, ports.budgets):
            fit.append(wait)
    return _give_up(ports, state, misfits), fit


def _without_offenders(
    ports: Ports, state: Dispatch, group: Group, refused: MigrationError
) -> tuple[Dispatch, list[Group]]:
    """What to try again after a refused call: the group without those MGN shows as unfit, else both its halves."""
    active = [job for job in ports.mgn.jobs_since(_unsettled_since(ports, state)) if job.is_active]
    state, fit = _fit(ports, state, group)
    rest = _idle(fit, active)
    if len(rest) < len(group):
        return state, [rest] if rest else []
    if len(group) > 1:
        return state, [group[: len(group) // 2], group[len(group) // 2 :]]
    outcome = Outcome(error=type(refused).__name__, reason=str(refused)[:REASON_LIMIT])
    if _kind(group[0]) is LaunchKind.TERMINATE and isinstance(refused, SourceServerBusyError):
        # The next round of the undo finds out who works on the server.
        outcome = outcome.model_copy(update={"error": None, "progress": Progress.AGAIN})
    return _give_up(ports, state, [(group[0], outcome)]), []


def _give_up(ports: Ports, state: Dispatch, ended: Sequence[tuple[Wait, Outcome]]) -> Dispatch:
    """End these waits, unless another dispatcher has launched since the state was read: the change may be its own."""
    if ended:
        state = _save(ports, state)
    for wait, outcome in ended:
        if not _has_job(ports, wait, ports.store.record(wait.migration_id)):
            conclude(ports, wait, outcome)
    return state


def _idle(waits: Group, active: Iterable[Job]) -> list[Wait]:
    """Those whose server no job holds: a job keeps a launched server until its last one is done."""
    busy = {part.source_server_id for job in active for part in job.participating_servers}
    return [wait for wait in waits if wait.source_server_id not in busy]


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


def _save(ports: Ports, state: Dispatch, **changes: object) -> Dispatch:
    return ports.store.save_dispatch(state.model_copy(update=changes))


def _member(wait: Wait) -> Member:
    return Member(migration_id=wait.migration_id, wait=wait.name, source_server_id=wait.source_server_id)


def _kind(wait: Wait) -> LaunchKind:
    return asked(wait).kind
