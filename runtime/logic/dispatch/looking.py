"""dispatch_launches: one look at everything that waits in an account and Region, and the launches MGN has room for."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import (
    MigrationError,
    ServiceUnavailableError,
    SourceServerBusyError,
    SourceServerGoneError,
    SourceServerStateError,
    TargetAccountError,
    ThrottledError,
)
from runtime.logic.dispatch.batching import CLOCK_SKEW, Group, finish, has_job, save, start, was_called_for
from runtime.logic.dispatch.fitting import is_launchable, misfit
from runtime.logic.dispatch.packing import (
    ACTIVE_JOBS,
    SERVERS_IN_ACTIVE_JOBS,
    Room,
    asking,
    leaves_at,
    next_batch,
    queue,
    room,
    typical_seconds,
)
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.lookups.migration import JOB_HORIZON
from runtime.logic.ports import Ports
from runtime.logic.waits.settling import Settled, conclude, settle, unanswered
from runtime.models.dispatch import Dispatch, Looked
from runtime.models.mgn import Job, Truth
from runtime.models.record import LaunchKind
from runtime.models.waits import (
    BOOTING,
    DUE,
    OF_JOB,
    QUEUE,
    BootWait,
    Launching,
    LaunchWait,
    Outcome,
    Progress,
    UndoWait,
    Wait,
    due,
    of_job,
)

SOON = 120
"""Seconds. What begins later is scheduled by one of the sweep's looks until then."""

CALLS = 32
"""Launch calls of one look at most: those that are refused and halved must not outlast the function's timeout."""

FEW = 2
"""Servers that may be refused by themselves, with no other launched, before it looks like a full account."""

PATIENCE = timedelta(hours=1)
"""For how long after the latest launch or the latest wait the dispatcher wakes itself; then the sweep does."""

PAGE = 1_000
"""Waits that one look reads of each kind: those that are due, and in a round those of all."""

HEAD = 2 * SERVERS_IN_ACTIVE_JOBS
"""Of the queue. It is more than MGN has room for, because jobs of others may hold some of the servers."""

SEVERAL = 5
"""Times the pause between two looks, where an event will most likely come first."""

SKEW = timedelta(seconds=1)
"""Clocks of functions differ: a wait that is parked a moment from now has been parked."""

_Key = tuple[str, str]
"""The migration and the name of a wait."""

ASIDE = timedelta(seconds=SOON + 60)
"""For how long a wait that could not be ended is left to the rounds: no look wakes itself for it."""

RETRY = timedelta(minutes=1)
"""Between two tries where MGN refuses what only people or the end of others' jobs can mend."""


class Look(NamedTuple):
    """What one look saw and did."""

    waiting: int
    """Of how many it found out whether they go on."""
    resumed: int
    launched: int
    again: float | None
    """Seconds until it is worth looking again although no event may come; None: at the next wake."""
    failures: tuple[Exception, ...] = ()
    """What kept waits from ending or from their launch; everything else was done."""
    looked: Looked = Looked()
    """What it leaves to the next look."""


def look(ports: Ports, looked: Looked | None = None, *, everything: bool = True, until: datetime | None = None) -> Look:
    """Settle what ended, then launch what MGN has room for.

    It reads what can have changed: the waits that are due, those whose job ended, those that boot, and where MGN has
    room the head of the queue; in a round over everything also a page of all waits. It begins nothing after `until`.

    Raises RecordChangedError when another look is launching.
    """
    looked = ports.dispatches.last_look(ports.scope) if looked is None else looked
    state = ports.dispatches.state(ports.scope)
    # An account that may not be entered any more fails below, where its waits can still end at their deadlines.
    with suppress(TargetAccountError):
        state = finish(ports, state)
    reading = _read(ports, state, looked, everything=everything)
    settled = settle(ports, reading.waits, state, looked, jobs=reading.jobs, until=until)
    _file(ports, settled)
    # A first call that still arrives after a second one has ended would launch twice (I3).
    doubtful = {member.source_server_id for member in unanswered(ports, state)}
    fresh = [wait for wait in asking(settled.open) if wait.turn is None]
    launch = _Launch()
    may_launch = state.may_launch(ports.now()) and not _is_closed(settled.failures) and not _is_late(ports, until)
    if may_launch and (reading.reads_jobs if reading.has_queue else fresh):
        launch = _launch(ports, state, looked, fresh, doubtful, reading, until)
    # Where nobody stood in the queue turns begin anew.
    known = looked.turns if reading.has_queue else {}
    queued, turns = queue([wait for wait in fresh if _key(wait) not in launch.taken], known, launch.head)
    for wait, lane in queued:
        ports.waits.file(wait, lane)
    is_behind = bool(settled.left) or reading.has_more or launch.is_cut
    parked = [wait.parked_at for wait in reading.waits] + ([looked.parked_at] if looked.parked_at else [])
    left = looked.model_copy(
        update={
            "page": looked.page if settled.left else reading.next_page,
            "parked_at": max(parked, default=None),
            "jobs_at": ports.now() if reading.reads_jobs else looked.jobs_at,
            "turns": turns,
            "is_behind": is_behind,
        }
    )
    return Look(
        waiting=len(settled.open) + settled.resumed,
        resumed=settled.resumed,
        launched=launch.servers,
        again=_next_look(ports, state, settled, launch, left, reading, is_in_doubt=bool(doubtful)),
        failures=(*settled.failures, *launch.failures),
        looked=left,
    )


