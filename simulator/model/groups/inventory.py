"""The inventory as CSV: what an import changes, what an export writes (docs/mgn.md#inventory)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.server import SourceServer
from simulator.model.account.template_change import TemplateChange
from simulator.model.forms.formats import View
from simulator.model.groups import launch_columns
from simulator.model.groups.grouping import APPLICATION, WAVE, create_group, find_group
from simulator.model.groups.import_room import exceeded_quotas

USER_ID = "mgn:server:user-provided-id"
SERVER_ID, APP_ID, WAVE_ID = "mgn:server:id", "mgn:app:id", "mgn:wave:id"
APP, WAVE_NAME = "mgn:app:name", "mgn:wave:name"
_DESCRIPTIONS = {APPLICATION: "mgn:app:description", WAVE: "mgn:wave:description"}
_FQDN, _PLATFORM = "mgn:server:fqdn-for-action-framework", "mgn:server:platform"
_STATE, _TYPE = "mgn:server:lifecycle-state", "mgn:server:replication-type"
_REPLICATION = "mgn:server:replication-state"
_COLUMNS = (
    "mgn:account-id", "mgn:region", WAVE_ID, WAVE_NAME, _DESCRIPTIONS[WAVE], APP_ID, APP, _DESCRIPTIONS[APPLICATION],
    SERVER_ID, USER_ID, _PLATFORM, _FQDN, _STATE, _TYPE, _REPLICATION,
)  # fmt: skip
_TAGS = {"server": "mgn:server:tag:", "app": "mgn:app:tag:", "wave": "mgn:wave:tag:"}
_PLATFORMS = ("linux", "windows")
# What user-provided ids and names of groups may be (docs/mgn.md#grouping).
_NAME = re.compile(r"(?=.{1,256}\Z)[^\s\x00]( *[^\s\x00])*")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_PREFIXES = tuple(_TAGS.values())

Row = Mapping[str, str]


def import_csv(account: Account, text: str) -> tuple[View | None, list[View]]:
    """Apply a file, or nothing of it when a row is wrong; returns the summary and the errors."""
    rows: list[Row] = []
    try:
        rows.extend(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        return None, [_error(len(rows) + 1, f"not CSV: {error}")]
    # Of several servers with one user-provided id an import takes the first.
    known = {server.user_provided_id: server.server_id for server in reversed(_live(account))}
    rows = [_identified(account, known, row) for row in rows]
    errors = [error for number, row in enumerate(rows, start=1) for error in _check(account, number, row)]
    errors = errors or list(_conflicts(rows))
    if not rows:
        errors = [_error(0, "the file has no rows")]
    if not errors:
        groups = [(_server_of(row), row.get(APP) or "", row.get(WAVE_NAME) or "") for row in rows]
        errors = [_error(number, text) for number, text in exceeded_quotas(account, groups)]
    if errors:
        return None, errors
    counts = {kind: {"createdCount": 0, "modifiedCount": 0} for kind in ("waves", "applications", "servers")}
    touched: set[str] = set()
    for row in rows:
        _apply(account, row, counts, touched)
    return counts, []


def _identified(account: Account, known: Mapping[str, str], row: Row) -> Row:
    """The row with the id of a server there is, and the names of groups of which it gives only the ids."""
    found = {SERVER_ID: known.get(row.get(USER_ID) or " ", "")}
    for column, kind, name in ((APP_ID, APPLICATION, APP), (WAVE_ID, WAVE, WAVE_NAME)):
        found[name] = account.kept(kind).get(row.get(column) or "", {}).get("name", "")
    return {**row, **{name: value for name, value in found.items() if value and not row.get(name)}}


def _server_of(row: Row) -> str:
    """The id of the row's server, or the user-provided id of a new one."""
    return row.get(SERVER_ID) or row.get(USER_ID) or ""


def _live(account: Account) -> list[SourceServer]:
    return [server for server in account.servers.values() if not server.archived]


