"""`migrate wait`: migrations until they have come as far as a script needs them."""

import re
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Annotated

import typer

from cli.commands.options import AsJson, Interval, MigrationIds
from cli.commands.watch import followed
from cli.deployed import Deployed
from cli.documents import migration_documents
from cli.exits import ExitCode, TimedOutError
from cli.filters import UNITS, Filters, takes_filters
from cli.finding import nothing_matched
from cli.following import Watched
from cli.output import plain, progress, say, say_document
from cli.sent import Migration
from cli.standings import standing
from cli.target import Target, takes_target
from cli.times import duration
from cli.views import in_number
from runtime.models.status import MigrationStatus

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