def look_again(ports: Ports, looked: Looked | None = None) -> float | None:
    """Seconds until a look in vain is worth repeating; None: leave it to the sweep."""
    looked = ports.dispatches.last_look(ports.scope) if looked is None else looked
    parked = [wait.parked_at for wait in _due(ports)] + ([looked.parked_at] if looked.parked_at else [])
    is_lively = _is_lively(ports, ports.dispatches.state(ports.scope), max(parked, default=None))
    return ports.budgets.look if is_lively else None


class _Reading(NamedTuple):
    """The waits of one look, and what was read of MGN's jobs to find them."""

    waits: tuple[Wait, ...]
    jobs: dict[str, Job]
    listed: tuple[Job, ...] | None
    """All jobs that can be active, where there is a queue."""
    reads_jobs: bool
    has_queue: bool
    next_page: str | None
    has_more: bool
    """Whether more are due than one look takes."""
    near: bool | None
    """Whether a job that somebody waits for has no more to launch and only has to end; None without such a job."""


def _read(ports: Ports, state: Dispatch, looked: Looked, *, everything: bool) -> _Reading:
    # What happens to jobs and instances by itself is read at most that often, however many events come.
    reads_jobs = everything or not _is_recent(ports, looked.jobs_at, ports.budgets.look)
    # Lanes lie in the order of their names: those that boot stand right before those that are due.
    due_now = _due(ports, first=BOOTING if reads_jobs else DUE)
    found: dict[_Key, Wait] = {_key(wait): wait for wait in due_now}
    page, next_page = ports.waits.page(ports.scope, looked.page, PAGE) if everything else ((), looked.page)
    has_queue = ports.waits.next_lane(ports.scope, QUEUE, f"{QUEUE}~") is not None
    jobs: dict[str, Job] = {}
    listed = near = None
    if reads_jobs:
        with suppress(TargetAccountError):
            # Said where the waits cannot be judged either.
            listed = tuple(ports.mgn.jobs_since(_unsettled_since(ports, state))) if has_queue else None
            over, jobs, near = _ended_jobs(ports, state, listed or ())
            for lane in map(of_job, over):
                found |= {_key(wait): wait for wait in ports.waits.in_lanes(ports.scope, lane, lane, PAGE)}
    found |= {_key(wait): wait for wait in page if _key(wait) not in found}
    return _Reading(tuple(found.values()), jobs, listed, reads_jobs, has_queue, next_page, len(due_now) == PAGE, near)


def _due(ports: Ports, *, first: str = DUE) -> Sequence[Wait]:
    return ports.waits.in_lanes(ports.scope, first, due(ports.now() + SKEW), PAGE)


def _ended_jobs(ports: Ports, state: Dispatch, listed: Iterable[Job]) -> tuple[list[str], dict[str, Job], bool | None]:
    """Of the jobs whose end somebody waits for: those that ended, all as MGN has them, and whether one is near it."""
    watched: list[str] = []
    lane = OF_JOB
    while found := ports.waits.next_lane(ports.scope, lane, f"{OF_JOB}~"):
        lane = found
        watched.append(lane.removeprefix(OF_JOB))
    jobs = {job.job_id: job for job in listed}
    if unlisted := [job_id for job_id in watched if job_id not in jobs]:
        jobs |= {job.job_id: job for job in ports.mgn.jobs(unlisted)}
    truth = Truth.model_construct(jobs=jobs, young_jobs=state.young_jobs(ports.now()))
    over = [job_id for job_id in watched if truth.is_over(job_id)]
    active = [jobs[job_id] for job_id in watched if job_id in jobs and jobs[job_id].is_active]
    return over, jobs, any(job.is_settled for job in active) if watched else None


