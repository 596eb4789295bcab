"""One migration with its journal, stored rejections, and lines of a log; like `views`, models in and listings out."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from rich.text import Text

from cli.output import plain, words
from cli.sent import OnItsWay
from cli.standings import S, standing, standing_text
from cli.tables import Column, Listing
from cli.times import duration, phases
from cli.views import target
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.record import JournalEntry, Launch, MigrationRecord, Rejection
from runtime.models.request import Gate

Facts: TypeAlias = list[tuple[str, Text]]
"""Names and values, in the order they are shown."""

LONGEST_EXCERPT = 200
AT = Column("At")
WHY = Column("Why", words=True)


def facts(
    record: MigrationRecord, journal: Sequence[JournalEntry], queued: str | None = None, *, now: datetime
) -> Facts:
    """What one migration is about, and what to do next."""
    request = record.request
    ended = record.updated_at if record.status.is_terminal else now
    rows: list[tuple[str, str | Text | None]] = [
        ("Migration", record.migration_id),
        ("Status", standing_text(standing(record))),
        ("Queue", queued),
        ("Reason", record.reason),
        ("Failure", record.failure if record.failure != record.reason else None),
        ("Next", next_step(record, journal)),
        ("Gates", ", ".join(record.gates)),
        ("Retry of", request.retry_of),
        ("Requested by", record.requester),
        ("Application", f"{request.app_name}, {request.environment}, wave {request.wave}"),
        ("Source", f"{request.source_vm_id} on {request.source}"),
        ("Target", target(record)),
        ("Window", _window(record)),
        ("MGN server", record.source_server_id),
        ("Test launch", _launch(record.test_launch)),
        ("Cutover launch", _launch(record.cutover_launch)),
        ("Correlation", record.correlation_id),
        ("Execution", record.execution),
        ("Accepted", f"{moment(record.created_at)}, {duration((ended - record.created_at).total_seconds())} in all"),
    ]
    return _pairs(rows)


def facts_of_sent(sent: OnItsWay, now: datetime) -> Facts:
    """A request that nobody has answered yet."""
    return _pairs(
        [
            ("Migration", sent.migration_id),
            ("Status", standing_text(standing(sent))),
            ("Reason", f"sent {duration((now - sent.at).total_seconds())} ago, neither accepted nor rejected yet"),
            ("Next", f"migrate watch {sent.migration_id}"),
            ("Application", f"{sent.app_name}, wave {sent.wave}"),
            ("Source", sent.source_vm_id),
        ]
    )


def timeline(journal: Sequence[JournalEntry], now: datetime) -> Listing:
    """The journal, with the time each status took."""
    times = iter(phases(journal, now))
    rows = []
    for entry in journal:
        status = standing_text(entry.to_status) if entry.changes_status else Text()
        took = next(times).seconds if entry.changes_status and not entry.to_status.is_terminal else None
        spent = Text("" if took is None else duration(took))
        rows.append([Text(moment(entry.at)), status, spent, words(entry.actor), words(entry.reason)])
    return Listing([AT, Column("Status"), Column("Took", right=True), Column("By", goes=1), WHY], rows)


def decisions_listing(decisions: Sequence[Signal]) -> Listing:
    """What people decided, and what was refused."""
    rows = []
    for each in decisions:
        what = f"{each.decision} {each.gate}" if each.gate else f"{each.decision}"
        why = f"refused: {each.why}" if isinstance(each, RefusedDecision) else each.reason
        rows.append([Text(moment(each.at)), Text(what), words(each.who), words(why)])
    return Listing([AT, Column("Decision"), Column("By", words=True), WHY], rows)


def rejections_listing(rejections: Iterable[Rejection]) -> Listing:
    """Messages that could not become migrations, and why."""
    columns = [
        AT,
        Column("Migration"),
        Column("Message", goes=2),
        Column("Reason", words=True),
        Column("Body", words=True, goes=1),
    ]
    return Listing(
        columns,
        [
            [
                Text(moment(each.at)),
                words(each.migration_id or "no id"),
                words(each.message_id, style="dim"),
                words(each.reason),
                words(each.body_excerpt[:LONGEST_EXCERPT], style="dim"),
            ]
            for each in rejections
        ],
    )


def next_step(record: MigrationRecord, journal: Sequence[JournalEntry]) -> str | None:
    """The command that a person may want now."""
    name = record.migration_id
    match standing(record):
        case S.AWAITING_APPROVAL:
            gate = Gate.FINALIZE if record.cutover_launch else Gate.CUTOVER
            until = _asked_at(record, journal) + timedelta(seconds=record.request.approval.timeout_seconds)
            return (
                f'migrate approve {name} --gate {gate} --reason "…", or reject; by {moment(until)}, '
                "else it is rolled back"
            )
        case S.FROZEN:
            return f'bring the server in order, then migrate release {name} --reason "…"'
        case S.ROLLED_BACK | S.REJECTED | S.CANCELLED | "RELEASED":
            return f"migrate retry {name}, once what failed is mended"
        case S.COMPLETED:
            return None
    return f"migrate watch {name}"


def change_line(entry: JournalEntry) -> str:
    """A journal entry as one line of a log."""
    change = f"{entry.from_status} -> {entry.to_status}" if entry.from_status else entry.to_status
    return f"{moment(entry.at)}\t{entry.migration_id}\t{change}\t{plain(entry.reason)}".rstrip()


def rejection_line(rejection: Rejection) -> str:
    """A rejection as one line of a log."""
    name = rejection.migration_id or rejection.message_id
    return f"{moment(rejection.at)}\t{plain(name)}\trejected\t{plain(rejection.reason)}"


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _pairs(rows: Iterable[tuple[str, str | Text | None]]) -> Facts:
    return [(name, value if isinstance(value, Text) else words(value)) for name, value in rows if value]


def _asked_at(record: MigrationRecord, journal: Sequence[JournalEntry]) -> datetime:
    """When it came to wait for the approval it waits for."""
    moves = [entry.at for entry in journal if entry.changes_status and entry.to_status is record.status]
    return moves[-1] if moves else record.updated_at


def _window(record: MigrationRecord) -> str | None:
    window = record.request.window
    if window is not None:
        return f"{moment(window.not_before)} to {moment(window.not_after)}"
    return "none: it waits until MGN can launch the server" if record.status is S.AWAITING_WINDOW else None


def _launch(launch: Launch | None) -> str | None:
    if launch is None:
        return None
    known = [launch.job_id, launch.instance_id, "verified" if launch.verified else None]
    return ", ".join(part for part in known if part)
