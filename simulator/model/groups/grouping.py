"""Applications and waves: labels over servers, with a status summed up over them (docs/mgn.md#grouping)."""

from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.server import SourceServer
from simulator.model.forms.errors import over_quota
from simulator.model.forms.formats import View, datetime_text
from simulator.model.replication.views import lag_seconds
from simulator.model.servers.views import tags_view

Group = dict[str, Any]
APPLICATION, WAVE = "Application", "Wave"
GROUP_ID = {APPLICATION: "applicationID", WAVE: "waveID"}
_PREFIX = {APPLICATION: "app", WAVE: "wave"}


def create_group(account: Account, kind: str, name: str, description: str = "", tags: Any = None) -> Group:
    """A new application or wave."""
    require_room(account, kind, archived=False)
    identifier = account.ids.new(_PREFIX[kind])
    group: Group = {
        GROUP_ID[kind]: identifier,
        "arn": account.ids.arn(kind.lower(), identifier),
        "name": name,
        "isArchived": False,
        "created": account.now,
        "modified": account.now,
        "tags": dict(tags or {}),
        **({"description": description} if description else {}),
    }
    return account.keep(kind, identifier, group)


def group_view(account: Account, kind: str, group: Group) -> View:
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


def members_of(account: Account, application_id: str) -> list[SourceServer]:
    """The servers in an application."""
    return [server for server in account.servers.values() if server.application_id == application_id]


def _application_status(account: Account, group: Group) -> View:
    servers = members_of(account, group["applicationID"])
    return {**_status(account, servers), "totalSourceServers": len(servers)}


def _wave_status(account: Account, group: Group) -> View:
    applications = applications_of(account, group["waveID"])
    servers = [server for app in applications for server in members_of(account, app["applicationID"])]
    started = [server.replication.started_at for server in servers if server.replication.started_at is not None]
    since = {"replicationStartedDateTime": datetime_text(min(started), account.knobs.timestamps)} if started else {}
    return {**_status(account, servers), "totalApplications": len(applications), **since}


def _status(account: Account, servers: list[SourceServer]) -> View:
    """Health is that of the worst server; done means all cut over."""
    done = [server for server in servers if server.state == "CUTOVER"]
    if servers and len(done) == len(servers):
        progress = "COMPLETED"
    else:
        begun = done or any(server.replication.active for server in servers)
        progress = "IN_PROGRESS" if begun else "NOT_STARTED"
    health = "HEALTHY"
    for server in servers:
        if server.replication.state == "STALLED":
            return {"healthStatus": "ERROR", "progressStatus": progress}
        if lag_seconds(account, server):
            health = "LAGGING"
    return {"healthStatus": health, "progressStatus": progress}


def require_room(account: Account, kind: str, *, archived: bool) -> None:
    """Refuse one more active or archived group over its quota."""
    limit = getattr(account.quotas, f"{'archived' if archived else 'active'}_{kind.lower()}s")
    count = sum(1 for group in account.kept(kind).values() if group["isArchived"] == archived)
    if count >= limit:
        state = "archived" if archived else "active"
        raise over_quota(
            "ServiceQuotaExceededException", f"Maximum of {limit} {state} {kind.lower()}s reached",
            f"L-MGN-{state.upper()}-{kind.upper()}S", limit, kind,
        )  # fmt: skip


def find_group(account: Account, kind: str, name: str) -> Group | None:
    """The application or wave of that name."""
    return next((group for group in account.kept(kind).values() if group["name"] == name), None)


def applications_of(account: Account, wave_id: str) -> list[Group]:
    """The applications in a wave."""
    return [application for application in account.kept(APPLICATION).values() if application.get("waveID") == wave_id]
