"""The whole state as data, for the control face and the page."""

from itertools import islice
from typing import Any

from simulator.model.account import Account
from simulator.model.formats import datetime_text
from simulator.model.job_views import job_view, log_views
from simulator.model.server import SourceServer
from simulator.model.views import server_view


def state_view(account: Account, scenario: str, seed: int) -> dict[str, Any]:
    """Servers, jobs with their logs, counters; simulated time as text and in seconds since 1970."""
    jobs = account.jobs.values()
    return {
        **glance_view(account, scenario, seed),
        "servers": [_server(account, server) for server in account.servers.values()],
        "jobs": [{**job_view(account, job), "log": log_views(account, job)} for job in jobs],
        "resources": {kind: list(kept.values()) for kind, kept in account.resources.items()},
    }


def glance_view(account: Account, scenario: str, seed: int, servers: int = 0, jobs: int = 0) -> dict[str, Any]:
    """Counters with the first so many servers and the newest so many jobs: cheap enough to ask for every second."""
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
        "servers": [_server(account, server) for server in islice(account.servers.values(), servers)],
        "jobs": [job_view(account, job) for job in islice(reversed(account.jobs.values()), jobs)],
    }


def _server(account: Account, server: SourceServer) -> dict[str, Any]:
    return {**server_view(account, server), "name": server.name, "activeJobID": server.job_id}
