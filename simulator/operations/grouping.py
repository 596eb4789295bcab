"""Applications and waves: labels over servers (mgn.md §2.5)."""

from collections.abc import Iterable
from typing import Any

from simulator.model.account import Account
from simulator.model.errors import conflict, not_found, over_quota
from simulator.model.formats import datetime_text
from simulator.model.server import SourceServer
from simulator.model.views import View, lag_seconds, tags_view
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.paging import numbered_page

APPLICATION, WAVE = "Application", "Wave"
_ID = {APPLICATION: "applicationID", WAVE: "waveID"}
_PREFIX = {APPLICATION: "app", WAVE: "wave"}
_OVER = frozenset({"CUTOVER"})
_IDLE = frozenset({"STOPPED", "DISCONNECTED"})


def create_group(account: Account, kind: str, name: str, description: str = "", tags: Any = None) -> dict[str, Any]:
    """A new application or wave."""
    _require_room(account, kind, archived=False)
    identifier = account.ids.new(_PREFIX[kind])
    group = {
        _ID[kind]: identifier,
        "arn": account.ids.arn(kind.lower(), identifier),
        "name": name,
        "isArchived": False,
        "created": account.now,
        "modified": account.now,
        "tags": dict(tags or {}),
        **({"description": description} if description else {}),
    }
    account.kept(kind)[identifier] = group
    return group


def group_view(account: Account, kind: str, group: dict[str, Any]) -> View:
    """The Application or Wave structure with its aggregated status."""
    style = account.knobs.timestamps
    hidden = ("created", "modified", "tags")
    status = _application_status(account, group) if kind == APPLICATION else _wave_status(account, group)
    return {
        **{name: value for name, value in group.items() if name not in hidden},
        "creationDateTime": datetime_text(group["created"], style),
        "lastModifiedDateTime": datetime_text(group["modified"], style),
        "tags": tags_view(account, group["tags"], group["arn"]),
        f"{kind.lower()}AggregatedStatus": {"lastUpdateDateTime": datetime_text(account.now, style), **status},
    }


def _members(account: Account, application_id: str) -> list[SourceServer]:
    return [server for server in account.servers.values() if server.application_id == application_id]


def _application_status(account: Account, group: dict[str, Any]) -> View:
    servers = _members(account, group["applicationID"])
    return {**_status(account, servers), "totalSourceServers": len(servers)}


def _wave_status(account: Account, group: dict[str, Any]) -> View:
    applications = [app for app in account.kept(APPLICATION).values() if app.get("waveID") == group["waveID"]]
    servers = [server for app in applications for server in _members(account, app["applicationID"])]
    started = [server.replication.started_at for server in servers if server.replication.started_at is not None]
    since = {"replicationStartedDateTime": datetime_text(min(started), account.knobs.timestamps)} if started else {}
    return {**_status(account, servers), "totalApplications": len(applications), **since}


def _status(account: Account, servers: list[SourceServer]) -> View:
    """Health is that of the worst server; done means all cut over."""
    if servers and all(server.state in _OVER for server in servers):
        progress = "COMPLETED"
    else:
        begun = any(server.replication.state not in _IDLE or server.state in _OVER for server in servers)
        progress = "IN_PROGRESS" if begun else "NOT_STARTED"
    health = "HEALTHY"
    for server in servers:
        if server.replication.state == "STALLED":
            return {"healthStatus": "ERROR", "progressStatus": progress}
        if lag_seconds(account, server):
            health = "LAGGING"
    return {"healthStatus": health, "progressStatus": progress}


def _require_room(account: Account, kind: str, *, archived: bool) -> None:
    limit = getattr(account.quotas, f"{'archived' if archived else 'active'}_{kind.lower()}s")
    count = sum(1 for group in account.kept(kind).values() if group["isArchived"] == archived)
    if count >= limit:
        state = "archived" if archived else "active"
        raise over_quota(
            "ServiceQuotaExceededException", f"Maximum of {limit} {state} {kind.lower()}s reached",
            f"L-MGN-{state.upper()}-{kind.upper()}S", limit, kind,
        )  # fmt: skip


