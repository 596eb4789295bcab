"""The whole state as data for the control face, and a glance at it for the page."""

from collections import Counter
from itertools import islice
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.job import Job
from simulator.model.account.ports import Instance
from simulator.model.account.server import SourceServer
from simulator.model.forms.formats import datetime_text
from simulator.model.jobs.views import job_view, log_views
from simulator.model.servers.views import server_view

SERVERS_ON_A_PAGE = 50
JOBS_AT_A_GLANCE = 30
IN_JOB, ARCHIVED = "IN_A_JOB", "ARCHIVED"
_LIFECYCLES = (
    "STOPPED", "DISCOVERED", "PENDING_INSTALLATION", "NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER",
    "CUTTING_OVER", "CUTOVER", "DISCONNECTED",
)  # fmt: skip
_ALWAYS_COUNTED = frozenset({"READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER", "CUTOVER"})
_STAGE = {
    "CLEANUP_START": "cleanup",
    "SNAPSHOT_START": "snapshot",
    "CONVERSION_START": "conversion",
    "LAUNCH_START": "launch",
}
_STAGES = ("LAUNCHED", "TERMINATED", "FAILED", "SKIPPED", "launch", "conversion", "snapshot", "cleanup", "pending")


def state_view(account: Account, scenario: str, seed: int) -> dict[str, Any]:
    """All there is, in full; simulated time as text and in seconds since 1970."""
    jobs = account.jobs.values()
    return {
        **_counters(account, scenario, seed),
        "servers": [_server(account, server) for server in account.servers.values()],
        "jobs": [{**job_view(account, job), "log": log_views(account, job)} for job in jobs],
        "resources": {kind: list(kept.values()) for kind, kept in account.resources.items()},
        "instances": [_instance(instance) for instance in list(account.compute.instances.values())],
        "faults": [fault.model_dump(mode="json") for fault in account.chaos.in_force()],
    }


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "instanceID": instance.instance_id,
        "sourceServerID": instance.server_id,
        "instanceType": instance.instance_type,
        "state": instance.state,
        "status": instance.status,
        "ssm": instance.ssm,
        "tags": dict(instance.tags),
    }


def glance_view(account: Account, scenario: str, seed: int, *, find: str, state: str, page: int) -> dict[str, Any]:
    """Counters, one page of the servers asked for, the newest jobs: cheap enough to ask for every second."""
    found = [server for server in account.servers.values() if _matches(server, find.lower(), state)]
    pages = max(1, -(-len(found) // SERVERS_ON_A_PAGE))
    page = min(max(page, 1), pages)
    first = (page - 1) * SERVERS_ON_A_PAGE
    states = Counter(server.state for server in account.servers.values())
    jobs = islice(reversed(account.jobs.values()), JOBS_AT_A_GLANCE)
    return {
        **_counters(account, scenario, seed),
        "quotaJobs": account.quotas.active_jobs,
        "quotaServers": account.quotas.servers_in_active_jobs,
        "lifecycles": {each: states[each] for each in _LIFECYCLES if states[each] or each in _ALWAYS_COUNTED},
        "archived": sum(server.archived for server in account.servers.values()),
        "found": len(found),
        "page": page,
        "pages": pages,
        "names": {server.server_id: server.name for server in account.servers.values()},
        "servers": [_server(account, server) for server in found[first : first + SERVERS_ON_A_PAGE]],
        "jobs": [{**job_view(account, job), "stages": _stages(job)} for job in jobs],
    }


def _counters(account: Account, scenario: str, seed: int) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "seed": seed,
        "accountID": account.ids.account_id,
        "region": account.ids.region,
        "initialized": account.initialized,
        "time": datetime_text(account.now, "Z"),
        "seconds": account.now,
        "nextDueSeconds": account.agenda.next_due(),
        "activeJobs": len(account.active_jobs),
        "activeServers": account.servers_in_active_jobs(),
        "totalServers": len(account.servers),
        "totalJobs": len(account.jobs),
    }


def _matches(server: SourceServer, find: str, state: str) -> bool:
    if state == IN_JOB:
        chosen = bool(server.job_id)
    elif state == ARCHIVED:
        chosen = server.archived
    else:
        chosen = not state or server.state == state
    launched = (server.launched.instance_id, server.launched.job_id) if server.launched else ()
    texts = (server.name, server.server_id, server.user_provided_id, server.job_id, *launched)
    return chosen and (not find or any(find in text.lower() for text in texts))


def _stages(job: Job) -> dict[str, int]:
    """How many of a job's servers stand where, the furthest first."""
    reached = {
        item.data["sourceServerID"]: _STAGE[item.event]
        for item in job.log
        if item.event in _STAGE and "sourceServerID" in item.data
    }
    counts = Counter(
        "SKIPPED" if each.skipped else each.launch_status if each.settled else reached.get(each.server_id, "pending")
        for each in job.participants.values()
    )
    return {stage: counts[stage] for stage in _STAGES if counts[stage]}


def _server(account: Account, server: SourceServer) -> dict[str, Any]:
    return {**server_view(account, server), "name": server.name, "activeJobID": server.job_id}
