"""`migrate list`: many migrations at a glance."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.commands.options import AsJson, Form, Output
from cli.completion import application_of, wave_of
from cli.deployed import CONNECTIONS, Deployed
from cli.documents import CSV_COLUMNS, csv_rows, migration_documents
from cli.filters import Filters, takes_filters
from cli.finding import matching, nothing_matched
from cli.output import advise, note, say, say_csv, say_document, say_yaml, show
from cli.queueing import in_words, places_in_queue
from cli.sent import Migration, OnItsWay
from cli.standings import STANDINGS, S, failures_first, standing
from cli.target import Target, takes_target
from cli.views import advance, listing, phases_listing, summary
from runtime.models.record import JournalEntry, MigrationRecord

SORTS: dict[str, Callable[[Migration], Any]] = {
    "failures": failures_first,
    "id": lambda each: each.migration_id,
    "status": lambda each: STANDINGS.index(standing(each)),
    "wave": wave_of,
    "app": application_of,
    "accepted": lambda each: each.at if isinstance(each, OnItsWay) else each.created_at,
    "changed": lambda each: each.at if isinstance(each, OnItsWay) else each.updated_at,
}


WIDER = ": migrate list -o wide has them"


def _sort(text: str) -> str:
    if text.removeprefix("-") not in SORTS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(SORTS)}, nor one of them after a -")
    return text


Sort = Annotated[
    str,
    typer.Option(
        help=f"Order by {', '.join(SORTS)}; -KEY turns it round.",
        metavar="KEY",
        parser=_sort,
        autocompletion=lambda incomplete: [name for name in SORTS if name.startswith(incomplete)],
    ),
]
Phases = Annotated[bool, typer.Option("--phases", help="Show how long each status took.")]


@takes_target
@takes_filters
def list_migrations(
    target: Target,
    filters: Filters,
    sort: Sort = "failures",
    output: Output = Form.TABLE,
    phases: Phases = False,
    as_json: AsJson = False,
) -> None:
    """List migrations, those that need a person first.

    Time is the time in the present status, and of a migration that ended the whole time it took. A request that is
    neither accepted nor rejected yet is SENT; a FROZEN one that a person settled is RELEASED.
    """
    form = Form.JSON if as_json else output
    print_migrations(Deployed(target), filters, sort=sort, form=form, with_phases=phases)


def print_migrations(deployed: Deployed, filters: Filters, *, sort: str, form: Form, with_phases: bool) -> None:
    """Print what fits; raises NothingMatchedError when filters fit nothing."""
    migrations = ordered(matching(deployed, filters), sort)
    journals = _journals(deployed, migrations) if with_phases else None
    now = datetime.now(UTC)
    if form is Form.NAME:
        for each in migrations:
            say(each.migration_id)
    elif form in (Form.TABLE, Form.WIDE):
        _print_table(deployed, migrations, journals, wide=form is Form.WIDE, now=now)
    else:
        places = places_in_queue(deployed.state, _records(migrations))
        found = migration_documents(migrations, places, journals, now=now)
        if form is Form.JSON:
            say_document(found)
        elif form is Form.YAML:
            say_yaml(found)
        else:
            say_csv(CSV_COLUMNS, csv_rows(found))
    if filters and not migrations:
        raise nothing_matched(deployed, filters)


def ordered(migrations: Sequence[Migration], sort: str) -> list[Migration]:
    """The migrations by a key of SORTS, or by its reverse; equal ones by acceptance."""
    by_age = sorted(migrations, key=lambda each: (SORTS["accepted"](each), each.migration_id))
    return sorted(by_age, key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))


def _print_table(
    deployed: Deployed,
    migrations: Sequence[Migration],
    journals: dict[str, Sequence[JournalEntry]] | None,
    *,
    wide: bool,
    now: datetime,
) -> None:
    if journals is not None:
        show(phases_listing(_records(migrations), journals), wide=wide, elsewhere=WIDER)
    elif migrations:
        queued = {id_: in_words(place) for id_, place in places_in_queue(deployed.state, _records(migrations)).items()}
        show(listing(migrations, None, queued, now=now), wide=wide, elsewhere=WIDER)
    note(summary(migrations))
    if migrations and (bar := advance(migrations, now=now)) is not None:
        advise(bar)
    if asked := [each.migration_id for each in migrations if standing(each) == S.AWAITING_APPROVAL]:
        advise(f"migrate status {asked[0]} says what is to be approved")
    elif failed := [each.migration_id for each in migrations if standing(each) in (S.FROZEN, S.ROLLED_BACK)]:
        advise(f"migrate status {failed[0]} says why, and what to do")


def _journals(deployed: Deployed, migrations: Sequence[Migration]) -> dict[str, Sequence[JournalEntry]]:
    ids = [record.migration_id for record in _records(migrations)]
    with ThreadPoolExecutor(CONNECTIONS) as readers:
        return dict(zip(ids, readers.map(deployed.state.migrations.journal, ids), strict=True))


def _records(migrations: Sequence[Migration]) -> list[MigrationRecord]:
    return [each for each in migrations if isinstance(each, MigrationRecord)]
