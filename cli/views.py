"""What a person sees of migrations: models in, listings and texts out; nothing here speaks to AWS."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from cli.output import broken, words
from cli.sent import Migration, OnItsWay
from cli.standings import STANDINGS, S, has_ended, standing, standing_text
from cli.tables import Column, Listing
from cli.times import PhaseTime, duration, estimated_end, phases, time_taken
from runtime.models.record import JournalEntry, MigrationRecord, Rejection
from runtime.models.status import MigrationStatus

BAR = 24
COLUMNS = (
    Column("Migration"),
    Column("Server", goes=3),
    Column("App", goes=6),
    Column("Wave", goes=4),
    Column("Target", goes=5),
    Column("Status"),
    Column("Time", right=True),
    Column("Queue", goes=1),
    Column("Reason", goes=2, words=True),
)


def listing(
    migrations: Iterable[Migration],
    journals: Mapping[str, Sequence[JournalEntry]] | None = None,
    queued: Mapping[str, str] | None = None,
    *,
    now: datetime,
) -> Listing:
    """A row for each migration, in the order given; `journals` give the time since its last move, `queued` its turn."""
    return Listing(
        COLUMNS,
        [_row(each, (journals or {}).get(each.migration_id, ()), queued or {}, now) for each in migrations],
    )


def phases_listing(records: Iterable[MigrationRecord], journals: Mapping[str, Sequence[JournalEntry]]) -> Listing:
    """How long each migration was in each status that any of them was in."""
    rows = [(record, phases(journals.get(record.migration_id, ()))) for record in records]
    seen = [status for status in MigrationStatus if any(status is time.status for _, times in rows for time in times)]
    columns = [
        Column("Migration"),
        Column("Server", goes=99),
        Column("Status"),
        *(Column(_in_words(status), goes=1 + n, right=True) for n, status in enumerate(seen)),
    ]
    return Listing(
        columns,
        [
            [
                words(record.migration_id),
                words(record.request.source_vm_id, style="dim"),
                standing_text(standing(record)),
                *(Text(_spent(times, status)) for status in seen),
            ]
            for record, times in rows
        ],
    )


def target(record: MigrationRecord) -> str:
    """The account and Region a request named, together with what it left out once that is known; else nothing."""
    request = record.request
    named = [part for part in (request.target_account, request.target_region) if part]
    return f"{record.scope.account} {record.scope.region}" if named and record.scope else " ".join(named)


def summary(migrations: Iterable[Migration]) -> Text:
    """One line that counts migrations by how they stand, in the order they move."""
    counts = Counter(map(standing, migrations))
    line = Text(in_number(counts.total(), "migration"))
    for name in STANDINGS:
        if counts[name]:
            line.append(" · ", style="dim").append(f"{counts[name]} ").append(standing_text(name))
    return line


def advance(migrations: Sequence[Migration], *, now: datetime) -> Text | None:
    """A bar of how many have ended, and about when the others will; None when all have."""
    ended = sum(map(has_ended, migrations))
    if ended == len(migrations):
        return None
    filled = BAR * ended // len(migrations)
    line = Text().append("█" * filled, style="green").append("░" * (BAR - filled), style="dim")
    line.append(f" {ended} of {len(migrations)} ended")
    waiting = sum(standing(each) in (S.AWAITING_APPROVAL, S.AWAITING_WINDOW) for each in migrations)
    if (end := estimated_end(migrations, now=now)) is not None:
        others = f", besides {waiting} that {'waits' if waiting == 1 else 'wait'}" if waiting else ""
        line.append(f", the last in about {duration(max((end - now).total_seconds(), 60))}{others}")
    elif waiting:
        line.append(f", {waiting} {'waits' if waiting == 1 else 'wait'} for a person or a window")
    return line


def live_view(
    migrations: Sequence[Migration],
    journals: Mapping[str, Sequence[JournalEntry]] | None = None,
    rejected: Iterable[Rejection] = (),
    *,
    now: datetime,
    lines: int,
    width: int,
    first: int = 0,
) -> RenderableType:
    """Migrations on a screen of this size, from the `first` row on, under the requests that were rejected."""
    head: list[RenderableType] = [*broken(summary(migrations), width)]
    for one in rejected:
        line = words(f"rejected: {one.migration_id or one.message_id}: {one.reason}", style="red")
        head.append(_cropped(line, width))
    if (bar := advance(migrations, now=now)) is not None:
        head.append(_cropped(bar, width))
    del head[max(lines // 2, 2) :]
    # Around the rows: what stands above, a blank line, the header and how many more there are.
    room = max(lines - len(head) - 3, 1)
    first = max(min(first, len(migrations) - room), 0)
    shown = migrations[first : first + room]
    table = listing(shown, journals, now=now).table(width, whole=False)
    hidden = len(migrations) - len(shown)
    rest = f"{first + 1} to {first + len(shown)} of {len(migrations)}; arrows scroll, s sorts, q leaves"
    return Group(*head, "", table, *([Text(rest[:width], style="dim")] if hidden else []))


def in_number(count: int, thing: str) -> str:
    """1 request, 2 requests."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _row(
    migration: Migration, journal: Sequence[JournalEntry], queued: Mapping[str, str], now: datetime
) -> Sequence[Text]:
    if isinstance(migration, OnItsWay):
        server, app, wave, place = migration.source_vm_id, migration.app_name, migration.wave, ""
        spent = (now - migration.at).total_seconds()
        reason = "sent, neither accepted nor rejected yet"
    else:
        request = migration.request
        server, app, wave, place = request.source_vm_id, request.app_name, request.wave, target(migration)
        spent, reason = time_taken(migration, journal, now), migration.reason
    return [
        words(migration.migration_id),
        words(server, style="dim"),
        words(app),
        words(wave),
        words(place),
        standing_text(standing(migration)),
        Text(duration(spent)),
        Text(queued.get(migration.migration_id, "")),
        words(reason),
    ]


def _cropped(text: Text, width: int) -> Text:
    cropped = text.copy()
    cropped.truncate(width, overflow="ellipsis")
    cropped.no_wrap = True
    return cropped


def _in_words(status: MigrationStatus) -> str:
    return status.capitalize().replace("_", " ")


def _spent(times: Iterable[PhaseTime], status: MigrationStatus) -> str:
    found = [time.seconds for time in times if time.status is status]
    return duration(sum(found)) if found else ""
