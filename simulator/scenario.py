"""A scenario: which servers exist, how long things take, what goes wrong. Read from YAML, checked by pydantic."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.explanation import explain
from simulator.model.clock import DEFAULT_START, LATEST
from simulator.model.faults import CallFault, Fault
from simulator.model.knobs import Knobs
from simulator.model.quotas import Quotas
from simulator.model.timings import Timings
from simulator.service_model import load_service_model

LifeCycleState = Literal[
    "STOPPED", "NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER", "CUTOVER",
    "DISCONNECTED", "DISCOVERED", "PENDING_INSTALLATION",
]  # fmt: skip
ReplicationState = Literal[
    "STOPPED", "INITIATING", "INITIAL_SYNC", "BACKLOG", "CREATING_SNAPSHOT", "CONTINUOUS", "DISCONNECTED"
]
AccountId = Annotated[str, Field(pattern="^[0-9]{12}$")]
REGION = "[a-z]{2,}(-[a-z]+)+-[0-9]+"
_FIRST_START = datetime(1980, 1, 1, tzinfo=UTC)  # the past of the servers lies before it
_LAST_START = datetime.fromtimestamp(LATEST, UTC)
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
READY = Path(__file__).parent / "scenarios"


class ScenarioError(ValueError):
    """A scenario that cannot be used; the text names each wrong field, its value and what is expected."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DiskSpec(_Part):
    """A source disk."""

    device: str = "/dev/sda1"
    gib: int = Field(8, ge=1, le=16_384, description="size; MGN takes volumes up to 16 TiB (docs/mgn.md#quotas)")


class ApplicationSpec(_Part):
    """The plain HTTP application the launched instance serves."""

    port: int = Field(80, ge=1, le=65_535)
    path: str = Field("/", pattern="^/")
    status: int = Field(200, ge=100, le=599)
    body: str = "ok\n"


class ActionSpec(_Part):
    """A post-launch action the server already has."""

    name: str
    document: str = "AWSMigration-ValidateHttpResponse"
    must_succeed_for_cutover: bool = False


class ServerSpec(_Part):
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


def _in_utc(start: datetime) -> datetime:
    # Without a zone it would depend on the machine's.
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    if not _FIRST_START <= start < _LAST_START:
        raise ValueError(f"choose a time from {_FIRST_START.year} to {_LAST_START.year - 1}")
    return start


def _known_operations(fault: Fault) -> Fault:
    model = load_service_model()
    for glob in fault.operations if isinstance(fault, CallFault) else ():
        if not any(fnmatchcase(name, glob) for name in model.operations):
            raise model.no_operation(glob)
    return fault


CheckedFault = Annotated[Fault, AfterValidator(_known_operations)]


def _require_unique(what: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"two servers {what} {value!r}: change one")
        seen.add(value)


def _require_room(servers: Iterable[ServerSpec], quotas: Quotas) -> None:
    members: Counter[str] = Counter()
    waves: dict[str, set[str]] = {}
    wave_of: dict[str, str] = {}
    unarchived = 0
    for server in servers:
        unarchived += 0 if server.archived else server.count
        if server.app:
            members[server.app] += server.count
        if server.wave:
            waves.setdefault(server.wave, set()).add(server.app)
            if wave_of.setdefault(server.app, server.wave) != server.wave:
                both = f"{wave_of[server.app]!r} and {server.wave!r}"
                raise ValueError(f"application {server.app!r} is in two waves, {both}: keep one of them")
    _require_quota(quotas, "unarchived_servers", unarchived, "servers that are not archived")
    _require_quota(quotas, "active_applications", len(members), "applications")
    _require_quota(quotas, "active_waves", len(waves), "waves")
    for app, count in members.items():
        _require_quota(quotas, "servers_per_application", count, f"servers in application {app!r}")
    for wave, apps in waves.items():
        _require_quota(quotas, "applications_per_wave", len(apps), f"applications in wave {wave!r}")


def _require_quota(quotas: Quotas, name: str, count: int, what: str) -> None:
    limit: int = getattr(quotas, name)
    if count > limit:
        raise ValueError(f"{count} {what}: raise quotas.{name}, which is {limit}, or have fewer")


class Scenario(_Part):
    """Everything a simulator starts from."""

    name: str = "unnamed"
    description: str = ""
    seed: int = 0
    account_id: AccountId = "000000000000"
    region: str = Field("us-east-1", pattern=f"^{REGION}$")
    start: Annotated[datetime, AfterValidator(_in_utc)] | None = Field(
        None, description="simulated time of the start, UTC unless it says otherwise; a fixed day, or now when serving"
    )
    initialized: bool = True
    managed_accounts: tuple[AccountId, ...] = ()
    vcenter_clients: int = Field(0, ge=0)
    diagnostic_jobs: int = Field(0, ge=0, description="finished jobs as AWS Support makes them (docs/mgn.md#jobs)")
    knobs: Knobs = Knobs()
    quotas: Quotas = Quotas()
    timings: Timings = Timings()
    servers: tuple[ServerSpec, ...] = ()
    faults: tuple[CheckedFault, ...] = ()

    @model_validator(mode="after")
    def _is_possible(self) -> "Scenario":
        _require_unique("are named", (name for server in self.servers for name in server.names()))
        _require_unique("have the id", (server.id for server in self.servers if server.id))
        for server in self.servers:
            if server.vcenter_client > self.vcenter_clients:
                raise ValueError(
                    f"{server.name} was discovered by number {server.vcenter_client} of {self.vcenter_clients} "
                    "vCenter clients: raise vcenter_clients"
                )
        _require_room(self.servers, self.quotas)
        return self

    @property
    def start_seconds(self) -> float:
        """Simulated start in seconds since 1970."""
        return DEFAULT_START if self.start is None else self.start.timestamp()


def ready_scenarios() -> list[str]:
    """Names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in READY.glob("*.yaml"))


def load_scenario(path: Path | str) -> Scenario:
    """Read a scenario file, or a ready scenario by its name."""
    file = READY / f"{path}.yaml" if str(path) in ready_scenarios() else Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = ", ".join(ready_scenarios())
        raise ScenarioError(f"{path}: no such file; the ready scenarios are {known}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, source: str = "scenario") -> Scenario:
    """Read a scenario from YAML text; `source` names it in errors."""
    try:
        raw = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise ScenarioError(f"{source}: a scenario is a mapping, got {type(raw).__name__}")
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError(f"{source}:\n{explain(error)}") from error