def export_csv(account: Account, templates: Mapping[str, Mapping[str, Any]]) -> tuple[str, View]:
    """The file of all servers that are not archived, given their launch templates by server id, and the summary."""
    servers = _live(account)
    rows = [_row(account, server, templates.get(server.server_id, {})) for server in servers]
    # Tags, volumes and interfaces have columns where a server has them.
    fixed = (*_COLUMNS, *launch_columns.COLUMNS)
    out = io.StringIO()
    others = sorted({name for row in rows for name in row} - {*fixed})
    writer = csv.DictWriter(out, (*fixed, *others), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    counts = {
        "serversCount": len(servers),
        "applicationsCount": len(account.kept(APPLICATION)),
        "wavesCount": len(account.kept(WAVE)),
    }
    return out.getvalue(), counts


def _row(account: Account, server: SourceServer, template: Mapping[str, Any]) -> dict[str, str]:
    application = account.kept(APPLICATION).get(server.application_id, {})
    wave = account.kept(WAVE).get(application.get("waveID", ""), {})
    row = {
        "mgn:account-id": account.ids.account_id,
        "mgn:region": account.ids.region,
        SERVER_ID: server.server_id,
        USER_ID: server.user_provided_id,
        _PLATFORM: server.platform.title(),
        _FQDN: server.fqdn_for_actions,
        _STATE: server.state,
        _TYPE: server.replication_type,
        _REPLICATION: server.replication.state,
        APP_ID: application.get("applicationID", ""),
        APP: application.get("name", ""),
        _DESCRIPTIONS[APPLICATION]: application.get("description", ""),
        WAVE_ID: wave.get("waveID", ""),
        WAVE_NAME: wave.get("name", ""),
        _DESCRIPTIONS[WAVE]: wave.get("description", ""),
        **launch_columns.columns(server, template),
    }
    for kind, tags in (("server", server.tags), ("app", application.get("tags")), ("wave", wave.get("tags"))):
        row |= {f"{_TAGS[kind]}{key}": value for key, value in (tags or {}).items()}
    return row


def _check(account: Account, number: int, row: Row) -> list[View]:
    if None in row:
        return [_error(number, "more values than the file has columns")]
    problems = [f"unknown column {name!r}" for name in row if not _is_column(name)]
    problems += [
        f"{name} holds characters that no text has" for name, value in row.items() if _NO_TEXT.search(value or "")
    ]
    problems += [
        f"{name} {row[name]!r} is not 1 to 256 characters without spaces around them"
        for name in (USER_ID, APP, WAVE_NAME)
        if row.get(name) and not _NAME.fullmatch(row[name])
    ]
    if not _server_of(row):
        problems.append(f"{USER_ID} is missing")
    if row.get(WAVE_NAME) and not row.get(APP):
        problems.append(f"{WAVE_NAME} needs {APP}")
    if row.get(_PLATFORM) and row[_PLATFORM].casefold() not in _PLATFORMS:
        problems.append(f"{_PLATFORM} {row[_PLATFORM]!r} is none of {', '.join(map(str.title, _PLATFORMS))}")
    problems += launch_columns.problems(row)
    problems += _unknown_ids(account, row)
    for name, own in (("mgn:account-id", account.ids.account_id), ("mgn:region", account.ids.region)):
        if row.get(name) and row[name] != own:
            problems.append(f"{name} {row[name]} is not this account's and Region's {own}")
    return [_error(number, problem) for problem in problems]


def _is_column(name: str) -> bool:
    return name in _COLUMNS or name.startswith(_PREFIXES) or launch_columns.is_column(name)


def _unknown_ids(account: Account, row: Row) -> list[str]:
    server = account.servers.get(row.get(SERVER_ID) or "")
    if row.get(SERVER_ID) and (server is None or server.archived):
        return [f"{SERVER_ID} {row[SERVER_ID]} is no server here"]
    if server and row.get(USER_ID) and server.user_provided_id not in ("", row[USER_ID]):
        return [f"{USER_ID} {row[USER_ID]!r} is not {server.user_provided_id!r} of {server.server_id}, and stays"]
    return [
        f"{column} {row[column]} is no {kind.lower()} with {name} {row.get(name)!r}"
        for column, kind, name in ((APP_ID, APPLICATION, APP), (WAVE_ID, WAVE, WAVE_NAME))
        if row.get(column) and account.kept(kind).get(row[column], {}).get("name", "") != (row.get(name) or " ")
    ]


def _conflicts(rows: Iterable[Row]) -> Iterator[View]:
    """Rows that say of one server, application or wave what an earlier one says otherwise."""
    said: dict[tuple[str, str, str], str] = {}
    for number, row in enumerate(rows, start=1):
        for name, value in row.items():
            kind = "app" if name == WAVE_NAME else name.split(":")[1]
            names = {"app": row.get(APP), "wave": row.get(WAVE_NAME)}
            whose = _server_of(row) if name == APP else names.get(kind, _server_of(row))
            if value and whose and said.setdefault((kind, whose, name), value) != value:
                yield _error(number, f"{name} {value!r} contradicts {said[kind, whose, name]!r} of an earlier row")


def _error(number: int, text: str) -> View:
    return {"errorType": "VALIDATION_ERROR", "errorData": {"rowNumber": number, "rawError": text}}


def _apply(account: Account, row: Row, counts: View, touched: set[str]) -> None:
    server = _server(account, row, counts, touched)
    server.fqdn_for_actions = row.get(_FQDN) or server.fqdn_for_actions
    server.platform = (row.get(_PLATFORM) or server.platform).casefold()
    server.tags.update(_tagged(row, _TAGS["server"]))
    launch_columns.configure(server, row)
    change = launch_columns.change(row)
    if change != TemplateChange() and server.template_id:
        account.compute.edit_template(server.server_id, server.template_id, change)
    if not row.get(APP):
        return
    application = _group(account, APPLICATION, row[APP], counts["applications"], touched)
    _describe(application, row, APPLICATION, "app")
    server.application_id = application["applicationID"]
    if row.get(WAVE_NAME):
        wave = _group(account, WAVE, row[WAVE_NAME], counts["waves"], touched)
        _describe(wave, row, WAVE, "wave")
        application["waveID"] = wave["waveID"]


def _describe(group: dict[str, Any], row: Row, kind: str, name: str) -> None:
    if row.get(_DESCRIPTIONS[kind]):
        group["description"] = row[_DESCRIPTIONS[kind]]
    group["tags"].update(_tagged(row, _TAGS[name]))


def _tagged(row: Row, prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix) and value}


def _server(account: Account, row: Row, counts: View, touched: set[str]) -> SourceServer:
    user_id = row.get(USER_ID) or ""
    server = account.servers.get(row.get(SERVER_ID) or "") or next(
        (each for each in _live(account) if each.user_provided_id == user_id), None
    )
    member = "modifiedCount" if server else "createdCount"
    server = server or account.install(user_id, row.get(_PLATFORM) or "")
    server.user_provided_id = server.user_provided_id or user_id
    _count(counts["servers"], member, f"server {server.server_id}", touched)
    return server


def _group(account: Account, kind: str, name: str, counts: View, touched: set[str]) -> dict[str, Any]:
    found = find_group(account, kind, name)
    _count(counts, "modifiedCount" if found else "createdCount", f"{kind} {name}", touched)
    return found or create_group(account, kind, name)


def _count(counts: View, member: str, what: str, touched: set[str]) -> None:
    if what not in touched:
        touched.add(what)
        counts[member] += 1
