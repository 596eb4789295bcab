"""The inventory as CSV: what an import changes, what an export writes (docs/mgn.md#inventory)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.ports import TemplateChange
from simulator.model.account.server import SourceServer
from simulator.model.forms.formats import View
from simulator.model.groups.grouping import APPLICATION, WAVE, create_group, find_group
from simulator.model.groups.import_room import exceeded_quotas

USER_ID = "mgn:server:user-provided-id"
SERVER_ID, APP_ID = "mgn:server:id", "mgn:app:id"
APP, WAVE_NAME = "mgn:app:name", "mgn:wave:name"
_DESCRIPTIONS = {APPLICATION: "mgn:app:description", WAVE: "mgn:wave:description"}
_PLATFORM, _STATE = "mgn:server:platform", "mgn:server:state"
_NIC = "mgn:launch:nic:0:"
_TEMPLATE_COLUMNS = {
    "mgn:launch:instance-type": "instance_type",
    f"{_NIC}subnet-id": "subnet_id",
    f"{_NIC}security-group-id:0": "security_group_id",
    f"{_NIC}private-ip:0": "private_ip",
    f"{_NIC}network-interface-id": "network_interface_id",
    "mgn:launch:iam-instance-profile:name": "instance_profile",
    "mgn:launch:placement:tenancy": "tenancy",
    "mgn:launch:placement:host-id": "host_id",
}
_FQDN = "mgn:server:fqdn-for-action-framework"
_COLUMNS = (
    "mgn:account-id", "mgn:region", SERVER_ID, USER_ID, _FQDN, _PLATFORM, _STATE, APP_ID, APP,
    _DESCRIPTIONS[APPLICATION], WAVE_NAME, _DESCRIPTIONS[WAVE], *_TEMPLATE_COLUMNS,
)  # fmt: skip
_TAGS = {"server": "mgn:server:tag:", "app": "mgn:app:tag:", "wave": "mgn:wave:tag:"}
_INSTANCE_TAG = "mgn:launch:tag:instance:"
# What user-provided ids and names of groups may be (docs/mgn.md#grouping).
_NAME = re.compile(r"(?=.{1,256}\Z)[^\s\x00]( *[^\s\x00])*")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_PREFIXES = (*_TAGS.values(), "mgn:launch:")

Row = Mapping[str, str]


def import_csv(account: Account, text: str) -> tuple[View | None, list[View]]:
    """Apply a file, or nothing of it when a row is wrong; returns the summary and the errors."""
    rows: list[Row] = []
    try:
        rows.extend(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        return None, [_error(len(rows) + 1, f"not CSV: {error}")]
    errors = [error for number, row in enumerate(rows, start=1) for error in _check(account, number, row)]
    errors = errors or list(_conflicts(rows))
    if not rows:
        errors = [_error(0, "the file has no rows")]
    if not errors:
        groups = [(row[USER_ID], row.get(APP) or "", row.get(WAVE_NAME) or "") for row in rows]
        errors = [_error(number, text) for number, text in exceeded_quotas(account, groups)]
    if errors:
        return None, errors
    counts = {kind: {"createdCount": 0, "modifiedCount": 0} for kind in ("waves", "applications", "servers")}
    touched: set[str] = set()
    for row in rows:
        _apply(account, row, counts, touched)
    return counts, []


def _live(account: Account) -> list[SourceServer]:
    return [server for server in account.servers.values() if not server.archived]


def export_csv(account: Account) -> tuple[str, View]:
    """The file of all servers that are not archived, and the summary."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    servers = _live(account)
    for server in servers:
        writer.writerow(_row(account, server))
    counts = {
        "serversCount": len(servers),
        "applicationsCount": len(account.kept(APPLICATION)),
        "wavesCount": len(account.kept(WAVE)),
    }
    return out.getvalue(), counts


def _row(account: Account, server: SourceServer) -> dict[str, str]:
    application = account.kept(APPLICATION).get(server.application_id, {})
    wave = account.kept(WAVE).get(application.get("waveID", ""), {})
    return {
        "mgn:account-id": account.ids.account_id,
        "mgn:region": account.ids.region,
        SERVER_ID: server.server_id,
        USER_ID: server.user_provided_id,
        _FQDN: server.fqdn_for_actions,
        _STATE: server.state,
        APP_ID: application.get("applicationID", ""),
        APP: application.get("name", ""),
        _DESCRIPTIONS[APPLICATION]: application.get("description", ""),
        WAVE_NAME: wave.get("name", ""),
        _DESCRIPTIONS[WAVE]: wave.get("description", ""),
    }


