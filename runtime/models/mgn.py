"""What MGN, EC2 and SSM say, reduced to what decisions need.

Every member of MGN's own shapes is optional, unknown enum values pass as strings and new members appear, so these
models take a wire dict, keep what is known and ignore the rest.
"""

import re
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from runtime.models.request import Phase


def _wire_name(name: str) -> str:
    # MGN writes sourceServerID, jobID, ec2InstanceID.
    return re.sub("Id$", "ID", to_camel(name))


class MgnView(BaseModel):
    """A read-only view of one AWS response shape."""

    model_config = ConfigDict(
        alias_generator=_wire_name, extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )


SOURCE_SERVER_TAG = "migration-source-server"
"""The tag of a managed node that names the MGN source server it is: whoever may tag the node vouches for it."""


class LifeCycleState(StrEnum):
    """The lifecycle states the orchestrator acts on; others are compared as plain strings."""

    NOT_READY = "NOT_READY"
    READY_FOR_TEST = "READY_FOR_TEST"
    TESTING = "TESTING"
    READY_FOR_CUTOVER = "READY_FOR_CUTOVER"
    CUTTING_OVER = "CUTTING_OVER"
    CUTOVER = "CUTOVER"
    DISCONNECTED = "DISCONNECTED"


def _none_if_empty(value: object) -> object:
    # MGN shows events that never happened as {} (docs/mgn.md#lifecycle).
    return None if value == {} else value


class Initiated(MgnView):
    """The launch call that started the last test or cutover."""

    job_id: str | None = None
    api_call_date_time: str | None = None


class LastLaunch(MgnView):
    """lifeCycle.lastTest or lifeCycle.lastCutover."""

    initiated: Annotated[Initiated | None, BeforeValidator(_none_if_empty)] = None

    @property
    def job_id(self) -> str | None:
        return self.initiated.job_id if self.initiated else None


class LifeCycle(MgnView):
    """A source server's lifecycle."""

    state: str = ""
    last_test: LastLaunch = LastLaunch()
    last_cutover: LastLaunch = LastLaunch()


class DataReplicationError(MgnView):
    """Why replication stalled."""

    error: str | None = None


class DataReplication(MgnView):
    """The state of replication. Launchable means lagDuration is not null (docs/mgn.md#replication)."""

    data_replication_state: str = ""
    lag_duration: str | None = None
    data_replication_error: Annotated[DataReplicationError | None, BeforeValidator(_none_if_empty)] = None


class LaunchedInstance(MgnView):
    """The instance of the last launch."""

    ec2_instance_id: str | None = None
    job_id: str | None = None
    first_boot: str | None = None


class IdentificationHints(MgnView):
    """The names MGN knows the machine by."""

    fqdn: str | None = None
    hostname: str | None = None
    vm_ware_uuid: str | None = None
    aws_instance_id: str | None = None


class SourceProperties(MgnView):
    """The part of sourceProperties that identifies a machine."""

    identification_hints: IdentificationHints = IdentificationHints()


class SourceServer(MgnView):
    """One MGN source server."""

    source_server_id: str
    is_archived: bool = False
    user_provided_id: str | None = None
    life_cycle: LifeCycle = LifeCycle()
    data_replication_info: DataReplication = DataReplication()
    launched_instance: Annotated[LaunchedInstance | None, BeforeValidator(_none_if_empty)] = None
    source_properties: SourceProperties = SourceProperties()

    @property
    def state(self) -> str:
        return self.life_cycle.state

    @property
    def names(self) -> frozenset[str]:
        """The names it may be called by, in lower case."""
        hints = self.source_properties.identification_hints
        names = (
            self.source_server_id,
            self.user_provided_id,
            hints.hostname,
            hints.fqdn,
            hints.vm_ware_uuid,
            hints.aws_instance_id,
        )
        return frozenset(name.casefold() for name in names if name)

    def launched_job(self, phase: Phase) -> str | None:
        """The job MGN last started for this server in `phase`."""
        return self._last(phase).job_id

    def was_launched_since(self, phase: Phase, moment: datetime) -> bool:
        """Whether MGN took a launch call for this server after `moment`, as far as it says when."""
        initiated = self._last(phase).initiated
        called = initiated.api_call_date_time if initiated else None
        return called is not None and datetime.fromisoformat(called) > moment

    def _last(self, phase: Phase) -> LastLaunch:
        return self.life_cycle.last_test if phase is Phase.TEST else self.life_cycle.last_cutover