def _file(ports: Ports, settled: Settled) -> None:
    """Put those that go on where the next look that can tell more finds them."""
    now = ports.now()
    # Behind the others, so that many that fail keep nobody else from being looked at; their outcome may be kept by now.
    for wait in ports.waits.those(ports.scope, map(_key, settled.failed)).values() if settled.failed else ():
        ports.waits.file(wait, due(now + ASIDE))
    for wait in settled.open:
        if isinstance(wait, LaunchWait | UndoWait) and wait.asks_for_launch:
            continue
        lane = _lane(wait, settled.jobs, now, ports.budgets.look)
        if lane != wait.lane:
            ports.waits.file(wait, lane)


def _lane(wait: Wait, jobs: Mapping[str, Job], now: datetime, pause: float) -> str:
    if isinstance(wait, BootWait):
        job = jobs.get(wait.job_id)
        is_over = wait.watched_job is None or (job is not None and not job.is_active)
        return BOOTING if is_over else of_job(wait.job_id)
    if isinstance(wait, UndoWait) and wait.job_id is None:
        # Until the end of a doubt about its launch, of which nobody tells.
        return due(now + SEVERAL * timedelta(seconds=pause))
    ends = [moment for moment in (wait.begins_at, wait.deadline) if moment is not None and moment > now]
    return due(min(ends, default=now + RETRY))


def _key(wait: Wait) -> _Key:
    return wait.migration_id, wait.name


def _is_late(ports: Ports, until: datetime | None) -> bool:
    return until is not None and ports.now() >= until


def _is_recent(ports: Ports, moment: datetime | None, seconds: float) -> bool:
    return moment is not None and ports.now() - moment < timedelta(seconds=seconds)


def _is_lively(ports: Ports, state: Dispatch, parked_at: datetime | None) -> bool:
    """Whether something began here lately. What began nothing for an hour shall not wake itself for days (I7)."""
    begun = [*([parked_at] if parked_at else []), *(job.started_at for job in state.recent)]
    begun += [batch.attempted_at for batch in state.unanswered_batches]
    return any(ports.now() - moment < PATIENCE for moment in begun)


def _next_look(
    ports: Ports,
    state: Dispatch,
    settled: Settled,
    launch: "_Launch",
    looked: Looked,
    reading: _Reading,
    *,
    is_in_doubt: bool,
) -> float | None:
    if _is_closed(settled.failures):
        return None
    pauses: list[float] = []
    if launch.servers or _is_lively(ports, state, looked.parked_at):
        pauses += [] if launch.again is None else [launch.again]
        # No event tells of a boot, nor of a job whose call was lost.
        boots = any(isinstance(wait, BootWait) for wait in settled.open)
        if not boots and not reading.reads_jobs:
            boots = ports.waits.next_lane(ports.scope, "", BOOTING) is not None
        if is_in_doubt or boots or reading.near:
            pauses.append(ports.budgets.look)
        elif reading.near is False:
            pauses.append(SEVERAL * ports.budgets.look)
    if looked.is_behind:
        pauses.append(0 if settled.resumed or launch.servers or reading.has_more else ports.budgets.look)
    # What begins at a known time would else be noticed by the next sweep.
    now = ports.now()
    lane = ports.waits.next_lane(ports.scope, due(now), due(now + timedelta(seconds=SOON)))
    if lane is not None:
        pauses.append((datetime.fromisoformat(lane.removeprefix(DUE)) - now).total_seconds())
    return min(pauses, default=None)


def _is_closed(failures: Iterable[Exception]) -> bool:
    return any(isinstance(failure, TargetAccountError) for failure in failures)


class _Launch(NamedTuple):
    """How many servers were launched, after how long to try the rest, and what a person has to mend."""

    servers: int = 0
    again: float | None = None
    failures: tuple[Exception, ...] = ()
    taken: frozenset[_Key] = frozenset()
    """The waits that a job was started for."""
    is_cut: bool = False
    """Whether there was no time for more."""
    head: tuple[Launching, ...] = ()
    """Those at the head of the queue."""


