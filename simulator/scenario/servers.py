"""The source servers of a scenario."""

from string import Formatter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulator.model.settings.timings import Timings
from simulator.service_model import load_service_model

LifeCycleState = Literal[
    "STOPPED", "NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER", "CUTOVER",
    "DISCONNECTED", "DISCOVERED", "PENDING_INSTALLATION",
]  # fmt: skip
ReplicationState = Literal[
    "STOPPED", "INITIATING", "INITIAL_SYNC", "BACKLOG", "CREATING_SNAPSHOT", "CONTINUOUS", "DISCONNECTED"
]
# Which replication fits a lifecycle. Once stopped it may start again whatever that was (docs/mgn.md#replication).
_UNFINISHED = ("CONTINUOUS", "BACKLOG", "CREATING_SNAPSHOT", "INITIAL_SYNC", "INITIATING", "STOPPED")
_FITTING: dict[str, tuple[str, ...]] = {
    "STOPPED": ("STOPPED",),
    "DISCOVERED": ("STOPPED",),
    "PENDING_INSTALLATION": ("STOPPED",),
    "NOT_READY": _UNFINISHED[1:],
    "READY_FOR_TEST": _UNFINISHED,
    "TESTING": _UNFINISHED,
    "READY_FOR_CUTOVER": _UNFINISHED,
    "CUTTING_OVER": _UNFINISHED,
    "CUTOVER": ("DISCONNECTED",),
    "DISCONNECTED": ("DISCONNECTED",),
}


class Part(BaseModel):
    """Anything in a scenario: fixed once read, and without fields nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DiskSpec(Part):
    """A source disk."""

    device: str = "/dev/sda1"
    gib: int = Field(8, ge=1, le=16_384, description="size; MGN takes volumes up to 16 TiB (docs/mgn.md#quotas)")


class ApplicationSpec(Part):
    """The plain HTTP application the launched instance serves."""

    port: int = Field(80, ge=1, le=65_535)
    path: str = Field("/", pattern="^/")
    status: int = Field(200, ge=100, le=599)
    body: str = "ok\n"


class ActionSpec(Part):
    """A post-launch action the server already has."""

    name: str
    document: str = "AWSMigration-ValidateHttpResponse"
    must_succeed_for_cutover: bool = False


class ServerSpec(Part):
    """One source server, or `count` alike ones."""

    name: str = Field(min_length=1, description="host name; may hold {n} or {n:03d} when count is above 1")
    count: int = Field(1, ge=1, le=50_000)
    id: str | None = Field(None, pattern="^s-[0-9a-zA-Z]{17}$")
    user_provided_id: str = ""
    fqdn: str = ""
    vmware_uuid: str = ""
    vm_path: str = ""
    aws_instance_id: str = ""
    os: str = "Ubuntu 22.04.4 LTS"
    cpu_cores: int = Field(2, ge=1)
    cpu_model: str = "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"
    ram_gib: int = Field(4, ge=1)
    disks: tuple[DiskSpec, ...] = (DiskSpec(),)
    mac: str = ""
    ip: str = Field("", description="primary address; one is invented when empty")
    recommended_instance_type: str = "t3.medium"
    lifecycle: LifeCycleState = "READY_FOR_TEST"
    replication: ReplicationState | None = Field(None, description="follows from the lifecycle when left out")
    replication_type: Literal["AGENT_BASED", "SNAPSHOT_SHIPPING"] = "AGENT_BASED"
    vcenter_client: int = Field(0, ge=0, description="which vCenter client discovered it, first is 1; 0 means none")
    archived: bool = False
    tags: dict[str, str] = {}
    app: str = Field("", description="name of the MGN application it belongs to")
    wave: str = Field("", description="name of the wave that application belongs to")
    application: ApplicationSpec | None = None
    actions: tuple[ActionSpec, ...] = ()
    launch: dict[str, Any] = Field({}, description="members of its launch configuration that differ")
    timings: Timings = Field(Timings(), description="durations that differ; those left out are the scenario's")

    @model_validator(mode="after")
    def _agrees(self) -> "ServerSpec":
        if self.count > 1 and (self.id or self.mac or self.ip or self.aws_instance_id):
            raise ValueError("id, mac, ip and aws_instance_id need count 1")
        if self.wave and not self.app:
            raise ValueError("a wave holds applications: give the server an app too")
        if self.replication not in (None, *_FITTING[self.lifecycle]):
            fitting = ", ".join(_FITTING[self.lifecycle])
            raise ValueError(
                f"replication {self.replication} with lifecycle {self.lifecycle}: change one; {fitting} fit"
            )
        _check_placeholders("name", self.name, n=1)
        _check_placeholders("user_provided_id", self.user_provided_id, n=1, name="")
        _check_placeholders("fqdn", self.fqdn, n=1, name="")
        _check_launch(self.launch)
        return self

    def names(self) -> list[str]:
        """The names of the servers this entry stands for."""
        if self.count == 1:
            return [self.name.format(n=1)]
        template = self.name if "{n" in self.name else f"{self.name}-{{n:0{max(2, len(str(self.count)))}d}}"
        return [template.format(n=number) for number in range(1, self.count + 1)]


def _check_placeholders(field: str, text: str, **known: Any) -> None:
    try:
        text.format(**known)
        if any(part is not None and part not in known for _, part, _, _ in Formatter().parse(text)):
            raise ValueError("looks inside a placeholder")
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        usable = " and ".join(f"{{{name}}}" for name in known)
        raise ValueError(f"{field} {text!r} cannot be filled in: it may hold {usable}") from error


def _check_launch(launch: dict[str, Any]) -> None:
    operation = load_service_model().operations["UpdateLaunchConfiguration"]
    problems: dict[str, str] = {}
    operation.check({"sourceServerID": "s-00000000000000000", **launch}, "", problems)
    if problems:
        raise ValueError("; ".join(f"launch.{path}: {text}" for path, text in problems.items()))
    if unknown := launch.keys() - operation.shape(launch).keys():
        raise ValueError(f"launch has no {', '.join(sorted(unknown))} in the API's launch configuration")
