"""`migrate watch`: migrations until all have ended."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Annotated

import typer

from cli.commands.options import AsJson, Interval, MigrationIds
from cli.deployed import Deployed
from cli.exits import ExitCode, UsageError
from cli.filters import Filters, takes_filters
from cli.finding import not_found, nothing_matched, on_their_way
from cli.following import Watched
from cli.output import warn
from cli.screens import screen
from cli.target import Target, takes_target

LOOKS_PER_LIST = 5
"""A set is read anew at every so many looks; in between only its migrations are."""

UntilDone = Annotated[bool, typer.Option("--until-done/--forever", help="End when all have ended, or never.")]


@takes_target
@takes_filters
def watch(
    target: Target,
    filters: Filters,
    migration_ids: MigrationIds = None,
    until_done: UntilDone = True,
    interval: Interval = 1.0,
    as_json: AsJson = False,
) -> None:
    """Follow migrations until all have ended: the IDs, those that fit the filters, or all that are under way.

    On a terminal the table is live: arrows scroll, s sorts failures first, q leaves. Elsewhere each change is a line.
    Migrations that come to fit the filters are added.
    """
    deployed = Deployed(target)
    watched, wanted = followed(deployed, filters, migration_ids)
    if until_done and not wanted():
        raise nothing_matched(deployed, filters)
    follow(watched, wanted, until_done=until_done, interval=interval, as_json=as_json)
    raise typer.Exit(conclude(watched))


def followed(
    deployed: Deployed, filters: Filters, migration_ids: Sequence[str] | None, *, unknown_too: bool = False
) -> tuple[Watched, Callable[[], list[str]]]:
    """What to follow: the named ones, or whatever fits; `unknown_too` takes names that nobody knows yet.

    Raises NotFoundError for such names otherwise.
    """
    if migration_ids and filters:
        raise UsageError("IDs and filters exclude each other; name one")
    watched = Watched(deployed.state)
    named = list(dict.fromkeys(migration_ids or []))
    if named:
        sent = {one.migration_id: one for one in on_their_way(deployed) if one.migration_id in named}
        watched.on_the_way |= sent
        known = deployed.state.migrations.records_of(named).keys() | sent.keys()
        missing = [id_ for id_ in named if id_ not in known]
        if missing and not unknown_too:
            raise not_found(deployed, missing)
        return watched, lambda: named
    chosen = filters or Filters(active=True)

    def fitting() -> list[str]:
        sent = {one.migration_id: one for one in deployed.outbox.requests(datetime.now(UTC)) if chosen.fit(one)}
        answered = watched.records.keys() | watched.rejected.keys()
        watched.on_the_way |= {id_: one for id_, one in sent.items() if id_ not in answered}
        return [*(record.migration_id for record in chosen.find(deployed.state)), *watched.on_the_way]

    return watched, fitting


def follow(
    watched: Watched, wanted: Callable[[], list[str]], *, until_done: bool, interval: float, as_json: bool
) -> None:
    """Show what happens, until all have ended or are given up."""
    ids: dict[str, None] = {}
    with screen(watched, as_json=as_json) as shown:
        for look in count():
            if look % LOOKS_PER_LIST == 0:
                ids |= dict.fromkeys(wanted())
            shown.show(watched.look_patiently(ids))
            if until_done and _is_done(watched, ids):
                # Only now is it known that nothing came meanwhile.
                ids |= (come := dict.fromkeys(id_ for id_ in wanted() if id_ not in ids))
                if not come:
                    return
            else:
                shown.pause(interval)


def _is_done(watched: Watched, ids: Iterable[str]) -> bool:
    """Whether nothing more will come of any of these."""
    lost = {sent.migration_id for sent in watched.lost(datetime.now(UTC))}
    return all(watched.has_ended(id_) or id_ in lost for id_ in ids)


def conclude(watched: Watched) -> ExitCode:
    """What a script is told, once all have ended or are given up."""
    for sent in watched.lost(datetime.now(UTC)):
        warn(
            f"{sent.migration_id} was sent at {sent.at:%H:%M:%S}Z and is neither accepted nor rejected: "
            "look at the queue of requests and its dead-letter queue"
        )
    return ExitCode.OK if watched.all_completed() else ExitCode.ENDED_BADLY