def _check(account: Account, number: int, row: Row) -> list[View]:
    if None in row:
        return [_error(number, "more values than the file has columns")]
    problems = [f"unknown column {name!r}" for name in row if name not in _COLUMNS and not name.startswith(_PREFIXES)]
    problems += [
        f"{name} holds characters that no text has" for name, value in row.items() if _NO_TEXT.search(value or "")
    ]
    problems += [
        f"{name} {row[name]!r} is not 1 to 256 characters without spaces around them"
        for name in (USER_ID, APP, WAVE_NAME)
        if row.get(name) and not _NAME.fullmatch(row[name])
    ]
    if not row.get(USER_ID):
        problems.append(f"{USER_ID} is missing")
    if row.get(WAVE_NAME) and not row.get(APP):
        problems.append(f"{WAVE_NAME} needs {APP}")
    problems += _unknown_ids(account, row)
    for name, own in (("mgn:account-id", account.ids.account_id), ("mgn:region", account.ids.region)):
        if row.get(name) and row[name] != own:
            problems.append(f"{name} {row[name]} is not this account's and Region's {own}")
    return [_error(number, problem) for problem in problems]


def _unknown_ids(account: Account, row: Row) -> list[str]:
    server = account.servers.get(row.get(SERVER_ID) or "")
    if row.get(SERVER_ID) and (server is None or server.archived or server.user_provided_id != row.get(USER_ID)):
        return [f"{SERVER_ID} {row[SERVER_ID]} is no server with {USER_ID} {row.get(USER_ID)!r}"]
    application = account.kept(APPLICATION).get(row.get(APP_ID) or "", {})
    if row.get(APP_ID) and application.get("name") != row.get(APP):
        return [f"{APP_ID} {row[APP_ID]} is no application with {APP} {row.get(APP)!r}"]
    return []


def _conflicts(rows: Iterable[Row]) -> Iterator[View]:
    """Rows that say of one server, application or wave what an earlier one says otherwise."""
    said: dict[tuple[str, str, str], str] = {}
    for number, row in enumerate(rows, start=1):
        for name, value in row.items():
            kind = "app" if name == WAVE_NAME else name.split(":")[1]
            key = {"app": APP, "wave": WAVE_NAME}.get(kind, USER_ID)
            if name in (APP, USER_ID):
                key = USER_ID
            about = (key, row.get(key) or "", name)
            if value and row.get(key) and said.setdefault(about, value) != value:
                yield _error(number, f"{name} {value!r} contradicts {said[about]!r} of an earlier row")


def _error(number: int, text: str) -> View:
    return {"errorType": "VALIDATION_ERROR", "errorData": {"rowNumber": number, "rawError": text}}


def _apply(account: Account, row: Row, counts: View, touched: set[str]) -> None:
    server = _server(account, row[USER_ID], counts, touched)
    server.fqdn_for_actions = row.get(_FQDN) or server.fqdn_for_actions
    server.tags.update(_tagged(row, _TAGS["server"]))
    change = {member: row[name] for name, member in _TEMPLATE_COLUMNS.items() if row.get(name)}
    tags = tuple(_tagged(row, _INSTANCE_TAG).items())
    if (change or tags) and server.template_id:
        account.compute.edit_template(server.server_id, server.template_id, TemplateChange(**change, tags=tags))
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


def _server(account: Account, user_id: str, counts: View, touched: set[str]) -> SourceServer:
    for server in account.servers.values():
        if server.user_provided_id == user_id and not server.archived:
            _count(counts["servers"], "modifiedCount", f"server {server.server_id}", touched)
            return server
    server = account.install(user_id)
    _count(counts["servers"], "createdCount", f"server {server.server_id}", touched)
    return server


def _group(account: Account, kind: str, name: str, counts: View, touched: set[str]) -> dict[str, Any]:
    found = find_group(account, kind, name)
    _count(counts, "modifiedCount" if found else "createdCount", f"{kind} {name}", touched)
    return found or create_group(account, kind, name)


def _count(counts: View, member: str, what: str, touched: set[str]) -> None:
    if what not in touched:
        touched.add(what)
        counts[member] += 1