class _Tried(NamedTuple):
    """What became of the calls for one batch."""

    state: Dispatch
    left: Room
    launched: int
    calls: int
    alone: list[tuple[Launching, MigrationError]]
    """The servers that were refused by themselves."""
    is_over: bool
    """MGN takes no more calls for now."""
    taken: frozenset[_Key]


def _launch(
    ports: Ports,
    state: Dispatch,
    looked: Looked,
    fresh: Sequence[Launching],
    doubtful: Collection[str],
    reading: _Reading,
    until: datetime | None,
) -> _Launch:
    state, left, busy, near = _survey(ports, state, reading.listed)
    pause = ports.budgets.look * (1 if near else SEVERAL)
    head: list[Launching] = []
    if reading.has_queue and not left.is_full:
        found = ports.waits.in_lanes(ports.scope, QUEUE, f"{QUEUE}~", HEAD)
        head = asking(settle(ports, found, state, looked, until=until).open)
    waiting = [wait for wait, _ in queue([*head, *fresh], looked.turns)[0]]
    ready = [wait for wait in waiting if wait.source_server_id not in {*busy, *doubtful}]
    launched, calls, is_over = 0, 0, False
    taken: frozenset[_Key] = frozenset()
    alone: list[tuple[Launching, MigrationError]] = []
    gather = ports.budgets.launch_gather
    while not is_over and calls < CALLS and (batch := next_batch(ready, left, now=ports.now(), gather=gather)):
        if _is_late(ports, until):
            return _Launch(launched, 0, taken=taken, is_cut=True, head=tuple(head))
        if state.is_in_doubt:
            # One server is enough to see whether MGN answers launch calls again.
            batch = batch[:1]
        ready = ready[len(batch) :]
        state, fit = _fit(ports, state, batch)
        if len(fit) < len(batch):
            # The places of those that cannot launch now go to the next ones.
            ready = [*fit, *ready]
            continue
        tried = _start_all(ports, state, left, batch, limit=CALLS - calls)
        state, left, is_over = tried.state, tried.left, tried.is_over
        launched, calls, alone = launched + tried.launched, calls + tried.calls, alone + tried.alone
        taken |= tried.taken
    if is_over:
        return _Launch(launched, ports.budgets.look, taken=taken, head=tuple(head))
    may_be_full = launched == 0 and left.jobs < ACTIVE_JOBS and (len(alone) > FEW or calls == CALLS)
    state, kept = _blame(ports, state, alone, may_be_full=may_be_full)
    if kept or may_be_full:
        state = save(ports, state, retry_at=ports.now() + RETRY)
    held = {"active_jobs": ACTIVE_JOBS - left.jobs, "active_servers": SERVERS_IN_ACTIVE_JOBS - left.servers}
    if state != state.model_copy(update=held):
        save(ports, state, **held)
    if ready and not left.is_full and calls < CALLS:
        begins = (leaves_at(ready, left, gather=gather) - ports.now()).total_seconds()
        return _Launch(launched, max(begins, 0), kept, taken, head=tuple(head))
    has_all = launched == len(waiting) and (not reading.has_queue or (head and len(head) < HEAD))
    return _Launch(launched, None if has_all else pause, kept, taken, head=tuple(head))


