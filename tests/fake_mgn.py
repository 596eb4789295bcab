"""MGN as far as the pipeline uses it: lifecycle, jobs, who may call what when; docs/mgn.md#lifecycle, docs/mgn.md#jobs.

The simulator is the faithful one. This one is for tests of decisions: it has no clock, and jobs end when told to.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from runtime.errors import (
    MigrationError,
    SourceServerBusyError,
    SourceServerGoneError,
    SourceServerStateError,
    ThrottledError,
)
from runtime.models.mgn import (
    Initiated,
    Inventory,
    Job,
    JobLogEntry,
    LastLaunch,
    LaunchedInstance,
    LifeCycle,
    ParticipatingServer,
    SourceServer,
)
from runtime.models.request import Phase
from tests.builders import NOON

_LAUNCHABLE = {
    Phase.TEST: ("READY_FOR_TEST", "TESTING"),
    Phase.CUTOVER: ("READY_FOR_CUTOVER",),
}
_LAUNCHING = {Phase.TEST: "TESTING", Phase.CUTOVER: "CUTTING_OVER"}
_CHANGES = {
    "READY_FOR_TEST": ("TESTING", "READY_FOR_CUTOVER"),
    "READY_FOR_CUTOVER": ("READY_FOR_TEST", "TESTING", "CUTTING_OVER"),
}
_NOT_TERMINABLE = ("TESTING", "CUTTING_OVER", "CUTOVER")

ACTIVE_JOBS = 20
SERVERS_IN_ACTIVE_JOBS = 200


class FakeMgn:
    """A MigrationService. `failures` are raised by the next calls; `lost` ones after the call had its effect."""

    def __init__(self, *servers: SourceServer) -> None:
        self.by_id = {server.source_server_id: server for server in servers}
        self.started: list[Job] = []
        self.logs: dict[str, list[JobLogEntry]] = {}
        self.failures: dict[str, list[MigrationError]] = {}
        self.lost: dict[str, list[MigrationError]] = {}
        self.refusing: dict[str, MigrationError] = {}
        """Servers no job is started for, although nothing MGN shows tells why."""
        self.unseen: set[str] = set()
        """Jobs that were started and are not shown yet."""
        self.unlisted: set[str] = set()
        """Jobs that are shown to those who ask for them by id."""
        self.calls: list[str] = []
        self.now = NOON

    def add(self, server: SourceServer) -> None:
        """Add the server, or put it in the place of its earlier self."""
        self.by_id[server.source_server_id] = server

    def end(self, job_id: str, launch_status: str = "LAUNCHED", *, instance_id: str | None = None) -> Job:
        """End a job, each of its servers with `launch_status`."""
        job = next(job for job in self.started if job.job_id == job_id)
        if job.type == "TERMINATE":
            launch_status = "TERMINATED"
        ended = []
        for number, part in enumerate(job.participating_servers):
            launched = instance_id or f"i-{job_id[-8:]}{number:09d}" if launch_status == "LAUNCHED" else None
            ended.append(part.model_copy(update={"launch_status": launch_status, "launched_ec2_instance_id": launched}))
            self._hold(part.source_server_id, job_id, launched)
        job = job.model_copy(update={"status": "COMPLETED", "participating_servers": tuple(ended)})
        self.started = [job if other.job_id == job_id else other for other in self.started]
        return job

    def servers(self, ids: Sequence[str]) -> tuple[SourceServer, ...]:
        self._called("servers")
        return tuple(self.by_id[source_id] for source_id in ids if source_id in self.by_id)

    def active_servers(self, *, since: datetime | None = None) -> Inventory:
        self._called("active_servers")
        return Inventory(server for server in self.by_id.values() if not server.is_archived)

    def jobs(self, ids: Sequence[str]) -> tuple[Job, ...]:
        self._called("jobs")
        return tuple(job for job in self._shown() if job.job_id in ids)

    def jobs_since(self, moment: datetime) -> Iterable[Job]:
        self._called("jobs_since")
        listed = [job for job in self._shown() if job.job_id not in self.unlisted]
        found = [job for job in listed if _created(job) >= moment.replace(microsecond=0)]
        return iter(sorted(found, key=_created, reverse=True))

    def job_log(self, job_id: str) -> tuple[JobLogEntry, ...]:
        self._called("job_log")
        return tuple(self.logs.get(job_id, ()))

    def start_launch(self, phase: Phase, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        self._called("start_launch")
        for server in self._known(ids):
            may_launch = server.state in _LAUNCHABLE[phase] and server.data_replication_info.lag_duration is not None
            self._refuse_unless(server.source_server_id, may_launch, f"start a {phase}")
        job = self._start("LAUNCH", f"START_{phase.upper()}", ids, tags)
        for source_id in ids:
            self._launching(source_id, phase, job.job_id)
        self._answered("start_launch")
        return job

    def terminate(self, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        self._called("terminate")
        for server in self._known(ids):
            self._refuse_unless(server.source_server_id, server.state not in _NOT_TERMINABLE, "terminate")
        job = self._start("TERMINATE", "TERMINATE", ids, tags)
        self._answered("terminate")
        return job

    def change_lifecycle(self, source_server_id: str, state: str) -> SourceServer:
        self._called("change_lifecycle")
        server = self._server(source_server_id)
        launchable = server.data_replication_info.lag_duration is not None
        self._refuse_unless(source_server_id, launchable and server.state in _CHANGES.get(state, ()), f"become {state}")
        return self._change(source_server_id, state)

    def finalize(self, source_server_id: str) -> SourceServer:
        self._called("finalize")
        self._refuse_unless(source_server_id, self._server(source_server_id).state == "CUTTING_OVER", "finalize")
        server = self._change(source_server_id, "CUTOVER")
        replication = server.data_replication_info.model_copy(
            update={"data_replication_state": "DISCONNECTED", "lag_duration": None}
        )
        self.add(server.model_copy(update={"data_replication_info": replication}))
        self._answered("finalize")
        return self.by_id[source_server_id]

    def _start(self, kind: str, initiated_by: str, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        active = [job for job in self.started if job.is_active]
        servers = sum(len(job.participating_servers) for job in active)
        if len(active) >= ACTIVE_JOBS or servers + len(ids) > SERVERS_IN_ACTIVE_JOBS:
            raise ThrottledError("ServiceQuotaExceededException")
        job = Job(
            job_id=f"mgnjob-{len(self.started) + 1:017d}",
            type=kind,
            initiated_by=initiated_by,
            status="PENDING",
            creation_date_time=self.now.isoformat(),
            participating_servers=tuple(ParticipatingServer(source_server_id=source_id) for source_id in ids),
            tags=dict(tags),
        )
        self.started.append(job)
        return job

    def _shown(self) -> list[Job]:
        return [job for job in self.started if job.job_id not in self.unseen]

    def _known(self, ids: Sequence[str]) -> list[SourceServer]:
        if unknown := [source_id for source_id in ids if source_id not in self.by_id]:
            raise SourceServerStateError(f"ValidationException: {', '.join(unknown)} not found")
        for source_id in ids:
            if source_id in self.refusing:
                raise self.refusing[source_id]
        return [self.by_id[source_id] for source_id in ids]

    def _server(self, source_server_id: str) -> SourceServer:
        try:
            return self.by_id[source_server_id]
        except KeyError:
            raise SourceServerGoneError(f"ResourceNotFoundException: {source_server_id}") from None

    def _refuse_unless(self, source_server_id: str, allowed: bool, what: str) -> None:
        if any(job.is_active and job.server(source_server_id) for job in self.started):
            raise SourceServerBusyError(f"{source_server_id} is currently being processed by a Job")
        if not allowed:
            state = self.by_id[source_server_id].state
            raise SourceServerStateError(f"ConflictException: {source_server_id} in {state} may not {what}")

    def _change(self, source_server_id: str, state: str) -> SourceServer:
        server = self.by_id[source_server_id]
        self.add(server.model_copy(update={"life_cycle": server.life_cycle.model_copy(update={"state": state})}))
        return self.by_id[source_server_id]

    def _launching(self, source_server_id: str, phase: Phase, job_id: str) -> None:
        server = self._change(source_server_id, _LAUNCHING[phase])
        launch = LastLaunch(initiated=Initiated(job_id=job_id, api_call_date_time=self.now.isoformat()))
        name = "last_test" if phase is Phase.TEST else "last_cutover"
        life_cycle: LifeCycle = server.life_cycle.model_copy(update={name: launch})
        self.add(server.model_copy(update={"life_cycle": life_cycle}))

    def _hold(self, source_server_id: str, job_id: str, instance_id: str | None) -> None:
        launched = (
            LaunchedInstance(ec2_instance_id=instance_id, job_id=job_id, first_boot="SUCCEEDED")
            if instance_id
            else None
        )
        self.add(self.by_id[source_server_id].model_copy(update={"launched_instance": launched}))

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    def _answered(self, method: str) -> None:
        if self.lost.get(method):
            raise self.lost[method].pop(0)


def _created(job: Job) -> datetime:
    return datetime.fromisoformat(job.creation_date_time or NOON.isoformat()).astimezone(UTC)
