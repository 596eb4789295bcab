"""MGN behind the MigrationService port."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any, cast

from runtime.adapters.aws.batches import batches
from runtime.adapters.aws.faults import mgn_faults
from runtime.adapters.aws.refusals import without_quotes
from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.models.mgn import Inventory, Job, JobLogEntry, SourceServer
from runtime.models.request import Phase

if TYPE_CHECKING:
    from mypy_boto3_mgn import MgnClient
    from mypy_boto3_mgn.literals import ChangeServerLifeCycleStateSourceServerLifecycleStateType
    from mypy_boto3_mgn.type_defs import DescribeJobsRequestFiltersTypeDef, DescribeSourceServersRequestFiltersTypeDef

IDS_PER_CALL = 200
PAGE_SIZE = 200
LOG_PAGE_SIZE = 1_000
"""The log of a full job has thousands of items, and each of its servers reads it."""

KEPT_LOGS = 4
"""The log of a job that has ended changes no more."""

INVENTORY_SECONDS = 30.0
"""A wave of names resolved one after another lists the servers once."""

MISS_SECONDS = 10.0
"""Names that are not in the list cost another one at most this often, however many of them are asked for."""


class MgnMigrationService:
    """MGN over two clients: `once` sends each call a single time.

    A launch without a client token would be another one (I3), and a change that was made is refused the next time.
    """

    def __init__(self, client: "MgnClient", once: "MgnClient") -> None:
        self._client = client
        self._once = once
        self._ended: set[str] = set()
        self._logs: dict[str, tuple[JobLogEntry, ...]] = {}
        self._inventory = Inventory()
        self._listed_at = 0.0

    def servers(self, ids: Sequence[str]) -> tuple[SourceServer, ...]:
        # Without isArchived MGN answers archived servers too: a server archived under our hands must be seen.
        found = (self._servers({"sourceServerIDs": batch}) for batch in batches(ids, IDS_PER_CALL))
        return tuple(server for servers in found for server in servers)

    def active_servers(self, *, since: datetime | None = None) -> Inventory:
        now = time()
        if self._listed_at >= (now - INVENTORY_SECONDS if since is None else since.timestamp()):
            return self._inventory
        if now - self._listed_at < MISS_SECONDS:
            raise ThrottledError("MGN's servers were listed a moment ago; which came since is seen a moment later")
        self._inventory = Inventory(self._servers({"isArchived": False}))
        # As of when it was begun: a server that came meanwhile may be missing from it.
        self._listed_at = now
        return self._inventory

    def jobs(self, ids: Sequence[str]) -> tuple[Job, ...]:
        found = (self._jobs({"jobIDs": batch}) for batch in batches(ids, IDS_PER_CALL))
        return tuple(job for jobs in found for job in jobs)

    def jobs_since(self, moment: datetime) -> Iterable[Job]:
        # Whole seconds: MGN's pattern for dates wants the Z form, and a job of the same second must not be missed.
        return self._jobs({"fromDate": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")})

    def job_log(self, job_id: str) -> tuple[JobLogEntry, ...]:
        if job_id in self._logs:
            return self._logs[job_id]
        with mgn_faults():
            pages = self._client.get_paginator("describe_job_log_items").paginate(
                jobID=job_id, PaginationConfig={"PageSize": LOG_PAGE_SIZE}
            )
            items = [item for page in pages for item in _items(page)]
            log = tuple(_log_entry(item) for item in items)
        if job_id in self._ended:
            self._logs = {**dict(list(self._logs.items())[-KEPT_LOGS:]), job_id: log}
        return log

    def start_launch(self, phase: Phase, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        start = self._once.start_test if phase is Phase.TEST else self._once.start_cutover
        with mgn_faults():
            return Job.model_validate(start(sourceServerIDs=list(ids), tags=dict(tags)).get("job"))

    def terminate(self, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        with mgn_faults():
            response = self._once.terminate_target_instances(sourceServerIDs=list(ids), tags=dict(tags))
            return Job.model_validate(response.get("job"))

    def change_lifecycle(self, source_server_id: str, state: str) -> SourceServer:
        wanted = cast("ChangeServerLifeCycleStateSourceServerLifecycleStateType", state)
        with mgn_faults():
            return SourceServer.model_validate(
                self._once.change_server_life_cycle_state(sourceServerID=source_server_id, lifeCycle={"state": wanted})
            )

    def finalize(self, source_server_id: str) -> SourceServer:
        with mgn_faults():
            return SourceServer.model_validate(self._once.finalize_cutover(sourceServerID=source_server_id))

    def _servers(self, filters: "DescribeSourceServersRequestFiltersTypeDef") -> Iterator[SourceServer]:
        with mgn_faults():
            pages = self._client.get_paginator("describe_source_servers").paginate(
                filters=filters, PaginationConfig={"PageSize": PAGE_SIZE}
            )
            for page in pages:
                yield from map(SourceServer.model_validate, _items(page))

    def _jobs(self, filters: "DescribeJobsRequestFiltersTypeDef") -> Iterator[Job]:
        with mgn_faults():
            pages = self._client.get_paginator("describe_jobs").paginate(
                filters=filters, PaginationConfig={"PageSize": PAGE_SIZE}
            )
            for page in pages:
                jobs = [Job.model_validate(item) for item in _items(page)]
                self._ended.update(job.job_id for job in jobs if not job.is_active)
                yield from jobs


def _log_entry(item: Mapping[str, Any]) -> JobLogEntry:
    data = {**item.get("eventData", {}), **item}
    # It ends in journals, logs and callbacks, so without what AWS quotes back (I11).
    raw_error = without_quotes(data["rawError"]) if data.get("rawError") else None
    return JobLogEntry.model_validate({**data, "rawError": raw_error})


def _items(page: Mapping[str, Any]) -> Sequence[Any]:
    # Every list of MGN's has its items, be they none (docs/mgn.md#wire): an answer that lost them says nothing.
    if (items := page.get("items")) is None:
        raise ServiceUnavailableError("no usable answer from MGN: a list without items")
    return cast("Sequence[Any]", items)
