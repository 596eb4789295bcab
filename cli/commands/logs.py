"""`migrate logs` and `migrate open`: from a migration to what its functions and its execution say."""

import json
import webbrowser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli.commands.options import AsJson
from cli.completion import complete_id
from cli.deployed import CONNECTIONS, Deployed
from cli.details import moment
from cli.exits import InvalidError, UnreachableError
from cli.finding import not_found
from cli.output import console, note, plain, say, say_json
from cli.resources import LOG_GROUP, resources
from cli.target import Target, takes_target
from cli.views import in_number
from runtime.models.record import MigrationRecord

AROUND = timedelta(minutes=5)
"""Functions may speak of a migration a little before it was accepted and after its end."""

MigrationId = Annotated[str, typer.Argument(metavar="ID", help="The migration.", autocompletion=complete_id)]


@takes_target
def logs(target: Target, migration_id: MigrationId, as_json: AsJson = False) -> None:
    """Print what all functions logged about one migration, by its correlation id."""
    deployed = Deployed(target)
    record = _record(deployed, migration_id)
    groups = [one for one in resources(deployed) if one["type"] == LOG_GROUP]
    if not groups:
        raise UnreachableError("the stack has no log groups: it is of another release")
    with ThreadPoolExecutor(CONNECTIONS) as readers:
        found = readers.map(lambda group: list(_events(deployed, group["name"], record)), groups)
        events = sorted((event for each in found for event in each), key=lambda event: event["timestamp"])
    for event in events:
        if as_json:
            say_json(event["message"].strip())
        else:
            say(_line(event))
    note(f"{in_number(len(events), 'line')} with correlation id {record.correlation_id}")


@takes_target
def open_execution(target: Target, migration_id: MigrationId) -> None:
    """Print where the console shows the execution of a migration, and open it in a browser from a terminal."""
    deployed = Deployed(target)
    record = _record(deployed, migration_id)
    if record.execution is None:
        raise InvalidError(f"{migration_id} is {record.status}: it has no execution yet")
    if deployed.endpoint is not None:
        raise InvalidError(f"there is no console at {deployed.endpoint}; its execution is {record.execution}")
    region = record.execution.split(":")[3]
    console_url = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    url = f"{console_url}#/v2/executions/details/{record.execution}"
    say(url)
    if console().is_terminal:
        webbrowser.open(url)


def _record(deployed: Deployed, migration_id: str) -> MigrationRecord:
    record = deployed.state.migrations.record(migration_id)
    if record is None:
        raise not_found(deployed, [migration_id])
    return record


def _events(deployed: Deployed, group: str, record: MigrationRecord) -> Iterator[dict[str, Any]]:
    end = record.updated_at if record.status.is_terminal else datetime.now(UTC)
    pages = deployed.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=group,
        filterPattern=f'"{record.correlation_id}"',
        startTime=int((record.created_at - AROUND).timestamp() * 1000),
        endTime=int((end + AROUND).timestamp() * 1000),
    )
    return (event for page in found for event in page["events"])


def _line(event: dict[str, Any]) -> str:
    """A log line as people read it: when, which function, how bad, what."""
    at = moment(datetime.fromtimestamp(event["timestamp"] / 1000, UTC))
    try:
        told = json.loads(event["message"])
        said = told.get("message", "")
        said = said if isinstance(said, str) else json.dumps(said)
        rest = {key: told[key] for key in ("reason", "status", "exception") if key in told}
        more = f"  {json.dumps(rest)}" if rest else ""
        return "\t".join([at, plain(str(told.get("service", ""))), str(told.get("level", "")), plain(said + more)])
    except (ValueError, AttributeError):
        return f"{at}\t\t\t{plain(event['message'])}"
