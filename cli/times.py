"""How long migrations took, and about how long the others will."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from statistics import median

from cli.sent import Migration
from runtime.models.base import Moment, Payload
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.models.status import MigrationStatus

S = MigrationStatus
ENOUGH_TO_ESTIMATE = 3


class PhaseTime(Payload):
    """How long a migration was in one status; without an end it still is."""

    status: MigrationStatus
    started: Moment
    ended: Moment | None = None
    seconds: float


def phases(journal: Iterable[JournalEntry], now: datetime | None = None) -> list[PhaseTime]:
    """The statuses a migration went through, in order; the last of one under way counts until `now`, else 0.

    The end itself takes no time and is none of them.
    """
    moves = [entry for entry in journal if entry.changes_status]
    times = []
    for move, following in zip_longest(moves, moves[1:]):
        if not move.to_status.is_terminal:
            ended = following.at if following else None
            seconds = ((ended or now or move.at) - move.at).total_seconds()
            times.append(
                PhaseTime(status=move.to_status, started=move.at, ended=ended, seconds=round(max(seconds, 0.0), 3))
            )
    return times


def duration(seconds: float) -> str:
    """0.4s, 12s, 3m05s, 2h10m, 3d04h."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3_600:02}h"


def estimated_end(migrations: Iterable[Migration], *, now: datetime) -> datetime | None:
    """When the last of those at work will have ended, going by those of them that COMPLETED; None without enough.

    What waits for a person or a window ends when it is let go on, so it is left out.
    """
    records = [each for each in migrations if isinstance(each, MigrationRecord)]
    took = [record.updated_at - record.created_at for record in records if record.status is S.COMPLETED]
    at_work = [
        record
        for record in records
        if not record.status.is_terminal and record.status not in (S.AWAITING_APPROVAL, S.AWAITING_WINDOW)
    ]
    if len(took) < ENOUGH_TO_ESTIMATE or not at_work:
        return None
    usual = timedelta(seconds=median(each.total_seconds() for each in took))
    return max(max(record.created_at + usual for record in at_work), now)


def time_taken(record: MigrationRecord, journal: Sequence[JournalEntry], now: datetime) -> float:
    """The time in its status, without a journal since its last entry; of one that ended the whole time it took."""
    if record.status.is_terminal:
        return (record.updated_at - record.created_at).total_seconds()
    times = phases(journal, now)
    return times[-1].seconds if times else (now - record.updated_at).total_seconds()
