"""`migrate draft`: requests to begin with, made from the servers that MGN has."""

import re
from typing import Annotated, Any

import typer

from cli.commands.options import AsJson
from cli.deployed import Deployed
from cli.exits import NothingMatchedError, UsageError
from cli.output import note, say_csv, say_document, say_yaml
from cli.target import Target, takes_target
from cli.views import in_number

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:-]+")
COLUMNS = ("migrationId", "sourceVmId", "sourceServerId", "appName", "wave", "source", "environment", "instanceType")
TO_FILL_IN = ("source", "environment")

FromMgn = Annotated[bool, typer.Option("--from-mgn", help="From the source servers of your account and Region.")]
Waves = Annotated[list[str] | None, typer.Option("--wave", help="Only of this MGN wave; repeatable.", metavar="NAME")]
Applications = Annotated[
    list[str] | None,
    typer.Option("--app", "--application", help="Only of this MGN application; repeatable.", metavar="NAME"),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Only with this tag; repeatable.", metavar="KEY[=VALUE]")]
Format = Annotated[str, typer.Option("-o", "--output", help="yaml, json or csv.", metavar="FORMAT")]


@takes_target
def draft(
    target: Target,
    from_mgn: FromMgn = False,
    waves: Waves = None,
    applications: Applications = None,
    tags: Tags = None,
    output: Format = "yaml",
    as_json: AsJson = False,
) -> None:
    """Print a request for each server that MGN has and that can be migrated, to be edited and submitted.

    What MGN does not know, source and environment, is left to fill in, or to `submit --default`.
    """
    if not from_mgn:
        raise UsageError("say where from: --from-mgn")
    output = "json" if as_json else output
    if output not in ("yaml", "json", "csv"):
        raise UsageError(f"-o {output}: drafts are yaml, json or csv")
    requests = _requests(Deployed(target), waves or [], applications or [], tags or [])
    if not requests:
        raise NothingMatchedError("no source server of MGN's matches that can be migrated")
    if output == "csv":
        say_csv(COLUMNS, [[request.get(name, "") for name in COLUMNS] for request in requests])
    elif output == "json":
        say_document(requests)
    else:
        say_yaml({"defaults": dict.fromkeys(TO_FILL_IN, "FILL-IN"), "requests": requests})
    note(f"{in_number(len(requests), 'server')}; submit with --default source=… --default environment=… where missing")


def _requests(deployed: Deployed, waves: list[str], applications: list[str], tags: list[str]) -> list[dict[str, str]]:
    mgn = deployed.client("mgn")
    of_wave = {one["waveID"]: one["name"] for one in _all(mgn, "list_waves")}
    of_app = {one["applicationID"]: one for one in _all(mgn, "list_applications")}
    found = []
    for server in _all(mgn, "describe_source_servers", filters={"isArchived": False}):
        application = of_app.get(server.get("applicationID", ""), {})
        app, wave = application.get("name", ""), of_wave.get(application.get("waveID", ""), "")
        state = server.get("lifeCycle", {}).get("state")
        if state in ("CUTOVER", "DISCONNECTED", "PENDING_INSTALLATION"):
            continue
        if (waves and wave not in waves) or (applications and app not in applications):
            continue
        if all(_has_tag(server.get("tags", {}), tag) for tag in tags):
            found.append(_request(server, app, wave))
    return sorted(found, key=lambda request: (request["wave"], request["appName"], request["migrationId"]))


def _request(server: dict[str, Any], app: str, wave: str) -> dict[str, str]:
    hints = server.get("sourceProperties", {}).get("identificationHints", {})
    server_id = str(server["sourceServerID"])
    name = str(server.get("userProvidedID") or hints.get("hostname") or hints.get("fqdn") or server_id)
    wave, app = wave or "1", app or "unassigned"
    return {
        "migrationId": _NOT_IN_AN_ID.sub("-", f"{wave}-{name}").strip("-._:")[:80],
        "sourceVmId": name,
        "sourceServerId": server_id,
        "appName": app,
        "wave": wave,
    }


def _has_tag(tags: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in tags and (not equals or tags[key] == value)


def _all(mgn: Any, operation: str, **arguments: Any) -> list[dict[str, Any]]:
    return [item for page in mgn.get_paginator(operation).paginate(**arguments) for item in page["items"]]
