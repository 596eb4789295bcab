"""dispatch_launches: one look at everything that waits in an account and Region, and the launches MGN has room for."""

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
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
from runtime.logic.admission import JOB_HORIZON
from runtime.logic.batching import CLOCK_SKEW, Group, finish, has_job, kind_of, save, start
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.observation import is_launchable, misfit
from runtime.logic.packing import Room, coming, due, in_order, next_batch, room, typical_seconds
from runtime.logic.ports import Ports
from runtime.logic.waiting import conclude, settle
from runtime.models.dispatch import Dispatch
from runtime.models.mgn import Job
from runtime.models.record import LaunchKind, Outcome, Progress, Wait, WaitKind


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
        state = finish(ports, state)
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
    oldest = min((job.created_at for job in active), default=ports.now() - CLOCK_SKEW)
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
            state, started, refused = start(ports, state, group)
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
    own = [job.started_at - CLOCK_SKEW for job in state.recent]
    return min([state.active_since or ports.now() - JOB_HORIZON, *own])


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
    if kind_of(group[0]) is LaunchKind.TERMINATE and isinstance(refused, SourceServerBusyError):
        # The next round of the undo finds out who works on the server.
        outcome = outcome.model_copy(update={"error": None, "progress": Progress.AGAIN})
    return _give_up(ports, state, [(group[0], outcome)]), []


def _give_up(ports: Ports, state: Dispatch, ended: Sequence[tuple[Wait, Outcome]]) -> Dispatch:
    """End these waits, unless another dispatcher has launched since the state was read: the change may be its own."""
    if not ended:
        return state
    state = save(ports, state)
    records = ports.store.records_of([wait.migration_id for wait, _ in ended])
    for wait, outcome in ended:
        if not has_job(ports, wait, records.get(wait.migration_id)):
            conclude(ports, wait, outcome)
    return state


def _idle(waits: Group, active: Iterable[Job]) -> list[Wait]:
    """Those whose server no job holds: a job keeps a launched server until its last one is done."""
    busy = {part.source_server_id for job in active for part in job.participating_servers}
    return [wait for wait in waits if wait.source_server_id not in busy]
