"""Jobs and their logs as the service shows them (mgn.md §3)."""

from typing import Any

from simulator.model.account import Account
from simulator.model.formats import datetime_text
from simulator.model.job import Job, LogItem, Participant
from simulator.model.views import View, tags_view


def job_view(account: Account, job: Job) -> View:
    """The Job structure."""
    style = account.knobs.timestamps
    view: View = {
        "jobID": job.job_id,
        "arn": job.arn,
        "type": job.kind,
        "initiatedBy": job.initiated_by,
        "creationDateTime": datetime_text(job.created_at, style),
        "status": job.status,
        "participatingServers": [_participant(account, participant) for participant in job.participants.values()],
        "tags": tags_view(account, job.tags, job.arn),
    }
    if job.ended_at is not None:
        view["endDateTime"] = datetime_text(job.ended_at, style)
    return view


def log_views(account: Account, job: Job) -> list[View]:
    """The job's log, in the order the knob asks for."""
    items = list(job.log)
    if account.knobs.job_log_order == "newest_first":
        items.reverse()
    elif account.knobs.job_log_order == "by_server":
        items.sort(key=lambda item: _server_rank(job, item))
    return [_log_item(account, item) for item in items]


def _server_rank(job: Job, item: LogItem) -> int:
    if item.event == "JOB_END":
        return len(job.participants) + 1
    server_id = item.data.get("sourceServerID")
    return 0 if server_id is None else 1 + list(job.participants).index(server_id)


def _log_item(account: Account, item: LogItem) -> View:
    return {
        "logDateTime": datetime_text(item.at, account.knobs.timestamps),
        "event": item.event,
        "eventData": dict(item.data),
    }


def _participant(account: Account, participant: Participant) -> View:
    view: View = {"sourceServerID": participant.server_id, "launchStatus": participant.launch_status}
    if participant.instance_id:
        view["launchedEc2InstanceID"] = participant.instance_id
    if participant.actions and participant.instance_id:
        status: dict[str, Any] = {"postLaunchActionsLaunchStatusList": [dict(action) for action in participant.actions]}
        if participant.agent_discovered_at is not None:
            status["ssmAgentDiscoveryDatetime"] = datetime_text(
                participant.agent_discovered_at, account.knobs.timestamps
            )
        view["postLaunchActionsStatus"] = status
    return view
