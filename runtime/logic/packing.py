"""Which waiting launches go into the next MGN call: pure, so that thousands of arrivals can be tried."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import NamedTuple

from runtime.models.dispatch import StartedJob
from runtime.models.mgn import Job
from runtime.models.record import LaunchIntent, LaunchKind, Wait

# https://docs.aws.amazon.com/general/latest/gr/mgn.html, per account and Region; none of them can be raised.
ACTIVE_JOBS = 20
SERVERS_PER_JOB = 200
SERVERS_IN_ACTIVE_JOBS = 200

VISIBLE_AFTER = timedelta(minutes=5)
"""A job of ours that DescribeJobs has not shown for this long is counted no more."""

URGENT = timedelta(minutes=10)
"""A launch whose window closes within this gathers no company."""

# An undo frees instances and people, a cutover has a window; a test can wait.
_RANK = {LaunchKind.TERMINATE: 0, LaunchKind.CUTOVER: 1, LaunchKind.TEST: 2}
_NEVER = datetime.max.replace(tzinfo=UTC)


class Room(NamedTuple):
    """What MGN's quotas leave."""

    jobs: int
    servers: int

    @property
    def is_full(self) -> bool:
        return self.jobs < 1 or self.servers < 1


def room(jobs: Sequence[Job], recent: Iterable[StartedJob], *, now: datetime) -> Room:
    """What is left beside all active ones of the jobs MGN shows, whoever started them, and ours not shown yet."""
    active, shown = [job for job in jobs if job.is_active], {job.job_id for job in jobs}
    unseen = [job for job in recent if job.job_id not in shown and now - job.started_at < VISIBLE_AFTER]
    servers = sum(len(job.participating_servers) for job in active) + sum(job.servers for job in unseen)
    return Room(ACTIVE_JOBS - len(active) - len(unseen), SERVERS_IN_ACTIVE_JOBS - servers)


def in_order(waiting: Iterable[Wait]) -> list[Wait]:
    """Undo first, then the window that closes first; between equals each wave in turn, and first come first served."""
    turns: Counter[tuple[LaunchKind, str]] = Counter()
    ranked = []
    for wait in sorted(waiting, key=lambda wait: (wait.parked_at, wait.migration_id)):
        intent = asked(wait)
        turn = turns[intent.kind, intent.wave]
        turns[intent.kind, intent.wave] += 1
        ranked.append(((_RANK[intent.kind], intent.not_after or _NEVER, turn, wait.parked_at), wait))
    return [wait for _, wait in sorted(ranked, key=lambda pair: pair[0])]


def next_batch(waiting: Sequence[Wait], left: Room, *, now: datetime, gather: float) -> tuple[Wait, ...]:
    """The launches of one call, most urgent first; empty when there is no room or all still gather company."""
    if left.is_full:
        return ()
    for kind in dict.fromkeys(asked(wait).kind for wait in waiting):
        alike = [wait for wait in waiting if asked(wait).kind is kind]
        batch = tuple(alike[: min(left.servers, SERVERS_PER_JOB)])
        if len(batch) == left.servers or min(due(wait, left, gather=gather) for wait in alike) <= now:
            return batch
    return ()


def due(wait: Wait, left: Room, *, gather: float) -> datetime:
    """When a launch has gathered long enough. The scarcer the jobs, the longer: each has to hold more servers."""
    intent = asked(wait)
    gathered = wait.parked_at + timedelta(seconds=gather * ACTIVE_JOBS / max(left.jobs, 1))
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
