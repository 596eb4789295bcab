"""Operations on source servers and their replication (docs/mgn.md#identity, docs/mgn.md#replication)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.server import SourceServer
from simulator.model.forms.errors import over_quota
from simulator.model.forms.formats import View
from simulator.model.replication import replicating
from simulator.model.servers import lifecycle
from simulator.model.servers.views import server_json, server_view
from simulator.operations.answers import Operation, Page, Request
from simulator.operations.paging import page


def describe_source_servers(account: Account, request: Request) -> Page[SourceServer]:
    filters = request.get("filters") or {}
    ids = filters.get("sourceServerIDs")
    if ids:
        found = [account.servers[server_id] for server_id in dict.fromkeys(ids) if server_id in account.servers]
        found.sort(key=lambda server: server.sequence)
    else:
        found = list(account.servers.values())
    keep = _server_filter(account, filters)
    servers, token = page(found, request, account.knobs.default_page_size, lambda server: server.sequence, keep)
    return Page(account, servers, token, server_view, server_json)


def _server_filter(account: Account, filters: dict[str, Any]) -> Callable[[SourceServer], bool]:
    archived = filters.get("isArchived", None if account.knobs.archived_listed else False)
    states, types, applications = (
        frozenset(filters.get(name) or ()) for name in ("lifeCycleStates", "replicationTypes", "applicationIDs")
    )

    def keep(server: SourceServer) -> bool:
        return (
            (archived is None or server.archived == archived)
            and (not states or server.state in states)
            and (not types or server.replication_type in types)
            and (not applications or server.application_id in applications)
        )

    return keep


def update_source_server(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    if "connectorAction" in request:
        server.connector_action = dict(request["connectorAction"])
    server.user_provided_id = request.get("userProvidedID", server.user_provided_id)
    server.fqdn_for_actions = request.get("fqdnForActionFramework", server.fqdn_for_actions)
    server.platform = request.get("platform", server.platform)
    return server_view(account, server)


def update_replication_type(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    if server.archived or server.replication.state == "DISCONNECTED":
        raise account.wrong_state(server, "UpdateSourceServerReplicationType")
    server.replication_type = request["replicationType"]
    return server_view(account, server)


def change_life_cycle_state(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    lifecycle.change_state(account, server, request["lifeCycle"]["state"])
    return server_view(account, server)


def delete_source_server(account: Account, request: Request) -> View:
    lifecycle.delete(account, account.server(request["sourceServerID"]))
    return {}


def start_replication(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    if server.archived or server.replication.state != "STOPPED":
        raise account.wrong_state(server, f"StartReplication while {server.replication.state}")
    quotas = account.quotas
    active = sum(1 for other in account.servers.values() if other.replication.active)
    if active >= quotas.replicating_servers:
        raise over_quota(
            "ServiceQuotaExceededException",
            f"Maximum of {quotas.replicating_servers} active source servers reached",
            "L-9A599620",
            quotas.replicating_servers,
            "SourceServer",
        )
    replicating.begin(account, server)
    return server_view(account, server)


def stop_replication(account: Account, request: Request) -> View:
    server = _replicating(account, request, "StopReplication")
    lifecycle.stop_replication(account, server)
    return server_view(account, server)


def pause_replication(account: Account, request: Request) -> View:
    server = _replicating(account, request, "PauseReplication")
    if server.replication.state in ("PAUSED", "STALLED"):
        raise account.wrong_state(server, f"PauseReplication while {server.replication.state}")
    replicating.pause(account, server)
    return server_view(account, server)


def resume_replication(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    if server.replication.state != "PAUSED":
        raise account.wrong_state(server, f"ResumeReplication while {server.replication.state}")
    replicating.resume(account, server)
    return server_view(account, server)


def retry_data_replication(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    if server.replication.state != "STALLED":
        # ConflictException is not modelled on this operation (docs/mgn.md#errors).
        raise account.invalid_state(server, f"RetryDataReplication while {server.replication.state}")
    replicating.retry(account, server)
    return server_view(account, server)


def _replicating(account: Account, request: Request, action: str) -> SourceServer:
    server = account.server(request["sourceServerID"])
    if not server.replication.active:
        raise account.wrong_state(server, f"{action} while {server.replication.state}")
    return server


def _change(change: Callable[[Account, SourceServer], None]) -> Operation:
    def run(account: Account, request: Request) -> View:
        server = account.server(request["sourceServerID"])
        change(account, server)
        return server_view(account, server)

    return run


def server_names(account: Account, request: Request) -> Iterable[str]:
    """Names by which a fault may mean the servers a request names, which nobody has checked yet."""
    filters = request.get("filters")
    asked = [request.get("sourceServerID")]
    for place in (request, filters if isinstance(filters, Mapping) else {}):
        ids = place.get("sourceServerIDs")
        asked += ids if isinstance(ids, list | tuple) else ()
    for server_id in asked:
        if isinstance(server_id, str) and (server := account.servers.get(server_id)):
            yield from (server.server_id, server.name, server.hardware.hostname)


OPERATIONS: dict[str, Operation] = {
    "DescribeSourceServers": describe_source_servers,
    "UpdateSourceServer": update_source_server,
    "UpdateSourceServerReplicationType": update_replication_type,
    "ChangeServerLifeCycleState": change_life_cycle_state,
    "FinalizeCutover": _change(lifecycle.finalize),
    "DisconnectFromService": _change(lifecycle.disconnect),
    "MarkAsArchived": _change(lifecycle.archive),
    "DeleteSourceServer": delete_source_server,
    "StartReplication": start_replication,
    "StopReplication": stop_replication,
    "PauseReplication": pause_replication,
    "ResumeReplication": resume_replication,
    "RetryDataReplication": retry_data_replication,
}
