"""`migrate status`: how one migration stands, or all."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated

import typer

from cli.commands.listing import Phases, print_migrations
from cli.commands.options import AsJson, Form
from cli.completion import complete_id
from cli.deployed import Deployed
from cli.details import decisions_listing, facts, facts_of_sent, rejections_listing, timeline
from cli.documents import document, documents, migration_documents
from cli.exits import UsageError
from cli.filters import Filters, takes_filters
from cli.finding import not_found, on_their_way
from cli.output import note, say, say_document, show, show_facts
from cli.queueing import in_words, places_in_queue
from cli.sent import OnItsWay
from cli.target import Target, takes_target
from cli.times import phases as phases_of

MigrationId = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="One migration, with its journal.", autocompletion=complete_id)
]
Rejections = Annotated[bool, typer.Option("--rejections", help="List messages that could not become migrations.")]


@takes_target
@takes_filters
def status(
    target: Target,
    filters: Filters,
    migration_id: MigrationId = None,
    phases: Phases = False,
    rejections: Rejections = False,
    as_json: AsJson = False,
) -> None:
    """Show one migration with its journal and what to do next; without an ID the same as `migrate list`."""
    besides_since = replace(filters, since=None)
    if (migration_id and (rejections or filters)) or (rejections and besides_since):
        raise UsageError("an ID, --rejections and the filters exclude each other; --rejections takes --since alone")
    deployed = Deployed(target)
    if rejections:
        _show_rejections(deployed, filters.since, as_json=as_json)
    elif migration_id:
        _show_one(deployed, migration_id, as_json=as_json)
    else:
        form, sort = (Form.JSON, "accepted") if as_json else (Form.TABLE, "failures")
        print_migrations(deployed, filters, sort=sort, form=form, with_phases=phases)


def _show_one(deployed: Deployed, migration_id: str, *, as_json: bool) -> None:
    state = deployed.state
    now = datetime.now(UTC)
    record = state.migrations.record(migration_id)
    if record is None:
        sent = next((one for one in on_their_way(deployed) if one.migration_id == migration_id), None)
        if sent is None:
            raise not_found(deployed, [migration_id])
        _show_sent(sent, now, as_json=as_json)
        return
    journal = state.migrations.journal(migration_id)
    decisions = state.decisions.of(migration_id), state.decisions.refused(migration_id)
    places = places_in_queue(state, [record])
    if as_json:
        taken, refused = map(documents, decisions)
        parts: dict[str, object] = {"journal": documents(journal), "phases": documents(phases_of(journal, now))}
        parts |= {"decisions": taken, "refusedDecisions": refused}
        [shown] = migration_documents([record], places, now=now)
        say_document({"migration": shown, **parts})
        return
    place = places.get(migration_id)
    show_facts(facts(record, journal, in_words(place) if place else None, now=now))
    say("")
    show(timeline(journal, now), wraps=True)
    if decided := [*chain(*decisions)]:
        say("")
        show(decisions_listing(decided), wraps=True)


def _show_sent(sent: OnItsWay, now: datetime, *, as_json: bool) -> None:
    if as_json:
        [shown] = migration_documents([sent], {}, now=now)
        empty: dict[str, object] = {name: [] for name in ("journal", "phases", "decisions", "refusedDecisions")}
        say_document({"migration": shown, **empty})
    else:
        show_facts(facts_of_sent(sent, now))


def _show_rejections(deployed: Deployed, since: datetime | None, *, as_json: bool) -> None:
    found = list(deployed.state.migrations.rejections(since=since))
    if as_json:
        say_document([document(rejection) for rejection in found])
    elif found:
        show(rejections_listing(found), wraps=True)
    else:
        note("no message was rejected")
