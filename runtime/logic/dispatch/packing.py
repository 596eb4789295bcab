"""Which waiting launches go into the next MGN call: pure, so that thousands of arrivals can be tried."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import NamedTuple
from urllib.parse import quote

from runtime.models.dispatch import VISIBLE_AFTER, Dispatch, StartedJob
from runtime.models.mgn import Job
from runtime.models.record import LaunchKind
from runtime.models.waits import Launching, LaunchIntent, LaunchWait, UndoWait, Wait, queued

# https://docs.aws.amazon.com/general/latest/gr/mgn.html, per account and Region; none of them can be raised.
ACTIVE_JOBS = 20
SERVERS_PER_JOB = 200
SERVERS_IN_ACTIVE_JOBS = 200

URGENT = timedelta(minutes=10)
"""A launch whose window closes within this gathers no company."""

# An undo frees instances and people, a cutover has a window; a test can wait.
_RANK = {LaunchKind.TERMINATE: 0, LaunchKind.CUTOVER: 1, LaunchKind.TEST: 2}
_EVER, _NEVER = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))


class Room(NamedTuple):
    """What MGN's quotas leave, and when the latest of the jobs that hold the rest began."""

    jobs: int
    servers: int
    latest: datetime | None = None

    @property
    def is_full(self) -> bool:
        return self.jobs < 1 or self.servers < 1


class Place(NamedTuple):
    """Where a launch stands in the queue, and about how long it stays there; None while no job has ended yet."""

    number: int
    seconds: float | None


def room(jobs: Sequence[Job], started: Iterable[StartedJob], *, now: datetime) -> Room:
    """What is left beside all active jobs, whoever started them, and ours that MGN does not show yet."""
    active = [job for job in jobs if job.is_active]
    shown = {job.job_id for job in jobs}
    unseen = [job for job in started if job.job_id not in shown and now - job.started_at < VISIBLE_AFTER]
    servers = sum(len(job.participating_servers) for job in active) + sum(job.servers for job in unseen)
    began = [*(job.created_at for job in active), *(job.started_at for job in unseen)]
    return Room(ACTIVE_JOBS - len(active) - len(unseen), SERVERS_IN_ACTIVE_JOBS - servers, max(began, default=None))


def asking(waits: Iterable[Wait]) -> list[Launching]:
    """Those that the dispatcher owes a job."""
    return [wait for wait in waits if isinstance(wait, LaunchWait | UndoWait) and wait.asks_for_launch]


def in_order(waiting: Iterable[Launching]) -> list[Launching]:
    """Undo first, then the window that closes first; between equals each wave in turn, and first come first served."""
    return [wait for wait, _ in queue(waiting, {})[0]]


def queue(
    waiting: Iterable[Launching], turns: Mapping[str, int], head: Iterable[Launching] = ()
) -> tuple[list[tuple[Launching, str]], dict[str, int]]:
    """These waits in order, each with its lane, and the turns after them: the latest of each wave, and the next ones.

    Who stands in the queue keeps its turn. Who comes to it has the turn after the latest of its wave, and none before
    the next one: a wave that comes late neither overtakes the others nor waits for all of them. `head` are those of
    the queue that are known besides.
    """
    known = sorted(waiting, key=lambda wait: (wait.parked_at, wait.migration_id))
    after = dict(turns)
    following: dict[str, int] = {}
    for wait in (*head, *known):
        if wait.turn is not None:
            group, wave = _group(wait.asked), _wave(wait.asked)
            following[group] = min(following.get(group, wait.turn), wait.turn)
            after[wave] = max(after.get(wave, 0), wait.turn)
    after = {wave: turn for wave, turn in after.items() if turn >= following.get(wave.rpartition(" ")[0], 0)}
    after |= following
    ranked = []
    for wait in known:
        intent, turn = wait.asked, wait.turn
        if turn is None:
            wave = _wave(intent)
            turn = after[wave] = max(after.get(wave, -1) + 1, after.get(_group(intent), 0))
        ranked.append(((_RANK[intent.kind], intent.not_after or _NEVER, turn, wait.parked_at), wait))
    ranked.sort(key=lambda pair: pair[0])
    return [(wait, queued(*place)) for place, wait in ranked], after


def _group(intent: LaunchIntent) -> str:
    return f"{intent.kind} {intent.not_after or ''}"


def _wave(intent: LaunchIntent) -> str:
    # A group of these is what stands before the last space, so a wave's own spaces are written otherwise.
    return f"{_group(intent)} {quote(intent.wave)}"


def places(waits: Iterable[Wait], state: Dispatch) -> dict[str, Place]:
    """The place of each migration that waits for a launch, from all open waits of an account and Region.

    MGN's servers come and go by whole jobs: whoever has n times its room ahead starts when n jobs have ended.
    """
    seconds = state.job_seconds
    found: dict[str, Place] = {}
    for ahead, wait in enumerate(in_order(asking(waits))):
        jobs = max((state.active_servers + ahead) // SERVERS_IN_ACTIVE_JOBS, state.active_jobs // ACTIVE_JOBS)
        found.setdefault(wait.migration_id, Place(ahead + 1, None if seconds is None else jobs * seconds))
    return found


def next_batch(waiting: Sequence[Launching], left: Room, *, now: datetime, gather: float) -> tuple[Launching, ...]:
    """The launches of one call, from those that wait in order; empty when there is no room or they gather company.

    Jobs are as scarce as servers: twenty small ones keep most of the servers idle until they end. So those who wait
    leave at once when they are as many as each job left has servers to hold, and else when the next job is due. The
    most urgent kind leaves first: a test never takes the place of an undo.
    """
    if left.is_full or not waiting:
        return ()
    if len(waiting) < left.servers / left.jobs and leaves_at(waiting, left, gather=gather) > now:
        return ()
    alike = [wait for wait in waiting if wait.asked.kind is waiting[0].asked.kind]
    return tuple(alike[: min(left.servers, SERVERS_PER_JOB)])


def leaves_at(waiting: Iterable[Launching], left: Room, *, gather: float) -> datetime:
    """When the next job may begin for however few: the fewer jobs are left, the longer after the one before.

    With half of them left at once, with a quarter `gather` seconds after, with one nine times that. The ten together
    take nineteen times that, about as long as a job: so there is one left for whoever comes.
    """
    pace = timedelta(seconds=gather * max(0, ACTIVE_JOBS // 2 - left.jobs) / left.jobs)
    paced = left.latest + pace if left.latest else _EVER
    ends = [intent.not_after - URGENT for intent in (wait.asked for wait in waiting) if intent.not_after]
    return min([paced, *ends])


def typical_seconds(jobs: Iterable[Job]) -> float | None:
    """The median time MGN took for a launch job that ended; None without any."""
    ended = [job.seconds for job in jobs if job.seconds is not None and job.type == "LAUNCH"]
    return median(ended) if ended else None
