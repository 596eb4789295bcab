"""Scripts run on source servers through a connector (docs/mgn.md#source-actions); installed models may be older."""

from collections.abc import Iterable
from typing import Any

from simulator.model.account.account import Account
from simulator.model.forms.errors import not_found
from simulator.model.forms.formats import View
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.paging import kept_page, numbered_page
from simulator.operations.service import CONNECTOR

ACTION, JOB = "RemoteSourceAction", "RemoteSourceActionJob"
_ID = {ACTION: "remoteSourceActionID", JOB: "remoteSourceActionJobID"}
_SETTINGS = ("name", "description", "ssmParameterName", "timeoutSeconds", "operatingSystem")


def create_action(account: Account, request: Request) -> View:
    identifier = account.ids.new("rsa")
    action = {
        _ID[ACTION]: identifier,
        "arn": account.ids.arn("remote-source-action", identifier),
        "timeoutSeconds": 3600,
        **_settings(request),
        "tags": dict(request.get("tags") or {}),
    }
    return account.keep(ACTION, identifier, action)


def update_action(account: Account, request: Request) -> View:
    action = account.resource(ACTION, request[_ID[ACTION]])
    action.update(_settings(request))
    return action


def delete_action(account: Account, request: Request) -> View:
    """Its invocation results go with it (model doc)."""
    action = account.resource(ACTION, request[_ID[ACTION]])
    del account.kept(ACTION)[action[_ID[ACTION]]]
    for server in account.servers.values():
        server.source_action_results.pop(action[_ID[ACTION]], None)
    return {}


def start_job(account: Account, request: Request) -> View:
    token = request.get("clientToken")
    for known in account.kept(JOB).values():
        if token and known["clientToken"] == token:
            return {"remoteSourceActionJob": known}
    _by_arn(CONNECTOR, account.kept(CONNECTOR).values(), request["connectorArn"])
    for arn in request["remoteSourceActionArns"]:
        _by_arn(ACTION, account.kept(ACTION).values(), arn)
    for arn in request["sourceServerArns"]:
        account.server(arn.rpartition("/")[2])
    identifier = account.ids.new("rsajob")
    new = {
        _ID[JOB]: identifier,
        "arn": account.ids.arn("remote-source-action-job", identifier),
        "status": "PENDING",
        **{name: request[name] for name in ("connectorArn", "remoteSourceActionArns", "sourceServerArns")},
        "startedAt": account.now,
        "tags": dict(request.get("tags") or {}),
        "clientToken": token,
        "invocations": [
            {"sourceServerArn": server, "remoteSourceActionArn": action, "status": "PENDING"}
            for server in dict.fromkeys(request["sourceServerArns"])
            for action in request["remoteSourceActionArns"]
        ],
    }
    job = account.keep(JOB, identifier, new)
    account.after(account.timings.job_pending, lambda: _run(account, job))
    return {"remoteSourceActionJob": job}


def _run(account: Account, job: dict[str, Any]) -> None:
    job["status"] = "RUNNING"
    for invocation in job["invocations"]:
        invocation.update(status="IN_PROGRESS", startedAt=account.now, ssmCommandInvocationID=account.ids.uuid())
    account.after(account.timings.action, lambda: _end(account, job))


def _end(account: Account, job: dict[str, Any]) -> None:
    job.update(status="COMPLETED", endedAt=account.now)
    for invocation in job["invocations"]:
        server = account.servers.get(invocation["sourceServerArn"].rpartition("/")[2])
        connected = server is not None and server.replication.state != "DISCONNECTED"
        invocation.update(status="SUCCESS" if connected else "FAILED", endedAt=account.now)
        action_id = invocation["remoteSourceActionArn"].rpartition("/")[2]
        if server is not None and action_id in account.kept(ACTION):
            server.source_action_results[action_id] = {
                **invocation,
                _ID[ACTION]: action_id,
                "connectorOwnerAccountID": account.ids.account_id,
            }


def list_invocations(account: Account, request: Request) -> View:
    filters = request.get("filters") or {}
    wanted = {
        member: filters.get(name)
        for member, name in (
            ("sourceServerArn", "sourceServerArns"),
            ("remoteSourceActionArn", "remoteSourceActionArns"),
            ("status", "statuses"),
        )
    }
    found = [
        (number, invocation)
        for number, invocation in enumerate(account.resource(JOB, request[_ID[JOB]])["invocations"])
        if all(not values or invocation[member] in values for member, values in wanted.items())
    ]
    return listed(*numbered_page(found, request, account.knobs.default_page_size))


def list_results(account: Account, request: Request) -> View:
    results = account.server(request["sourceServerID"]).source_action_results
    # In the order of their actions: those that ran again keep their places.
    found = sorted((account.resource(ACTION, action_id)["number"], result) for action_id, result in results.items())
    return listed(*numbered_page(found, request, account.knobs.default_page_size))


def _list(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        wanted = (request.get("filters") or {}).get(f"{_ID[kind]}s")
        found = [each for key, each in account.kept(kind).items() if not wanted or key in wanted]
        return listed(*kept_page(found, request, account.knobs.default_page_size))

    return run


def _settings(request: Request) -> dict[str, Any]:
    settings = {name: request[name] for name in _SETTINGS if name in request}
    if settings.get("operatingSystem") == "all":
        # What answers knows only linux and windows: an action for all of them has none.
        settings["operatingSystem"] = None
    return settings


def _by_arn(kind: str, kept: Iterable[dict[str, Any]], arn: str) -> None:
    if not any(each["arn"] == arn for each in kept):
        raise not_found(kind, arn)


OPERATIONS: dict[str, Operation] = {
    "CreateRemoteSourceAction": create_action,
    "UpdateRemoteSourceAction": update_action,
    "DeleteRemoteSourceAction": delete_action,
    "ListRemoteSourceActions": _list(ACTION),
    "StartRemoteSourceActionJob": start_job,
    "ListRemoteSourceActionJobs": _list(JOB),
    "ListRemoteSourceActionInvocations": list_invocations,
    "ListRemoteSourceActionInvocationResults": list_results,
}
