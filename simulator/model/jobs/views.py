"""Jobs and their logs as the service shows them (docs/mgn.md#jobs)."""

import json
from operator import itemgetter
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.job import Job, LogItem, Participant
from simulator.model.forms.formats import View, datetime_text
from simulator.model.servers.views import tags_view

_LONGEST_LOG = 1_000_000  # above the lines of any job's log


def job_view(account: Account, job: Job) -> View:
    """The Job structure."""
    parts = [_participant(account, each) if each.actions else _plain(each) for each in job.participants.values()]
    return {**_job(account, job), "participatingServers": parts}


def job_json(account: Account, job: Job) -> str:
    """The same as JSON text; most of its hundreds of servers say two or three things of themselves."""
    parts = ",".join(_participant_json(account, participant) for participant in job.participants.values())
    return f'{json.dumps(_job(account, job), separators=(",", ":"))[:-1]},"participatingServers":[{parts}]}}'


def _participant_json(account: Account, participant: Participant) -> str:
    if participant.instance_id and participant.actions:
        return json.dumps(_participant(account, participant), separators=(",", ":"))
    known = f'{{"sourceServerID":"{participant.server_id}","launchStatus":"{participant.launch_status}"'
    if participant.instance_id:
        return f'{known},"launchedEc2InstanceID":"{participant.instance_id}"}}'
    return f"{known}}}"


def _job(account: Account, job: Job) -> View:
    style = account.knobs.timestamps
    view: View = {
        "jobID": job.job_id,
        "arn": job.arn,
        "type": job.kind,
        "initiatedBy": job.initiated_by,
        "creationDateTime": datetime_text(job.created_at, style),
        "status": job.status,
        "tags": tags_view(account, job.tags, job.arn),
    }
    if job.ended_at is not None:
        view["endDateTime"] = datetime_text(job.ended_at, style)
    return view


def log_views(account: Account, job: Job) -> list[View]:
    """The job's log, in the order the knob asks for."""
    return [view for _, view in numbered_log(account, job)]


def numbered_log(account: Account, job: Job) -> list[tuple[int, View]]:
    """The same, each line with its number in that order, which stays its own as the log grows."""
    ranks = {server_id: rank for rank, server_id in enumerate(job.participants, start=1)}
    ranks["JOB_END"] = len(ranks) + 1

    def number(index: int, item: LogItem) -> int:
        if account.knobs.job_log_order == "newest_first":
            return -index
        if account.knobs.job_log_order == "by_time":
            return index
        return ranks.get(item.data.get("sourceServerID", item.event), 0) * _LONGEST_LOG + index

    numbers = [number(index, item) for index, item in enumerate(job.log)]
    lines = sorted(zip(numbers, job.log, strict=True), key=itemgetter(0))
    return [(each, _log_item(account, item)) for each, item in lines]


def _log_item(account: Account, item: LogItem) -> View:
    return {
        "logDateTime": datetime_text(item.at, account.knobs.timestamps),
        "event": item.event,
        "eventData": dict(item.data),
    }


def _plain(participant: Participant) -> View:
    """What most of a job's hundreds of servers say of themselves."""
    view = {"sourceServerID": participant.server_id, "launchStatus": participant.launch_status}
    return {**view, "launchedEc2InstanceID": participant.instance_id} if participant.instance_id else view


def _participant(account: Account, participant: Participant) -> View:
    view = _plain(participant)
    if participant.actions and participant.instance_id:
        status: dict[str, Any] = {"postLaunchActionsLaunchStatusList": [dict(action) for action in participant.actions]}
        if participant.agent_discovered_at is not None:
            status["ssmAgentDiscoveryDatetime"] = datetime_text(
                participant.agent_discovered_at, account.knobs.timestamps
            )
        view["postLaunchActionsStatus"] = status
    return view
