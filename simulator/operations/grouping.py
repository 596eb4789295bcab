"""Operations on applications and waves (docs/mgn.md#grouping)."""

from collections.abc import Iterable

from simulator.model.account.account import Account
from simulator.model.forms.errors import conflict, not_found, over_quota
from simulator.model.forms.formats import View
from simulator.model.groups.grouping import (
    APPLICATION,
    GROUP_ID,
    WAVE,
    applications_of,
    create_group,
    find_group,
    group_view,
    members_of,
    require_room,
)
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.paging import kept_page


def _create(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        if find_group(account, kind, request["name"]):
            raise conflict(f"{kind} with name {request['name']} already exists", kind, request["name"])
        group = create_group(account, kind, request["name"], request.get("description", ""), request.get("tags"))
        return group_view(account, kind, group)

    return run


def _update(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        group = account.resource(kind, request[GROUP_ID[kind]])
        group.update({name: request[name] for name in ("name", "description") if name in request})
        group["modified"] = account.now
        return group_view(account, kind, group)

    return run


def _delete(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        identifier = request[GROUP_ID[kind]]
        account.resource(kind, identifier)
        used = members_of(account, identifier) if kind == APPLICATION else applications_of(account, identifier)
        if used:
            raise conflict(f"{kind} {identifier} is not empty", kind, identifier)
        del account.kept(kind)[identifier]
        return {}

    return run


def _archive(kind: str, archived: bool) -> Operation:
    def run(account: Account, request: Request) -> View:
        group = account.resource(kind, request[GROUP_ID[kind]])
        if archived and group["isArchived"]:
            raise conflict(f"{kind} {group[GROUP_ID[kind]]} is archived already", kind, group[GROUP_ID[kind]])
        require_room(account, kind, archived=archived)
        group["isArchived"], group["modified"] = archived, account.now
        return group_view(account, kind, group)

    return run


def _list(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        filters = request.get("filters") or {}
        ids, waves = filters.get(f"{GROUP_ID[kind]}s"), filters.get("waveIDs") if kind == APPLICATION else None
        found = [
            group
            for identifier, group in account.kept(kind).items()
            if (not ids or identifier in ids)
            and filters.get("isArchived", group["isArchived"]) == group["isArchived"]
            and (not waves or group.get("waveID") in waves)
        ]
        chosen, token = kept_page(found, request, account.knobs.default_page_size)
        return listed([group_view(account, kind, group) for group in chosen], token)

    return run


def associate_servers(account: Account, request: Request) -> View:
    application_id = request["applicationID"]
    account.resource(APPLICATION, application_id)
    servers = [account.server(server_id) for server_id in dict.fromkeys(request["sourceServerIDs"])]
    for server in servers:
        if server.application_id not in ("", application_id):
            raise conflict(f"{server.server_id} belongs to another application", "SourceServer", server.server_id)
    total = len({server.server_id for server in (*members_of(account, application_id), *servers)})
    _require_size(account.quotas.servers_per_application, total, "servers in an application", APPLICATION)
    for server in servers:
        server.application_id = application_id
    return {}


def disassociate_servers(account: Account, request: Request) -> View:
    application_id = request["applicationID"]
    account.resource(APPLICATION, application_id)
    servers = [account.server(server_id) for server_id in dict.fromkeys(request["sourceServerIDs"])]
    for server in servers:
        if server.application_id != application_id:
            raise not_found("SourceServer", server.server_id)
    for server in servers:
        server.application_id = ""
    return {}


def associate_applications(account: Account, request: Request) -> View:
    wave_id = request["waveID"]
    account.resource(WAVE, wave_id)
    applications = [account.resource(APPLICATION, each) for each in dict.fromkeys(request["applicationIDs"])]
    for application in applications:
        if application.get("waveID", wave_id) != wave_id:
            raise conflict("The application belongs to another wave", APPLICATION, application["applicationID"])
    both = (*applications_of(account, wave_id), *applications)
    total = len({application["applicationID"] for application in both})
    _require_size(account.quotas.applications_per_wave, total, "applications in a wave", WAVE)
    for application in applications:
        application["waveID"] = wave_id
    return {}


def disassociate_applications(account: Account, request: Request) -> View:
    account.resource(WAVE, request["waveID"])
    applications = [account.resource(APPLICATION, each) for each in dict.fromkeys(request["applicationIDs"])]
    for application in applications:
        if application.get("waveID") != request["waveID"]:
            raise not_found(APPLICATION, application["applicationID"])
    for application in applications:
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
