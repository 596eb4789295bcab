"""dispatch_launches: one look at everything that waits in an account and Region, and the launches MGN has room for."""

from collections import deque
from collections.abc import Iterable, Sequence
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
    due,
    in_order,
    next_batch,
    room,
    typical_seconds,
)
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.lookups.migration import JOB_HORIZON
from runtime.logic.ports import Ports
from runtime.logic.waits.settling import Settled, conclude, settle, unanswered
from runtime.models.dispatch import Dispatch
from runtime.models.record import LaunchKind
from runtime.models.waits import BootWait, Launching, Outcome, Progress, Wait

SOON = 120
"""Seconds. What begins later is scheduled by one of the sweep's looks until then."""

CALLS = 32
"""Launch calls of one look at most: those that are refused and halved must not outlast the function's timeout."""

FEW = 2
"""Servers that may be refused by themselves, with no other launched, before it looks like a full account."""

PATIENCE = timedelta(hours=1)
"""For how long after the latest launch or the latest wait the dispatcher wakes itself; then the sweep does."""

RETRY = timedelta(minutes=1)
"""Between two tries where MGN refuses what only people or the end of others' jobs can mend."""


class Look(NamedTuple):
    """What one look saw and did."""

    waiting: int
    resumed: int
    launched: int
    again: float | None
    """Seconds until it is worth looking again although no event may come; None: at the next wake."""
    failures: tuple[Exception, ...] = ()
    """What kept waits from ending or from their launch; everything else was done."""


def look(ports: Ports) -> Look:
    """Settle what ended, then launch what MGN has room for.

    Raises RecordChangedError when another look is launching.
    """
    state = ports.dispatches.state(ports.scope)
    # An account that may not be entered any more fails below, where its waits can still end at their deadlines.
    with suppress(TargetAccountError):
        state = finish(ports, state)
    settled = settle(ports, tuple(ports.waits.open(ports.scope)), state)
    # A first call that still arrives after a second one has ended would launch twice (I3).
    doubtful = {member.source_server_id for member in unanswered(ports, state)}
    waiting = in_order(wait for wait in asking(settled.open) if wait.source_server_id not in doubtful)
    launch = _Launch()
    if waiting and state.may_launch(ports.now()) and not _is_closed(settled.failures):
        launch = _launch(ports, state, waiting)
    return Look(
        waiting=len(settled.open) + settled.resumed,
        resumed=settled.resumed,
        launched=launch.servers,
        again=_next_look(ports, state, settled, launch, is_in_doubt=bool(doubtful)),
        failures=(*settled.failures, *launch.failures),
    )


def look_again(ports: Ports) -> float | None:
    """Seconds until a look in vain is worth repeating; None: leave it to the sweep."""
    waits = tuple(ports.waits.open(ports.scope))
    return ports.budgets.look if _is_lively(ports, ports.dispatches.state(ports.scope), waits) else None


def _is_lively(ports: Ports, state: Dispatch, waits: Iterable[Wait]) -> bool:
    """Whether something began here lately. What began nothing for an hour shall not wake itself for days (I7)."""
    begun = [*(wait.parked_at for wait in waits), *(job.started_at for job in state.recent)]
    begun += [batch.attempted_at for batch in state.unanswered_batches]
    return any(ports.now() - moment < PATIENCE for moment in begun)


def _next_look(
    ports: Ports, state: Dispatch, settled: Settled, launch: "_Launch", *, is_in_doubt: bool
) -> float | None:
    if _is_closed(settled.failures):
        return None
    pauses = []
    if launch.servers or _is_lively(ports, state, settled.open):
        pauses += [] if launch.again is None else [launch.again]
        # No event tells of a boot, nor of a job whose call was lost.
        if is_in_doubt or any(isinstance(wait, BootWait) for wait in settled.open):
            pauses.append(ports.budgets.look)
    # What begins at a known time would else be noticed by the next sweep.
    begins = [(wait.begins_at - ports.now()).total_seconds() for wait in settled.open if wait.begins_at is not None]
    pauses += [seconds for seconds in begins if 0 < seconds <= SOON]
    return min(pauses, default=None)


