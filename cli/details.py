"""One migration with its journal, stored rejections, and lines of a log; like `views`, models in and text out."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import plain, words
from cli.views import WIDE_REASON, duration, open_table, phases, status_text, target
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.record import JournalEntry, Launch, MigrationRecord, Rejection

LONGEST_EXCERPT = 200


def migration_details(
    record: MigrationRecord,
    journal: Sequence[JournalEntry],
    queued: str | None = None,
    *,
    decisions: Sequence[Signal] = (),
    now: datetime,
) -> RenderableType:
    """One migration: what it is about, its journal with the time each status took, and what was decided."""
    decided: list[RenderableType] = ["", _decisions(decisions)] if decisions else []
    return Group(_facts(record, queued, now), "", _timeline(journal, now), *decided)


def rejections_table(rejections: Iterable[Rejection]) -> Table:
    """Messages that could not become migrations, and why."""
    table = open_table()
    table.add_column("At", no_wrap=True)
    table.add_column("Migration, message", overflow="fold", max_width=24)
    table.add_column("Reason, message body", overflow="fold", min_width=WIDE_REASON)
    for rejection in rejections:
        excerpt = words(rejection.body_excerpt[:LONGEST_EXCERPT], style="dim")
        name = (
            words(rejection.migration_id or "no id").append("\n").append_text(words(rejection.message_id, style="dim"))
        )
        table.add_row(_moment(rejection.at), name, Text("\n").join([words(rejection.reason), excerpt]))
    return table


def change_line(entry: JournalEntry) -> str:
    """A journal entry as one line of a log."""
    change = f"{entry.from_status} -> {entry.to_status}" if entry.from_status else entry.to_status
    return f"{_moment(entry.at)}  {entry.migration_id}  {change}  {plain(entry.reason)}".rstrip()


def rejection_line(rejection: Rejection) -> str:
    """A rejection as one line of a log."""
    name = rejection.migration_id or rejection.message_id
    return f"{_moment(rejection.at)}  {plain(name)}  rejected message  {plain(rejection.reason)}"


def _facts(record: MigrationRecord, queued: str | None, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    request = record.request
    ended = record.updated_at if record.status.is_terminal else now
    rows: list[tuple[str, str | Text | None]] = [
        ("Migration", record.migration_id),
        ("Status", status_text(record.status)),
        ("Queue", queued),
        ("Reason", record.reason),
        ("Failure", record.failure),
        ("Gates", ", ".join(record.gates)),
        ("Requested by", record.requester),
        ("Application", f"{request.app_name}, {request.environment}, wave {request.wave}"),
        ("Source", f"{request.source_vm_id} on {request.source}"),
        ("Target", target(record)),
        ("MGN server", record.source_server_id),
        ("Test launch", _launch(record.test_launch)),
        ("Cutover launch", _launch(record.cutover_launch)),
        ("Correlation", record.correlation_id),
        ("Execution", record.execution),
        ("Accepted", f"{_moment(record.created_at)}, {duration((ended - record.created_at).total_seconds())} in all"),
    ]
    for name, value in rows:
        if value:
            grid.add_row(name, value if isinstance(value, Text) else words(value))
    return grid


def _launch(launch: Launch | None) -> str | None:
    if launch is None:
        return None
    known = [launch.job_id, launch.instance_id, "verified" if launch.verified else None]
    return ", ".join(part for part in known if part)


def _timeline(journal: Sequence[JournalEntry], now: datetime) -> Table:
    table = open_table()
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
        table.add_row(_moment(entry.at), status, spent, words(entry.actor), words(entry.reason))
    return table


def _decisions(decisions: Sequence[Signal]) -> Table:
    table = open_table()
    table.add_column("At", no_wrap=True)
    table.add_column("Decision", no_wrap=True)
    table.add_column("By", overflow="fold")
    table.add_column("Why", overflow="fold", min_width=WIDE_REASON)
    for each in decisions:
        what = f"{each.decision} {each.gate}" if each.gate else f"{each.decision}"
        why = f"refused: {each.why}" if isinstance(each, RefusedDecision) else each.reason
        table.add_row(_moment(each.at), what, words(each.who), words(why))
    return table


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