def _create(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        if any(group["name"] == request["name"] for group in account.kept(kind).values()):
            raise conflict(f"{kind} with name {request['name']} already exists", kind, request["name"])
        group = create_group(account, kind, request["name"], request.get("description", ""), request.get("tags"))
        return group_view(account, kind, group)

    return run


def _update(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        group = account.resource(kind, request[_ID[kind]])
        group.update({name: request[name] for name in ("name", "description") if name in request})
        group["modified"] = account.now
        return group_view(account, kind, group)

    return run


def _delete(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        identifier = request[_ID[kind]]
        account.resource(kind, identifier)
        used = _members(account, identifier) if kind == APPLICATION else _applications_of(account, identifier)
        if used:
            raise conflict(f"{kind} {identifier} is not empty", kind, identifier)
        del account.kept(kind)[identifier]
        return {}

    return run


def _applications_of(account: Account, wave_id: str) -> list[dict[str, Any]]:
    return [app for app in account.kept(APPLICATION).values() if app.get("waveID") == wave_id]


def _archive(kind: str, archived: bool) -> Operation:
    def run(account: Account, request: Request) -> View:
        group = account.resource(kind, request[_ID[kind]])
        if archived and group["isArchived"]:
            raise conflict(f"{kind} {group[_ID[kind]]} is archived already", kind, group[_ID[kind]])
        _require_room(account, kind, archived=archived)
        group["isArchived"], group["modified"] = archived, account.now
        return group_view(account, kind, group)

    return run


def _list(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        filters = request.get("filters") or {}
        ids, waves = filters.get(f"{_ID[kind]}s"), filters.get("waveIDs") if kind == APPLICATION else None
        found = [
            group
            for identifier, group in account.kept(kind).items()
            if (not ids or identifier in ids)
            and filters.get("isArchived", group["isArchived"]) == group["isArchived"]
            and (not waves or group.get("waveID") in waves)
        ]
        chosen, token = numbered_page(found, request, account.knobs.default_page_size)
        return listed([group_view(account, kind, group) for group in chosen], token)

    return run


def associate_servers(account: Account, request: Request) -> View:
    application_id = request["applicationID"]
    account.resource(APPLICATION, application_id)
    servers = [account.server(server_id) for server_id in dict.fromkeys(request["sourceServerIDs"])]
    for server in servers:
        if server.application_id not in ("", application_id):
            raise conflict(f"{server.server_id} belongs to another application", "SourceServer", server.server_id)
    total = len({server.server_id for server in (*_members(account, application_id), *servers)})
    _require_size(account.quotas.servers_per_application, total, "servers in an application", APPLICATION)
    for server in servers:
        server.application_id = application_id
    return {}


def disassociate_servers(account: Account, request: Request) -> View:
    application_id = request["applicationID"]
    account.resource(APPLICATION, application_id)
    for server in [account.server(server_id) for server_id in request["sourceServerIDs"]]:
        if server.application_id != application_id:
            raise not_found("SourceServer", server.server_id)
        server.application_id = ""
    return {}


def associate_applications(account: Account, request: Request) -> View:
    wave_id = request["waveID"]
    account.resource(WAVE, wave_id)
    applications = [account.resource(APPLICATION, each) for each in dict.fromkeys(request["applicationIDs"])]
    for application in applications:
        if application.get("waveID", wave_id) != wave_id:
            raise conflict("The application belongs to another wave", APPLICATION, application["applicationID"])
    both = (*_applications_of(account, wave_id), *applications)
    total = len({application["applicationID"] for application in both})
    _require_size(account.quotas.applications_per_wave, total, "applications in a wave", WAVE)
    for application in applications:
        application["waveID"] = wave_id
    return {}


def disassociate_applications(account: Account, request: Request) -> View:
    account.resource(WAVE, request["waveID"])
    for application in [account.resource(APPLICATION, each) for each in request["applicationIDs"]]:
        if application.get("waveID") != request["waveID"]:
            raise not_found(APPLICATION, application["applicationID"])
        del application["waveID"]
    return {}


def _require_size(limit: int, total: int, what: str, kind: str) -> None:
    if total > limit:
        raise over_quota(
            "ServiceQuotaExceededException", f"Maximum of {limit} {what} reached", f"L-MGN-{kind.upper()}", limit, kind
        )


def operations() -> Iterable[tuple[str, Operation]]:
    """The twelve operations that come in pairs."""
    for kind in (APPLICATION, WAVE):
        yield f"Create{kind}", _create(kind)
        yield f"Update{kind}", _update(kind)
        yield f"Delete{kind}", _delete(kind)
        yield f"Archive{kind}", _archive(kind, True)
        yield f"Unarchive{kind}", _archive(kind, False)
        yield f"List{kind}s", _list(kind)


OPERATIONS: dict[str, Operation] = {
    **dict(operations()),
    "AssociateSourceServers": associate_servers,
    "DisassociateSourceServers": disassociate_servers,
    "AssociateApplications": associate_applications,
    "DisassociateApplications": disassociate_applications,
}