def _is_closed(failures: Iterable[Exception]) -> bool:
    return any(isinstance(failure, TargetAccountError) for failure in failures)


class _Launch(NamedTuple):
    """How many servers were launched, after how long to try the rest, and what a person has to mend."""

    servers: int = 0
    again: float | None = None
    failures: tuple[Exception, ...] = ()


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


def _launch(ports: Ports, state: Dispatch, waiting: Group) -> _Launch:
    state, left, ready = _survey(ports, state, waiting)
    launched, calls, is_over = 0, 0, False
    alone: list[tuple[Launching, MigrationError]] = []
    gather = ports.budgets.launch_gather
    while not is_over and calls < CALLS and (batch := next_batch(ready, left, now=ports.now(), gather=gather)):
        if state.is_in_doubt:
            # One server is enough to see whether MGN answers launch calls again.
            batch = batch[:1]
        ready = ready[len(batch) :]
        state, fit = _fit(ports, state, batch)
        if len(fit) < len(batch):
            # The places of those that cannot launch now go to the next ones.
            ready = [*fit, *ready]
            continue
        state, left, started, made, refused, is_over = _start_all(ports, state, left, batch, limit=CALLS - calls)
        launched, calls, alone = launched + started, calls + made, alone + refused
    if is_over:
        return _Launch(launched, ports.budgets.look)
    may_be_full = launched == 0 and left.jobs < ACTIVE_JOBS and (len(alone) > FEW or calls == CALLS)
    state, kept = _blame(ports, state, alone, may_be_full=may_be_full)
    if kept or may_be_full:
        state = save(ports, state, retry_at=ports.now() + RETRY)
    held = {"active_jobs": ACTIVE_JOBS - left.jobs, "active_servers": SERVERS_IN_ACTIVE_JOBS - left.servers}
    if state != state.model_copy(update=held):
        save(ports, state, **held)
    if ready and not left.is_full and calls < CALLS:
        return _Launch(launched, max((due(ready, left, gather=gather) - ports.now()).total_seconds(), 0), kept)
    return _Launch(launched, None if launched == len(waiting) else ports.budgets.look, kept)


def _start_all(ports: Ports, state: Dispatch, left: Room, batch: Group, *, limit: int) -> _Tried:
    """Start a job for all of these; when MGN refuses, for as many of them as it takes."""
    launched, calls = 0, 0
    alone: list[tuple[Launching, MigrationError]] = []
    groups: deque[Group] = deque([batch])
    while groups and not left.is_full and calls < limit:
        group = groups.popleft()[: left.servers]
        calls += 1
        state, started, refused = start(ports, state, group)
        match refused:
            case None:
                launched += started
                left = Room(left.jobs - bool(started), left.servers - started, ports.now())
            case ThrottledError() | ServiceUnavailableError():
                return _Tried(state, left, launched, calls, alone, is_over=True)
            case SourceServerBusyError() | SourceServerGoneError() | SourceServerStateError() | TargetAccountError():
                state, left, idle = _survey(ports, state, group)
                state, fit = _fit(ports, state, idle)
                if len(fit) < len(group):
                    groups += [fit] if fit else []
                elif len(group) > 1:
                    groups += [group[: len(group) // 2], group[len(group) // 2 :]]
                else:
                    alone.append((group[0], refused))
            case _:
                raise refused
    return _Tried(state, left, launched, calls, alone, is_over=False)


def _survey(ports: Ports, state: Dispatch, waits: Group) -> tuple[Dispatch, Room, list[Launching]]:
    """The room MGN's jobs leave, and those of the waits whose server none of them holds."""
    listed = tuple(ports.mgn.jobs_since(_unsettled_since(ports, state)))
    active = [job for job in listed if job.is_active]
    oldest = min((job.created_at for job in active), default=ports.now() - CLOCK_SKEW)
    seconds = typical_seconds(listed) or state.job_seconds
    state = state.model_copy(update={"active_since": oldest, "job_seconds": seconds})
    # A job keeps a launched server until its last one is done.
    busy = {part.source_server_id for job in active for part in job.participating_servers}
    idle = [wait for wait in waits if wait.source_server_id not in busy]
    return state, room(listed, state.recent, now=ports.now()), idle


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
