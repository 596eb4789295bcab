"""What a person sees of migrations: models in, rich renderables out; nothing here speaks to AWS."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runtime.models.base import Moment, Payload
from runtime.models.record import JournalEntry, Launch, MigrationRecord, Rejection
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
LONGEST_EXCERPT = 200
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


def plain(text: str) -> str:
    """Text of others made harmless: no escape sequence or control character reaches the terminal."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


def text(value: str, style: str = "") -> Text:
    """Text of others as it stands: harmless, and its brackets no markup."""
    return Text(plain(value), style=style)


def status_text(status: MigrationStatus) -> Text:
    return Text(status, style=STYLES.get(status, AT_WORK), no_wrap=True)


def migrations_table(
    records: Iterable[MigrationRecord],
    journals: Mapping[str, Sequence[JournalEntry]] | None = None,
    *,
    now: datetime,
    one_line: bool = False,
) -> Table:
    """Migrations in the order given; with `journals`, the time each spent in each status.

    `one_line` cuts each row to a line, for a view that must fit the screen; else the server stands below the id, and
    long reasons wrap.
    """
    table = _table()
    table.add_column("Migration", overflow="fold", min_width=9)
    if one_line:
        table.add_column("Server")
    table.add_column("App", overflow="fold")
    table.add_column("Wave", overflow="fold", max_width=10)
    table.add_column("Status", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)
    table.add_column("Reason", overflow="fold", min_width=20 if one_line else WIDE_REASON)
    for record in records:
        request = record.request
        journal = () if journals is None else journals.get(record.migration_id, ())
        name = [text(record.migration_id), text(request.source_vm_id, style="dim")]
        cells = [
            *(name if one_line else [Text("\n").join(name)]),
            text(request.app_name),
            text(request.wave),
            status_text(record.status),
            Text(duration(_time(record, journal, now))),
            _reason(record, [] if one_line else phases(journal, now)),
        ]
        for cell in cells:
            cell.no_wrap, cell.overflow = (True, "ellipsis") if one_line else (None, None)
        table.add_row(*cells)
    return table


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
    room = max(lines - 4, 1)
    left_out = max(len(records) - room, 0)
    shown = sorted(records, key=lambda record: record.status.is_terminal)[:room] if left_out else records
    rest = [Text(f"and {left_out} more", style="dim")] if left_out else []
    return Group(summary(records), "", migrations_table(shown, journals, now=now, one_line=True), *rest)


def migration_details(record: MigrationRecord, journal: Sequence[JournalEntry], *, now: datetime) -> RenderableType:
    """One migration: what it is about, and its journal with the time each status took."""
    return Group(_facts(record, now), "", _timeline(journal, now))


def rejections_table(rejections: Iterable[Rejection]) -> Table:
    """Messages that could not become migrations, and why."""
    table = _table()
    table.add_column("At", no_wrap=True)
    table.add_column("Migration, message", overflow="fold", max_width=24)
    table.add_column("Reason, message body", overflow="fold", min_width=WIDE_REASON)
    for rejection in rejections:
        excerpt = text(rejection.body_excerpt[:LONGEST_EXCERPT], style="dim")
        name = text(rejection.migration_id or "no id").append("\n").append_text(text(rejection.message_id, style="dim"))
        table.add_row(_moment(rejection.at), name, Text("\n").join([text(rejection.reason), excerpt]))
    return table


def change_line(entry: JournalEntry) -> str:
    """A journal entry as one line of a log."""
    change = f"{entry.from_status} -> {entry.to_status}" if entry.from_status else entry.to_status
    return f"{_moment(entry.at)}  {entry.migration_id}  {change}  {plain(entry.reason)}".rstrip()


def rejection_line(rejection: Rejection) -> str:
    """A rejection as one line of a log."""
    name = rejection.migration_id or rejection.message_id
    return f"{_moment(rejection.at)}  {plain(name)}  rejected message  {plain(rejection.reason)}"


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _facts(record: MigrationRecord, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    request = record.request
    ended = record.updated_at if record.status.is_terminal else now
    rows: list[tuple[str, str | Text | None]] = [
        ("Migration", record.migration_id),
        ("Status", status_text(record.status)),
        ("Reason", record.reason),
        ("Failure", record.failure),
        ("Application", f"{request.app_name}, {request.environment}, wave {request.wave}"),
        ("Source", f"{request.source_vm_id} on {request.source}"),
        ("MGN server", record.source_server_id),
        ("Test launch", _launch(record.test_launch)),
        ("Cutover launch", _launch(record.cutover_launch)),
        ("Correlation", record.correlation_id),
        ("Execution", record.execution),
        ("Accepted", f"{_moment(record.created_at)}, {duration((ended - record.created_at).total_seconds())} in all"),
    ]
    for name, value in rows:
        if value:
            grid.add_row(name, value if isinstance(value, Text) else text(value))
    return grid


def _launch(launch: Launch | None) -> str | None:
    if launch is None:
        return None
    known = [launch.job_id or "not started", launch.instance_id, "verified" if launch.verified else None]
    return ", ".join(part for part in known if part)


def _timeline(journal: Sequence[JournalEntry], now: datetime) -> Table:
    table = _table()
    table.add_column("At", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Took", justify="right", no_wrap=True)
    table.add_column("By", overflow="fold")
    table.add_column("Why", overflow="fold", min_width=WIDE_REASON)
    times = iter(phases(journal, now))
    for entry in journal:
        status = status_text(entry.to_status) if entry.changes_status else Text()
        took = next(times).seconds if entry.changes_status and not entry.to_status.is_terminal else None
        spent = "" if took is None else duration(took)
        table.add_row(_moment(entry.at), status, spent, text(entry.actor), text(entry.reason))
    return table


def _time(record: MigrationRecord, journal: Sequence[JournalEntry], now: datetime) -> float:
    """The time in its status, without a journal since its last entry; of one that ended the whole time it took."""
    if record.status.is_terminal:
        return (record.updated_at - record.created_at).total_seconds()
    times = phases(journal, now)
    return times[-1].seconds if times else (now - record.updated_at).total_seconds()


def _reason(record: MigrationRecord, times: Sequence[PhaseTime]) -> Text:
    reason = text(record.reason)
    if times:
        spent = " · ".join(f"{phase.status.lower().replace('_', ' ')} {duration(phase.seconds)}" for phase in times)
        reason.append("\n" if record.reason else "").append(spent, style="dim")
    return reason


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
