"""`migrate watch` and `migrate wait`: migrations until something has come of them."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from time import sleep
from typing import Annotated

import typer

from cli.commands.options import AsJson, Interval, MigrationIds
from cli.deployed import Deployed
from cli.documents import migration_documents
from cli.exits import ExitCode, TimedOutError, UsageError
from cli.filters import UNITS, Filters, takes_filters
from cli.finding import not_found, nothing_matched, on_their_way
from cli.following import Watched
from cli.output import plain, progress, say, say_document, warn
from cli.screens import screen
from cli.sent import Migration
from cli.standings import standing
from cli.target import Target, takes_target
from cli.times import duration
from cli.views import in_number
from runtime.models.status import MigrationStatus

LOOKS_PER_LIST = 5
"""A set is read anew at every so many looks; in between only its migrations are."""

COMPLETED: str = MigrationStatus.COMPLETED
GOALS = ("accepted", "ended", *MigrationStatus)


def _goal(text: str) -> str:
    name = text.lower() if text.lower() in GOALS else text.upper().replace("-", "_")
    if name not in GOALS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(GOALS)}")
    return str(name)


def _timeout(text: str) -> timedelta:
    if not (found := re.fullmatch(r"(\d{1,6})([smhdw])", text)):
        raise typer.BadParameter(f"{text!r} is no time like 30s, 20m or 2h")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


Goal = Annotated[
    str,
    typer.Option(
        "--for",
        help="accepted, ended (however), or a status it must have come to.",
        metavar="GOAL",
        parser=_goal,
        autocompletion=lambda incomplete: [name for name in GOALS if name.lower().startswith(incomplete.lower())],
    ),
]
Timeout = Annotated[
    timedelta | None,
    typer.Option(help="Give up after so long: 30s, 20m, 2h.", metavar="TIME", parser=_timeout, show_default=False),
]
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


@takes_target
@takes_filters
def wait(
    target: Target,
    filters: Filters,
    migration_ids: MigrationIds = None,
    goal: Goal = COMPLETED,
    timeout: Timeout = None,
    interval: Interval = 1.0,
    as_json: AsJson = False,
) -> None:
    """Wait until migrations have come so far, and print how they stand. IDs may be of requests that are yet to come.

    Without --timeout it waits as long as it takes. It ends with 1 as soon as all are decided and one came to another
    end, and with 7 when the time is over.
    """
    deployed = Deployed(target)
    watched, wanted = followed(deployed, filters, migration_ids, unknown_too=True)
    ids = dict.fromkeys(wanted())
    if not ids:
        raise nothing_matched(deployed, filters)
    until = None if timeout is None else datetime.now(UTC) + timeout
    with progress(f"until {goal}", len(ids)) as bar:
        while True:
            watched.look_patiently(ids)
            reached = {id_: _has_reached(watched, id_, goal) for id_ in ids}
            decided = sum(verdict is not None for verdict in reached.values())
            bar.update(bar.task_ids[0], completed=decided)
            late = until is not None and datetime.now(UTC) >= until
            if decided == len(ids) or late:
                break
            sleep(interval)
    _print_standings(watched, list(ids), as_json=as_json)
    if timeout is not None and decided < len(ids):
        raise TimedOutError(
            f"{in_number(len(ids) - decided, 'migration')} not {goal} after {duration(timeout.total_seconds())}"
        )
    raise typer.Exit(ExitCode.OK if all(reached.values()) else ExitCode.ENDED_BADLY)


def _has_reached(watched: Watched, migration_id: str, goal: str) -> bool | None:
    """Whether the migration has come so far; None while it still may."""
    record = watched.records.get(migration_id)
    if record is None:
        return False if migration_id in watched.rejected else None
    match goal:
        case "accepted":
            reached = True
        case "ended":
            reached = record.status.is_terminal
        case _:
            reached = any(entry.to_status == goal for entry in watched.journals[migration_id])
    return reached or (False if record.status.is_terminal else None)


def _print_standings(watched: Watched, ids: list[str], *, as_json: bool) -> None:
    found: dict[str, Migration] = {**watched.on_the_way, **watched.records}
    if as_json:
        say_document(migration_documents([found[id_] for id_ in ids if id_ in found], {}, now=datetime.now(UTC)))
        return
    for id_ in ids:
        if id_ in watched.rejected:
            say(f"{id_}\trejected\t{plain(watched.rejected[id_].reason)}")
        else:
            say(f"{id_}\t{standing(found[id_]) if id_ in found else 'unknown'}")
