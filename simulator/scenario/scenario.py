"""The whole of a scenario, checked by pydantic."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from simulator.clock import DEFAULT_START, LATEST
from simulator.model.settings.faults import CallFault, Fault
from simulator.model.settings.knobs import Knobs
from simulator.model.settings.quotas import Quotas
from simulator.model.settings.timings import Timings
from simulator.scenario.servers import Part, ServerSpec
from simulator.service_model import load_service_model

AccountId = Annotated[str, Field(pattern="^[0-9]{12}$")]
REGION = "[a-z]{2,}(-[a-z]+)+-[0-9]+"
_FIRST_START = datetime(1980, 1, 1, tzinfo=UTC)  # the past of the servers lies before it
_LAST_START = datetime.fromtimestamp(LATEST, UTC)


class ScenarioError(ValueError):
    """A scenario that cannot be used; the text names each wrong field, its value and what is expected."""


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


class Scenario(Part):
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