class Inventory(tuple[SourceServer, ...]):
    """The source servers of an account and Region, found by name: a wave asks for hundreds of names."""

    def of_name(self, name: str) -> tuple[SourceServer, ...]:
        """Those that are called so, in upper or lower case."""
        return tuple(self._by_name.get(name.casefold(), ()))

    @cached_property
    def _by_name(self) -> dict[str, list[SourceServer]]:
        found: dict[str, list[SourceServer]] = {}
        for server in self:
            for name in server.names:
                found.setdefault(name, []).append(server)
        return found


class PostLaunchAction(MgnView):
    """The run of one post-launch action."""

    execution_status: str = ""
    failure_reason: str | None = None


class PostLaunchActions(MgnView):
    """postLaunchActionsStatus of a participating server."""

    post_launch_actions_launch_status_list: tuple[PostLaunchAction, ...] = ()


class ParticipatingServer(MgnView):
    """One server of a job; launchStatus is the only truth about its launch."""

    source_server_id: str
    launch_status: str = "PENDING"
    launched_ec2_instance_id: str | None = None
    post_launch_actions_status: Annotated[PostLaunchActions | None, BeforeValidator(_none_if_empty)] = None


class Job(MgnView):
    """One MGN job. There is no FAILED job status; COMPLETED says nothing about any server (docs/mgn.md#jobs)."""

    job_id: str
    type: str = ""
    initiated_by: str = ""
    status: str = ""
    creation_date_time: str | None = None
    end_date_time: str | None = None
    participating_servers: tuple[ParticipatingServer, ...] = ()
    tags: dict[str, str] = {}

    @property
    def is_active(self) -> bool:
        return self.status != "COMPLETED"

    @property
    def is_settled(self) -> bool:
        """Whether MGN has said of each of its servers what became of it."""
        return all(part.launch_status in ("LAUNCHED", "FAILED", "TERMINATED") for part in self.participating_servers)

    @property
    def created_at(self) -> datetime:
        """When the job was created; long ago when MGN does not say."""
        return datetime.fromisoformat(self.creation_date_time or "2020-01-01T00:00:00+00:00")

    @property
    def seconds(self) -> float | None:
        """How long the job took; None while it runs."""
        ended = datetime.fromisoformat(self.end_date_time) if self.end_date_time else None
        return (ended - self.created_at).total_seconds() if ended and self.creation_date_time else None

    def server(self, source_server_id: str) -> ParticipatingServer | None:
        """This job's word on one server; None when the server is not in it."""
        return next((s for s in self.participating_servers if s.source_server_id == source_server_id), None)


class JobLogEntry(MgnView):
    """One job log item."""

    event: str
    source_server_id: str | None = None
    raw_error: str | None = None

    @property
    def tells_of_failure(self) -> bool:
        return self.event in ("SERVER_SKIPPED", "LAUNCH_FAILED", "JOB_CANCEL") or self.event.endswith("_FAIL")


class InstanceHealth(MgnView):
    """What EC2 and SSM say of one launched instance; `state` is None when EC2 does not know it."""

    instance_id: str
    state: str | None = None
    instance_status: str | None = None
    system_status: str | None = None
    ssm_ping: str | None = None
    private_ip: str | None = None

    @property
    def is_gone(self) -> bool:
        return self.state in (None, "terminated", "shutting-down")

    @property
    def passes_status_checks(self) -> bool:
        return self.state == "running" and self.instance_status == "ok" and self.system_status == "ok"


class NetworkFacts(MgnView):
    """What EC2 knows of the launch settings a request names; missing ones are listed, not hidden."""

    vpc_by_subnet: dict[str, str] = {}
    vpc_by_security_group: dict[str, str] = {}
    known_instance_types: tuple[str, ...] = ()


class LaunchTemplateRef(MgnView):
    """A launch template and the version that was its default."""

    launch_template_id: str
    default_version: int


class CommandStatus(MgnView):
    """The state of one SSM command invocation: Pending, InProgress, Success, Failed, …"""

    status: str
    detail: str = ""

    @property
    def goes_on(self) -> bool:
        return self.status in ("Pending", "InProgress", "Delayed", "Cancelling")


class Truth(MgnView):
    """One reading of MGN, EC2 and SSM, batched over many servers."""

    servers: dict[str, SourceServer] = {}
    jobs: dict[str, Job] = {}
    instances: dict[str, InstanceHealth] = {}
    launching: frozenset[str] = frozenset()
    """Migrations whose launch call may have been made without its job being known."""
    young_jobs: frozenset[str] = frozenset()
    """Jobs that MGN may not show yet."""

    def is_over(self, job_id: str | None) -> bool:
        """Whether MGN is done with a job; one it does not show has ended, unless it is too young to be shown."""
        job = self.jobs.get(job_id or "")
        return job_id not in self.young_jobs if job is None else not job.is_active
