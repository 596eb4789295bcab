"""`migrate status` and `migrate watch`: how migrations stand."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from time import sleep
from typing import Annotated

import typer

from cli.commands.options import Application, AsJson, Interval, Wave
from cli.deployed import Deployed
from cli.details import migration_details, rejections_table
from cli.exits import ExitCode, NotFoundError, UsageError
from cli.following import READERS, Watched, ids_under_way
from cli.output import console, say, say_document
from cli.queueing import in_json, in_words, places_in_queue
from cli.screens import screen
from cli.target import Target, takes_target
from cli.views import migrations_table, phases, summary
from runtime.logic.ports import State
from runtime.models.base import Model
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus

MigrationId = Annotated[str | None, typer.Argument(metavar="[ID]", help="One migration, with its journal.")]
MigrationIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Migrations to follow; else all that have not ended.")
]
Status = Annotated[MigrationStatus | None, typer.Option(help="Only this status.", case_sensitive=False)]
Phases = Annotated[bool, typer.Option("--phases", help="Show how long each status took.")]
Rejections = Annotated[bool, typer.Option("--rejections", help="List messages that could not become migrations.")]
UntilDone = Annotated[bool, typer.Option("--until-done/--forever", help="End when all have ended, or never.")]


@takes_target
def status(
    target: Target,
    migration_id: MigrationId = None,
    wave: Wave = None,
    application: Application = None,
    status: Status = None,
    phases: Phases = False,
    rejections: Rejections = False,
    as_json: AsJson = False,
) -> None:
    """Show all migrations, or one with its journal.

    Time is the time in the present status, and of a migration that ended the whole time it took.
    """
    filters = [wave, application, status]
    if ((migration_id or rejections) and any(filters)) or (migration_id and rejections):
        raise UsageError("an ID, --rejections and the filters --wave, --app and --status exclude each other; name one")
    state: State = Deployed(target).state
    if rejections:
        _show_rejections(state, as_json=as_json)
    elif migration_id:
        _show_one(state, migration_id, as_json=as_json)
    else:
        found = state.migrations.find(status=status, wave=wave, application=application)
        _show_all(state, found, with_phases=phases, as_json=as_json)


@takes_target
def watch(
    target: Target,
    migration_ids: MigrationIds = None,
    wave: Wave = None,
    application: Application = None,
    until_done: UntilDone = True,
    interval: Interval = 1.0,
    as_json: AsJson = False,
) -> None:
    """Follow migrations until all have ended.

    On a terminal the table is live, elsewhere each change is a line. Without an ID, migrations that come are added.
    """
    if migration_ids and (wave or application):
        raise UsageError("an ID and the filters --wave and --app exclude each other; name one")
    state = Deployed(target).state
    watched = Watched(state)
    named = list(dict.fromkeys(migration_ids or []))
    if named:
        watched.look(named)
        missing = [id_ for id_ in named if id_ not in watched.records]
        if missing:
            raise _not_found(missing)
        watched = Watched(state)
    wanted = (lambda: named) if named else (lambda: ids_under_way(state, wave=wave, application=application))
    _follow(watched, wanted, until_done=until_done, interval=interval, as_json=as_json)
    raise typer.Exit(ExitCode.OK if watched.all_completed() else ExitCode.ENDED_BADLY)


def _follow(
    watched: Watched, wanted: Callable[[], list[str]], *, until_done: bool, interval: float, as_json: bool
) -> None:
    with screen(watched, as_json=as_json) as show:
        while True:
            show(watched.look([*watched.records, *(id_ for id_ in wanted() if id_ not in watched.records)]))
            if until_done and all(map(watched.has_ended, watched.records)):
                return
            sleep(interval)


def _show_all(state: State, found: Iterable[MigrationRecord], *, with_phases: bool, as_json: bool) -> None:
    records = sorted(found, key=lambda record: (record.created_at, record.migration_id))
    journals = None
    if with_phases:
        with ThreadPoolExecutor(READERS) as readers:
            ids = [record.migration_id for record in records]
            journals = dict(zip(ids, readers.map(state.migrations.journal, ids), strict=True))
    places = places_in_queue(state, records)
    now = datetime.now(UTC)
    if as_json:
        spent = {} if journals is None else {id_: _plain(phases(journal, now)) for id_, journal in journals.items()}
        rows = [_document(record) | in_json(places.get(record.migration_id), now) for record in records]
        say_document([row | ({"phases": spent[str(row["migrationId"])]} if with_phases else {}) for row in rows])
        return
    out = console()
    if records:
        queued = {id_: in_words(place) for id_, place in places.items()}
        out.print(migrations_table(records, journals, queued, now=now))
        out.print()
    out.print(summary(records))


def _show_one(state: State, migration_id: str, *, as_json: bool) -> None:
    record = state.migrations.record(migration_id)
    if record is None:
        raise _not_found([migration_id])
    journal = state.migrations.journal(migration_id)
    decisions = state.decisions.of(migration_id), state.decisions.refused(migration_id)
    place = places_in_queue(state, [record]).get(migration_id)
    now = datetime.now(UTC)
    if as_json:
        taken, refused = map(_plain, decisions)
        parts = {"journal": _plain(journal), "phases": _plain(phases(journal, now))}
        parts |= {"decisions": taken, "refusedDecisions": refused}
        say_document({"migration": _document(record) | in_json(place, now), **parts})
    else:
        queued = in_words(place) if place else None
        console().print(migration_details(record, journal, queued, decisions=[*chain(*decisions)], now=now))


def _show_rejections(state: State, *, as_json: bool) -> None:
    found = list(state.migrations.rejections())
    if as_json:
        say_document(_plain(found))
    elif found:
        console().print(rejections_table(found))
    else:
        say("no message was rejected")


def _not_found(ids: list[str]) -> NotFoundError:
    return NotFoundError(
        f"no migration {', '.join(ids)}: `migrate status` lists all, and --rejections what was not accepted"
    )


def _plain(models: Iterable[Model]) -> list[dict[str, object]]:
    return [_document(model) for model in models]


def _document(model: Model) -> dict[str, object]:
    return model.model_dump(mode="json", exclude_none=True)
