"""What a person sees of migrations: models in, rich renderables out; nothing here speaks to AWS."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import words
from runtime.models.base import Moment, Payload
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.models.status import MigrationStatus

S = MigrationStatus
STYLES = {
    S.RECEIVED: "dim",
    S.AWAITING_APPROVAL: "bold yellow",
    S.AWAITING_WINDOW: "yellow",
    S.ROLLING_BACK: "magenta",
    S.COMPLETED: "green",
    S.REJECTED: "red",
    S.ROLLED_BACK: "red",
    S.CANCELLED: "magenta",
    S.FROZEN: "bold white on red",
}
"""How a status looks; the others are at work and look alike."""

AT_WORK = "cyan"
WIDE_REASON = 34


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


def status_text(status: MigrationStatus) -> Text:
    return Text(status, style=STYLES.get(status, AT_WORK), no_wrap=True)


def open_table() -> Table:
    """A table without lines, for which terminals are too narrow."""
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def migrations_table(
    records: Iterable[MigrationRecord],
    journals: Mapping[str, Sequence[JournalEntry]] | None = None,
    queued: Mapping[str, str] | None = None,
    *,
    now: datetime,
    one_line: bool = False,
) -> Table:
    """Migrations in the order given; with `journals`, the time each spent in each status; `queued` is by id, too.

    `one_line` cuts each row to a line, for a view that must fit the screen; else the server stands below the id, and
    long reasons wrap. Targets are shown when some request named one, the queue when something waits in it.
    """
    records = tuple(records)
    queued = {} if queued is None else {r.migration_id: queued.get(r.migration_id, "") for r in records}
    with_queue = any(queued.values())
    with_targets = any(target(record) for record in records)
    table = open_table()
    table.add_column("Migration", overflow="fold", min_width=9)
    if one_line:
        table.add_column("Server")
    table.add_column("App", overflow="fold")
    table.add_column("Wave", overflow="fold", max_width=10)
    if with_targets:
        table.add_column("Target", overflow="fold", min_width=12)
    table.add_column("Status", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)
    if with_queue:
        table.add_column("Queue", overflow="fold", min_width=12)
    table.add_column("Reason", overflow="fold", min_width=20 if one_line else WIDE_REASON)
    for record in records:
        request = record.request
        journal = () if journals is None else journals.get(record.migration_id, ())
        name = [words(record.migration_id), words(request.source_vm_id, style="dim")]
        cells = [
            *(name if one_line else [Text("\n").join(name)]),
            words(request.app_name),
            words(request.wave),
            *([words(target(record))] if with_targets else []),
            status_text(record.status),
            Text(duration(_time(record, journal, now))),
            *([Text(queued[record.migration_id])] if with_queue else []),
            _reason(record, [] if one_line else phases(journal, now)),
        ]
        for cell in cells:
            cell.no_wrap, cell.overflow = (True, "ellipsis") if one_line else (None, None)
        table.add_row(*cells)
    return table


def target(record: MigrationRecord) -> str:
    """The account and Region a request named, together with what it left out once that is known; else nothing."""
    request = record.request
    named = [part for part in (request.target_account, request.target_region) if part]
    return f"{record.scope.account} {record.scope.region}" if named and record.scope else " ".join(named)


def summary(records: Iterable[MigrationRecord]) -> Text:
    """One line that counts migrations by status, in the order they move."""
    counts = Counter(record.status for record in records)
    total = counts.total()
    line = Text(f"{total} migration{'' if total == 1 else 's'}")
    for status in MigrationStatus:
        if counts[status]:
            line.append(" · ", style="dim").append(f"{counts[status]} ").append(status_text(status))
    return line


def live_view(
    records: Sequence[MigrationRecord],
    journals: Mapping[str, Sequence[JournalEntry]] | None = None,
    *,
    now: datetime,
    lines: int,
) -> RenderableType:
    """Migrations on a screen of `lines`: when there are too many, those under way come first."""
    # Around the rows: a summary of up to two lines, a blank one, the header and how many more there are.
    room = max(lines - 5, 1)
    left_out = max(len(records) - room, 0)
    shown = sorted(records, key=lambda record: record.status.is_terminal)[:room] if left_out else records
    rest = [Text(f"and {left_out} more", style="dim")] if left_out else []
    return Group(summary(records), "", migrations_table(shown, journals, now=now, one_line=True), *rest)


def _time(record: MigrationRecord, journal: Sequence[JournalEntry], now: datetime) -> float:
    """The time in its status, without a journal since its last entry; of one that ended the whole time it took."""
    if record.status.is_terminal:
        return (record.updated_at - record.created_at).total_seconds()
    times = phases(journal, now)
    return times[-1].seconds if times else (now - record.updated_at).total_seconds()


def _reason(record: MigrationRecord, times: Sequence[PhaseTime]) -> Text:
    reason = words(record.reason)
    if times:
        spent = " · ".join(f"{phase.status.lower().replace('_', ' ')} {duration(phase.seconds)}" for phase in times)
        reason.append("\n" if record.reason else "").append(spent, style="dim")
    return reason
