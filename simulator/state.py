"""The whole state as data, for the control face and the page."""

from typing import Any

from simulator.model.account import Account
from simulator.model.formats import datetime_text
from simulator.model.job_views import job_view, log_views
from simulator.model.views import server_view


def state_view(account: Account, scenario: str, seed: int) -> dict[str, Any]:
    """Servers, jobs with their logs, counters; simulated time as text and in seconds since 1970."""
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
        "servers": [
            {**server_view(account, server), "name": server.name, "activeJobID": server.job_id}
            for server in account.servers.values()
        ],
        "jobs": [{**job_view(account, job), "log": log_views(account, job)} for job in account.jobs.values()],
        "resources": {kind: list(kept.values()) for kind, kept in account.resources.items()},
    }