def _start_all(ports: Ports, state: Dispatch, left: Room, batch: Group, *, limit: int) -> _Tried:
    """Start a job for all of these; when MGN refuses, for as many of them as it takes."""
    launched, calls = 0, 0
    taken: set[_Key] = set()
    alone: list[tuple[Launching, MigrationError]] = []
    groups: deque[Group] = deque([batch])
    while groups and not left.is_full and calls < limit:
        group = groups.popleft()[: left.servers]
        calls += 1
        state, started, refused = start(ports, state, group)
        match refused:
            case None:
                launched += started
                taken.update(map(_key, group))
                left = Room(left.jobs - bool(started), left.servers - started, ports.now())
            case ThrottledError() | ServiceUnavailableError():
                return _Tried(state, left, launched, calls, alone, is_over=True, taken=frozenset(taken))
            case SourceServerBusyError() | SourceServerGoneError() | SourceServerStateError() | TargetAccountError():
                state, left, busy, _ = _survey(ports, state)
                state, fit = _fit(ports, state, [wait for wait in group if wait.source_server_id not in busy])
                if len(fit) < len(group):
                    groups += [fit] if fit else []
                elif len(group) > 1:
                    groups += [group[: len(group) // 2], group[len(group) // 2 :]]
                else:
                    alone.append((group[0], refused))
            case _:
                raise refused
    return _Tried(state, left, launched, calls, alone, is_over=False, taken=frozenset(taken))


def _survey(
    ports: Ports, state: Dispatch, listed: tuple[Job, ...] | None = None
) -> tuple[Dispatch, Room, set[str], bool]:
    """The room MGN's jobs leave, the servers they hold, and whether one of them only has to end."""
    if listed is None:
        listed = tuple(ports.mgn.jobs_since(_unsettled_since(ports, state)))
    active = [job for job in listed if job.is_active]
    oldest = min((job.created_at for job in active), default=ports.now() - CLOCK_SKEW)
    seconds = typical_seconds(listed) or state.job_seconds
    state = state.model_copy(update={"active_since": oldest, "job_seconds": seconds})
    # A job keeps a launched server until its last one is done.
    busy = {part.source_server_id for job in active for part in job.participating_servers}
    return state, room(listed, state.recent, now=ports.now()), busy, any(job.is_settled for job in active)


def _unsettled_since(ports: Ports, state: Dispatch) -> datetime:
    """From when on jobs have to be listed: a busy day has hundreds, of which few are active."""
    own = [job.started_at - CLOCK_SKEW for job in state.recent]
    return min([state.active_since or ports.now() - JOB_HORIZON, *own])


def _fit(ports: Ports, state: Dispatch, batch: Group) -> tuple[Dispatch, list[Launching]]:
    """Those that can be launched as MGN has them now; a server that someone changed ends its wait by itself."""
    servers = {server.source_server_id: server for server in ports.mgn.servers([w.source_server_id for w in batch])}
    # What looks changed by someone may be the work of a call whose job is still to be found.
    doubtful = {member.migration_id: batch.attempted_at for batch in state.given_up for member in batch.members}
    fit: list[Launching] = []
    misfits: list[tuple[Launching, Outcome]] = []
    for wait in batch:
        server = servers.get(wait.source_server_id)
        outcome = misfit(wait, server)
        attempted_at = doubtful.get(wait.migration_id)
        if outcome is not None:
            misfits += [] if attempted_at else [(wait, outcome)]
        elif server is None or not is_launchable(wait, server, ports.budgets):
            continue
        elif attempted_at is None or not was_called_for(server, wait.asked.kind, attempted_at):
            fit.append(wait)
    return _give_up(ports, state, misfits), fit


def _blame(
    ports: Ports, state: Dispatch, alone: Sequence[tuple[Launching, MigrationError]], *, may_be_full: bool
) -> tuple[Dispatch, tuple[Exception, ...]]:
    """End the waits whose server alone was refused although MGN shows it fit; the errors of those that stay.

    A permission is for people to mend. And in which words MGN refuses when the account is full is not documented: while
    it refuses every call beside active jobs, nobody's server is to blame.
    """
    kept: list[MigrationError] = []
    ended = []
    for wait, refused in alone:
        if isinstance(refused, TargetAccountError) or (isinstance(refused, SourceServerStateError) and may_be_full):
            kept.append(refused)
            continue
        outcome = Outcome(error=type(refused).__name__, reason=str(refused)[:REASON_LIMIT])
        if wait.asked.kind is LaunchKind.TERMINATE and isinstance(refused, SourceServerBusyError):
            # The next round of the undo finds out who works on the server.
            outcome = outcome.model_copy(update={"error": None, "progress": Progress.AGAIN})
        ended.append((wait, outcome))
    return _give_up(ports, state, ended), tuple(kept)


def _give_up(ports: Ports, state: Dispatch, ended: Sequence[tuple[Launching, Outcome]]) -> Dispatch:
    """End these waits, unless another dispatcher has launched since the state was read: the change may be its own."""
    if not ended:
        return state
    state = save(ports, state)
    records = ports.migrations.records_of([wait.migration_id for wait, _ in ended])
    for wait, outcome in ended:
        if not has_job(ports, wait, records.get(wait.migration_id)):
            conclude(ports, wait, outcome)
    return state
