"""Which waiting launches go into the next MGN call: pure, so that thousands of arrivals can be tried."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import median
from typing import NamedTuple

from runtime.models.dispatch import StartedJob
from runtime.models.mgn import Job
from runtime.models.record import LaunchIntent, LaunchKind, Wait, WaitKind
from runtime.models.request import Phase

# https://docs.aws.amazon.com/general/latest/gr/mgn.html, per account and Region; none of them can be raised.
ACTIVE_JOBS = 20
SERVERS_PER_JOB = 200
SERVERS_IN_ACTIVE_JOBS = 200

VISIBLE_AFTER = timedelta(minutes=5)
"""A job of ours that DescribeJobs has not shown for this long is counted no more."""

URGENT = timedelta(minutes=10)
"""A launch whose window closes within this gathers no company."""

ARRIVAL = timedelta(minutes=1)
"""Who waits longer for its replication is not about to ask for a launch: a first sync takes days."""

# An undo frees instances and people, a cutover has a window; a test can wait.
_RANK = {LaunchKind.TERMINATE: 0, LaunchKind.CUTOVER: 1, LaunchKind.TEST: 2}
# While these know a job, it goes on: a booted server waits for its end.
_HOLDS_ROOM = (WaitKind.LAUNCH, WaitKind.BOOT, WaitKind.UNDO)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Room(NamedTuple):
    """What MGN's quotas leave, and how many more launches are about to ask for it."""

    jobs: int
    servers: int
    coming: int = 0

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
    return Room(ACTIVE_JOBS - len(active) - len(unseen), SERVERS_IN_ACTIVE_JOBS - servers)


def in_order(waiting: Iterable[Wait]) -> list[Wait]:
    """Undo first, then the window that closes first; between equals each wave in turn, and first come first served."""
    turns: Counter[LaunchIntent] = Counter()
    ranked = []
    for wait in sorted(waiting, key=lambda wait: (wait.parked_at, wait.migration_id)):
        intent = asked(wait)
        turn = turns[intent]
        turns[intent] += 1
        ranked.append(((_RANK[intent.kind], intent.not_after or _NEVER, turn, wait.parked_at), wait))
    return [wait for _, wait in sorted(ranked, key=lambda pair: pair[0])]


def places(waits: Iterable[Wait], job_seconds: float | None) -> dict[str, Place]:
    """The place of each migration that waits for a launch, from all open waits of an account and Region.

    MGN's servers come and go by whole jobs: whoever has n times its room ahead starts when n jobs have ended.
    """
    open_waits = tuple(waits)
    held = {w.source_server_id for w in open_waits if w.job_id and w.kind in _HOLDS_ROOM and w.outcome is None}
    found: dict[str, Place] = {}
    for ahead, wait in enumerate(in_order(wait for wait in open_waits if wait.asks_for_launch)):
        jobs = (len(held) + ahead) // SERVERS_IN_ACTIVE_JOBS
        found.setdefault(wait.migration_id, Place(ahead + 1, None if job_seconds is None else jobs * job_seconds))
    return found


def coming(waits: Iterable[Wait], *, now: datetime) -> int:
    """How many of these waits end in a launch before long: tests that boot, and servers just found launchable."""
    return sum(
        (wait.kind is WaitKind.BOOT and wait.phase is Phase.TEST)
        or (wait.kind is WaitKind.REPLICATION and now - wait.parked_at < ARRIVAL)
        for wait in waits
    )


def next_batch(waiting: Sequence[Wait], left: Room, *, now: datetime, gather: float) -> tuple[Wait, ...]:
    """The launches of one call, from those that wait in order; empty when there is no room or they gather company.

    They leave once a job for as many would serve all who wait and come: a lone launch at once, a wave in as few jobs
    as MGN has left. The most urgent kind leaves first: a test never takes the place of an undo.
    """
    if left.is_full or not waiting:
        return ()
    share = ceil((len(waiting) + left.coming) / left.jobs)
    if len(waiting) < min(share, left.servers) and min(due(wait, gather=gather) for wait in waiting) > now:
        return ()
    alike = [wait for wait in waiting if asked(wait).kind is asked(waiting[0]).kind]
    return tuple(alike[: min(left.servers, SERVERS_PER_JOB)])


def due(wait: Wait, *, gather: float) -> datetime:
    """When a launch has waited for company long enough."""
    intent = asked(wait)
    gathered = wait.parked_at + timedelta(seconds=gather)
    return min(gathered, intent.not_after - URGENT) if intent.not_after else gathered


def asked(wait: Wait) -> LaunchIntent:
    """What the wait asks the dispatcher for; raises ValueError when it asks for nothing."""
    if wait.intent is None:
        raise ValueError(f"{wait.migration_id}: the wait {wait.name} asks for no launch")
    return wait.intent


def typical_seconds(jobs: Iterable[Job]) -> float | None:
    """The median time MGN took for a launch job that ended; None without any."""
    ended = [job.seconds for job in jobs if job.seconds is not None and job.type == "LAUNCH"]
    return median(ended) if ended else None
