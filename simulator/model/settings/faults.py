"""What shall go wrong: faults as data, and when each applies."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from simulator.model.settings.timings import Interval, Seconds

Probability = Annotated[float, Field(ge=0, le=1)]
Globs = tuple[str, ...]
StallError = Literal[
    "AGENT_NOT_SEEN", "SNAPSHOTS_FAILURE", "NOT_CONVERGING", "UNSTABLE_NETWORK", "FAILED_TO_CREATE_SECURITY_GROUP",
    "FAILED_TO_LAUNCH_REPLICATION_SERVER", "FAILED_TO_BOOT_REPLICATION_SERVER", "FAILED_TO_AUTHENTICATE_WITH_SERVICE",
    "FAILED_TO_DOWNLOAD_REPLICATION_SOFTWARE", "FAILED_TO_CREATE_STAGING_DISKS", "FAILED_TO_ATTACH_STAGING_DISKS",
    "FAILED_TO_PAIR_REPLICATION_SERVER_WITH_AGENT", "FAILED_TO_CONNECT_AGENT_TO_REPLICATION_SERVER",
    "FAILED_TO_START_DATA_TRANSFER", "UNSUPPORTED_VM_CONFIGURATION", "LAST_SNAPSHOT_JOB_FAILED",
    "FAILED_TO_SETUP_FSX_PROXY", "FAILED_TO_CREATE_FSX_SNAPSHOT",
]  # fmt: skip


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: Globs = Field(("*",), min_length=1, description="globs on the server's name, host name or id")
    probability: Probability = 1.0

    def concerns(self, *names: str) -> bool:
        """Whether any of the names of a server matches."""
        return any(fnmatchcase(name, glob) for glob in self.servers for name in names if name)


class LaunchFault(_Fault):
    """A launch that goes wrong at one step."""

    kind: Literal["launch"] = "launch"
    at: Literal[
        "cleanup",
        "snapshot",
        "previous_snapshot",
        "conversion",
        "launch",
        "boot",
        "status",
        "ssm",
        "application",
        "actions",
        "terminate",
    ] = Field(description="step that fails; boot: never boots; status, ssm, application: boots but that check fails")
    phase: Literal["test", "cutover", "any"] = "any"
    attempts: tuple[int, ...] = Field(
        (), description="which launches of that phase, or at terminate which terminations; first is 1, empty means each"
    )
    error: str = Field("", description="text of rawError; a fitting one when empty")
    first_boot: Literal["WAITING", "UNKNOWN"] = Field(
        "WAITING", description="firstBoot of an instance that never boots"
    )
    actions: Globs = Field(("*",), description="globs on names of post-launch actions that fail")


class ReplicationFault(_Fault):
    """Replication that is interrupted, for a while or for good."""

    kind: Literal["replication"] = "replication"
    state: Literal["STALLED", "BACKLOG", "RESCAN"] = "STALLED"
    after_seconds: Seconds = Field(0, description="simulated seconds after the start or the injection")
    lasts_seconds: Interval | None = Field(None, description="simulated seconds until it heals; never when null")
    error: StallError = Field("AGENT_NOT_SEEN", description="dataReplicationError.error of a stall")
    backlog_gib: float = Field(1, ge=0)


class CallFault(_Fault):
    """An API call that is answered badly or not at all."""

    kind: Literal["call"] = "call"
    operations: Globs = Field(("*",), min_length=1, description="globs on operation names")
    outcome: Literal[
        "throttle", "internal", "unavailable", "access_denied", "timeout_before", "timeout_after", "timeout_late"
    ] = Field(
        description="timeout_after: the effect happens, then no answer comes; timeout_late: no answer comes, and the "
        "effect happens late_arrival_seconds after the call, or its refusal"
    )
    calls: tuple[int, ...] = Field((), description="which matching calls, first is 1; empty means each")


class EventFault(_Fault):
    """How unreliably native events are delivered; the first entry that matches an event decides."""

    kind: Literal["events"] = "events"
    detail_types: Globs = Field(("*",), min_length=1)
    drop: Probability = 0.0
    duplicate: Probability = 0.0
    delay_seconds: tuple[Seconds, Seconds] = Field((0, 0), description="shortest and longest delay, simulated seconds")
    reorder: Probability = Field(0.0, description="share of events held back behind later ones by reorder_seconds")
    reorder_seconds: Seconds = 120

    @field_validator("delay_seconds")
    @classmethod
    def _shortest_first(cls, delays: tuple[float, float]) -> tuple[float, float]:
        if delays[0] > delays[1]:
            raise ValueError("the shortest delay comes first: swap the two")
        return delays


Fault = Annotated[LaunchFault | ReplicationFault | CallFault | EventFault, Field(discriminator="kind")]
