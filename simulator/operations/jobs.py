"""Operations that start, list and delete jobs (docs/mgn.md#jobs)."""

from collections.abc import Callable

from simulator.model.account.account import Account
from simulator.model.account.job import Job
from simulator.model.account.server import Phase
from simulator.model.forms.errors import conflict, invalid
from simulator.model.forms.formats import View, parse_datetime
from simulator.model.jobs.starting import start_job
from simulator.model.jobs.views import job_json, job_view, numbered_log
from simulator.operations.answers import Operation, Page, Request, listed
from simulator.operations.paging import numbered_page, page


def _starter(phase: Phase | None) -> Operation:
    def run(account: Account, request: Request) -> View:
        job = start_job(account, phase, request["sourceServerIDs"], request.get("tags") or {})
        return {"job": job_view(account, job)}

    return run


def describe_jobs(account: Account, request: Request) -> Page[Job]:
    """Newest first."""
    filters = request.get("filters") or {}
    ids = filters.get("jobIDs")
    jobs = [account.jobs[job_id] for job_id in ids if job_id in account.jobs] if ids else list(account.jobs.values())
    jobs = sorted({job.job_id: job for job in jobs}.values(), key=lambda job: -job.sequence)
    found, token = page(
        jobs,
        request,
        account.knobs.default_page_size,
        lambda job: -job.sequence,
        _created_between(filters),
    )
    return Page(account, found, token, job_view, job_json)


def _created_between(filters: Request) -> Callable[[Job], bool]:
    earliest, latest = _moment(filters, "fromDate", float("-inf")), _moment(filters, "toDate", float("inf"))
    return lambda job: earliest <= job.created_at <= latest


def _moment(filters: Request, name: str, otherwise: float) -> float:
    text = filters.get(name)
    if text is None:
        return otherwise
    try:
        return parse_datetime(text)
    except ValueError as error:
        # The model's pattern lets the 30th of February through.
        raise invalid(f"No such date: {text}", {f"filters.{name}": "Member must be a date of the calendar"}) from error


def describe_job_log_items(account: Account, request: Request) -> View:
    job = account.jobs.get(request["jobID"])
    if job is None:
        # ResourceNotFoundException is not modelled on this operation (docs/mgn.md#errors).
        raise invalid(f"Job with id {request['jobID']} not found", {"jobID": "no such job"})
    items, token = numbered_page(numbered_log(account, job), request, account.knobs.default_page_size)
    return listed(items, token)


def delete_job(account: Account, request: Request) -> View:
    job = account.job(request["jobID"])
    if job.active:
        raise conflict(f"Job {job.job_id} is {job.status}: only COMPLETED jobs can be deleted", "Job", job.job_id)
    del account.jobs[job.job_id]
    return {}


OPERATIONS: dict[str, Operation] = {
    "StartTest": _starter("test"),
    "StartCutover": _starter("cutover"),
    "TerminateTargetInstances": _starter(None),
    "DescribeJobs": describe_jobs,
    "DescribeJobLogItems": describe_job_log_items,
    "DeleteJob": delete_job,
}
