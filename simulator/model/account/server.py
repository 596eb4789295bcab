"""One source server: what it is, where it stands, what was launched from it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.model.settings.timings import Timings

Phase = Literal["test", "cutover"]
GIB = 1024**3
WITHOUT_AGENT = frozenset({"DISCOVERED", "PENDING_INSTALLATION"})


@dataclass(frozen=True, slots=True)
class Disk:
    """A source disk, size in bytes."""

    device_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Application:
    """The tiny plain HTTP application a launched instance answers with."""

    port: int
    path: str = "/"
    status: int = 200
    body: str = "ok\n"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the agent reports about the machine; constant for its life."""

    hostname: str
    fqdn: str
    vmware_uuid: str
    vm_path: str
    aws_instance_id: str
    os: str
    cpu_cores: int
    cpu_model: str
    ram_bytes: int
    mac_address: str
    ip_addresses: tuple[str, ...]
    disks: tuple[Disk, ...]
    recommended_instance_type: str


@dataclass(slots=True)
class PhaseRecord:
    """Times of the last test or the last cutover, in seconds since 1970."""

    initiated_at: float | None = None
    job_id: str = ""
    reverted_at: float | None = None
    finalized_at: float | None = None


@dataclass(slots=True)
class LaunchedInstance:
    """The target instance now owned by the server."""

    instance_id: str
    job_id: str
    phase: Phase
    first_boot: str = "WAITING"
    status: str = "initializing"
    checked_at: float = 0.0
    failed_mandatory_actions: tuple[str, ...] = ()


@dataclass(slots=True)
class Replication:
    """Data replication of one server; times in seconds since 1970."""

    state: str = "STOPPED"
    since: float = 0.0
    due: float | None = None
    epoch: int = 0
    started_at: float | None = None
    first_byte_at: float | None = None
    continuous_at: float | None = None
    ended_at: float | None = None
    launchable: bool = False
    held_state: str = ""
    held_remaining: float | None = None
    held_progress: float = 0.0
    backlog_bytes: int = 0
    error: str = ""
    raw_error: str = ""
    steps_reset: bool = False
    next_attempt_at: float | None = None

    @property
    def active(self) -> bool:
        """Whether the service replicates the server, interrupted or not."""
        return self.state not in ("STOPPED", "DISCONNECTED")


@dataclass(slots=True)
class SourceServer:
    """A source server with everything the service knows about it."""

    server_id: str
    arn: str
    name: str
    sequence: int
    hardware: Hardware
    timings: Timings
    state: str
    added_at: float
    platform: str
    """`linux` or `windows`, as the agent, an import or a person says."""
    replication_type: str = "AGENT_BASED"
    user_provided_id: str = ""
    fqdn_for_actions: str = ""
    connector_action: dict[str, str] | None = None
    application_id: str = ""
    vcenter_client_id: str = ""
    archived: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    replication: Replication = field(default_factory=Replication)
    last_test: PhaseRecord = field(default_factory=PhaseRecord)
    last_cutover: PhaseRecord = field(default_factory=PhaseRecord)
    launched: LaunchedInstance | None = None
    job_id: str = ""
    attempts: dict[str, int] = field(default_factory=dict)
    application: Application | None = None
    template_id: str = ""
    launch_settings: dict[str, Any] = field(default_factory=dict)
    launch_defaults: dict[str, Any] = field(default_factory=dict)
    replication_settings: dict[str, Any] = field(default_factory=dict)
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    source_action_results: dict[str, dict[str, Any]] = field(default_factory=dict)
    ready_for_test_announced: bool = False
    static_json: str = ""

    def record(self, phase: Phase) -> PhaseRecord:
        """The record of the last test or cutover."""
        return self.last_test if phase == "test" else self.last_cutover

    @property
    def has_agent(self) -> bool:
        """Whether an agent was installed on it."""
        return self.replication_type == "AGENT_BASED" and self.state not in WITHOUT_AGENT

    def runs(self, instance: LaunchedInstance) -> bool:
        """Whether that instance is still the launched one."""
        return self.launched is instance and instance.status != "terminated"
