"""In-memory versions of every port, each with what it was told open to look at."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runtime.errors import (
    CallbackDeliveryError,
    LaunchSettingsError,
    ServiceUnavailableError,
    SourceServerGoneError,
    ThrottledError,
)
from runtime.models.events import BusEvent
from runtime.models.functions.environment import Budgets, DecisionRules
from runtime.models.mgn import CommandStatus, InstanceHealth, LaunchTemplateRef, NetworkFacts
from runtime.models.request import Check, MigrationRequest, Phase
from runtime.models.scope import Scope
from runtime.models.waits import Outcome, Wait
from tests.builders import NOON, SCOPE, SECURITY_GROUP_ID, SERVER_ID, SUBNET_ID
from tests.fake_mgn import FakeMgn
from tests.fake_state import (
    InMemoryDecisions,
    InMemoryDispatches,
    InMemoryMigrations,
    InMemoryState,
    InMemoryTokens,
    InMemoryWaits,
)

__all__ = [
    "CountedIds",
    "FakeBus",
    "FakeCommands",
    "FakeInstances",
    "FakeLaunchSettings",
    "FakeMgn",
    "FakeNetwork",
    "FakePorts",
    "FakeProber",
    "FakeReceiver",
    "FakeRequestBudget",
    "FakeResumer",
    "FakeWakes",
    "InMemoryDecisions",
    "InMemoryDispatches",
    "InMemoryMigrations",
    "InMemoryState",
    "InMemoryTokens",
    "InMemoryWaits",
    "SetClock",
]


class SetClock:
    """A clock that moves only when told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class CountedIds:
    """Ids in order: 000…1, 000…2."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        return f"{self.given:032x}"


class FakeLaunchSettings:
    """LaunchSettings: each server has one template, whose versions are plain dictionaries."""

    def __init__(self, *source_server_ids: str) -> None:
        self.versions: dict[str, list[tuple[str, dict[str, object]]]] = {
            server: [("created by MGN", {})] for server in source_server_ids or (SERVER_ID,)
        }
        self.defaults = dict.fromkeys(self.versions, 1)
        self.stopped: set[str] = set()
        """Servers whose instances are to stay stopped."""
        self.keys: dict[str, str] = {}
        """The customer keys of servers' volumes."""

    def settings(self, source_server_id: str) -> dict[str, object]:
        """What a launch would use now."""
        return self.versions[source_server_id][self.defaults[source_server_id] - 1][1]

    def current(self, source_server_id: str) -> LaunchTemplateRef:
        if source_server_id not in self.defaults:
            raise SourceServerGoneError(f"{source_server_id} has no launch template")
        return LaunchTemplateRef(
            launch_template_id=_template_id(source_server_id), default_version=self.defaults[source_server_id]
        )

    def apply(
        self,
        request: MigrationRequest,
        source_server_id: str,
        phase: Phase,
        marker: str,
        *,
        before: LaunchTemplateRef | None = None,
    ) -> int:
        if source_server_id in self.stopped:
            raise LaunchSettingsError(f"{source_server_id} is set to stay stopped after its launch")
        default = self.current(source_server_id).default_version
        versions = self.versions[source_server_id]
        marked = [number for number, (known, _) in enumerate(versions, start=1) if known == marker]
        base = dict(versions[default - 1][1])
        if phase is Phase.CUTOVER and before is not None and _has_test_network(request):
            for name in ("subnet", "groups"):
                base.pop(name, None)
            base |= {k: v for k, v in versions[before.default_version - 1][1].items() if k in ("subnet", "groups")}
        wanted = base | _requested(request, phase)
        if not marked and wanted == self.settings(source_server_id):
            return default
        if not marked:
            versions.append((marker, wanted))
            marked = [len(versions)]
        self.defaults[source_server_id] = marked[0]
        return marked[0]

    def encrypt(self, source_server_id: str, key: str | None) -> None:
        """Put the server's volumes under a customer key, or under the account's default."""
        self.keys = {**self.keys, source_server_id: key} if key else {}

    def ebs_key(self, source_server_id: str) -> str | None:
        return self.keys.get(source_server_id)

    def restore(self, template: LaunchTemplateRef) -> None:
        for server in self.defaults:
            if _template_id(server) == template.launch_template_id:
                self.defaults[server] = template.default_version


def _has_test_network(request: MigrationRequest) -> bool:
    return request.launch.test_subnet_id is not None or request.launch.test_security_group_ids is not None


def _template_id(source_server_id: str) -> str:
    return f"lt-{source_server_id.removeprefix('s-')}"


def _requested(request: MigrationRequest, phase: Phase) -> dict[str, object]:
    launch = request.launch
    is_test = phase is Phase.TEST
    wanted = {
        "instance_type": request.instance_type,
        "subnet": (is_test and launch.test_subnet_id) or request.subnet_id,
        "groups": (is_test and launch.test_security_group_ids) or request.security_group_ids,
        "name": request.target_vm_name,
        "tags": request.tags or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


@dataclass
class FakeNetwork:
    """Network: one VPC with everything the default request names."""

    known: NetworkFacts = field(
        default_factory=lambda: NetworkFacts(
            vpc_by_subnet={SUBNET_ID: "vpc-11111111111111111"},
            vpc_by_security_group={SECURITY_GROUP_ID: "vpc-11111111111111111"},
            known_instance_types=("m5.large", "t3.micro"),
        )
    )

    def facts(
        self, subnets: Sequence[str], security_groups: Sequence[str], instance_types: Sequence[str]
    ) -> NetworkFacts:
        return NetworkFacts(
            vpc_by_subnet={name: vpc for name, vpc in self.known.vpc_by_subnet.items() if name in subnets},
            vpc_by_security_group={
                name: vpc for name, vpc in self.known.vpc_by_security_group.items() if name in security_groups
            },
            known_instance_types=tuple(name for name in self.known.known_instance_types if name in instance_types),
        )


@dataclass
class FakeInstances:
    """Instances: those put into `known`."""

    known: dict[str, InstanceHealth] = field(default_factory=dict)

    tagged: dict[str, str] = field(default_factory=dict)
    """The source servers that nodes are tagged with."""

    def put(self, health: InstanceHealth) -> None:
        self.known[health.instance_id] = health

    def health(self, ids: Sequence[str]) -> dict[str, InstanceHealth]:
        return {name: self.known.get(name) or InstanceHealth(instance_id=name) for name in ids}

    def source_server_of(self, node_id: str) -> str | None:
        return self.tagged.get(node_id)


@dataclass
class FakeCommands:
    """Commands: every sent command has the status `outcome` unless `statuses` says otherwise for its document."""

    outcome: CommandStatus = field(default_factory=lambda: CommandStatus(status="Success"))
    statuses: dict[str, CommandStatus] = field(default_factory=dict)
    sent: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def send(self, instance_id: str, document: str, parameters: Mapping[str, Sequence[str]], comment: str) -> str:
        self.sent.append((instance_id, document, {name: list(values) for name, values in parameters.items()}))
        self.comments.append(comment)
        return f"command-{len(self.sent)}"

    def find(self, instance_id: str, comment: str, since: datetime) -> str | None:
        sent = zip(self.sent, self.comments, strict=True)
        found = [n for n, ((node, _, _), said) in enumerate(sent, start=1) if (node, said) == (instance_id, comment)]
        return f"command-{found[-1]}" if found else None

    def status(self, command_id: str, instance_id: str) -> CommandStatus:
        number = int(command_id.rpartition("-")[2]) if command_id.startswith("command-") else 0
        if not 0 < number <= len(self.sent) or self.sent[number - 1][0] != instance_id:
            return CommandStatus(status="Pending")
        return self.statuses.get(self.sent[number - 1][1], self.outcome)


@dataclass
class FakeProber:
    """Prober: every check passes except those on a port in `seen`."""

    seen: dict[int, str] = field(default_factory=dict)
    probed: list[tuple[Check, str]] = field(default_factory=list)

    def probe(self, check: Check, address: str) -> str | None:
        self.probed.append((check, address))
        return self.seen.get(getattr(check, "port", 0))


@dataclass
class FakeResumer:
    """Resumer: takes each token once, and none of those in `gone`."""

    resumed: dict[str, Outcome] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    ended_executions: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def is_running(self, execution: str) -> bool:
        self.asked.append(execution)
        return execution not in self.ended_executions

    def resume(self, token: str, outcome: Outcome) -> bool:
        if token in self.resumed or token in self.gone:
            return False
        self.resumed[token] = outcome
        return True


@dataclass
class FakeRequestBudget:
    """RequestBudget: environments that share `used` share a budget. Who waits has the clock moved by `sleep`."""

    per_second: int
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    invocation: Callable[[], int]
    used: Counter[int] = field(default_factory=Counter)
    begun: int | None = None

    def take(self) -> None:
        present, invocation = int(self.clock()), self.invocation()
        if not self._books(present):
            if self.begun != invocation or not self._books(present + 1):
                raise ThrottledError("no room in this second")
            self.sleep(present + 1 - self.clock())
        self.begun = invocation

    def _books(self, second: int) -> bool:
        has_room = self.used[second] < self.per_second
        self.used[second] += has_room
        return has_room


@dataclass
class FakeWakes:
    """Wakes: remembers who was to be woken, and after how long; and where everything was to be looked at."""

    sent: list[tuple[Scope, float]] = field(default_factory=list)
    rounds: list[Scope] = field(default_factory=list)

    def wake(self, scope: Scope, *, after: float = 0, everything: bool = False) -> None:
        self.sent.append((scope, after))
        self.rounds += [scope] if everything else []


@dataclass
class FakeBus:
    """EventBus: refuses the next `refusals` calls."""

    published: list[BusEvent] = field(default_factory=list)
    refusals: int = 0

    def publish(self, events: Sequence[BusEvent]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ServiceUnavailableError("PutEvents refused the events")
        self.published.extend(events)

    def types(self) -> list[str]:
        return [event.detail_type for event in self.published]


@dataclass
class FakeReceiver:
    """Receiver: takes everything but what goes to a URL in `refusing`."""

    delivered: list[tuple[str, str, str]] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)

    def deliver(self, url: str, body: str, key: str) -> None:
        if url in self.refusing:
            raise CallbackDeliveryError("the receiver answered 500")
        self.delivered.append((url, body, key))


class FakePorts:
    """All the ports of `runtime.logic.ports.Ports`, sharing one clock."""

    def __init__(
        self,
        mgn: FakeMgn | None = None,
        *,
        budgets: Budgets | None = None,
        decision_rules: DecisionRules | None = None,
        scope: Scope = SCOPE,
        targets: tuple[Scope, ...] = (),
        documents: tuple[str, ...] = (),
        ebs_keys: tuple[str, ...] = (),
    ) -> None:
        self.clock = SetClock()
        self.ids = CountedIds()
        self.migrations, self.waits, self.tokens = InMemoryMigrations(), InMemoryWaits(), InMemoryTokens()
        self.dispatches, self.decisions = InMemoryDispatches(), InMemoryDecisions()
        self.mgn = mgn or FakeMgn()
        self.launch_settings = FakeLaunchSettings(*(self.mgn.by_id or (SERVER_ID,)))
        self.network = FakeNetwork()
        self.instances = FakeInstances()
        self.commands = FakeCommands()
        self.prober = FakeProber()
        self.resumer = FakeResumer()
        self.wakes = FakeWakes()
        self.bus = FakeBus()
        self.budgets = budgets or Budgets()
        self.documents, self.ebs_keys = documents, ebs_keys
        self.decision_rules = decision_rules or DecisionRules(by_bus=True)
        self.begins_per_sender = 200
        self.scope = scope
        self.scopes = (scope, *targets)
        self._made = {scope: self}

    def at(self, scope: Scope) -> "FakePorts":
        if scope not in self._made:
            there = self._made[scope] = copy(self)
            there.scope, there.mgn, there.launch_settings = scope, FakeMgn(), FakeLaunchSettings()
            there.network, there.instances, there.commands = FakeNetwork(), FakeInstances(), FakeCommands()
        return self._made[scope]

    def token_of(self, wait: Wait) -> str | None:
        """The task token of a parked step."""
        return self.tokens.token(wait.token_key) if wait.token_key else wait.token

    def now(self) -> datetime:
        return self.clock()

    def new_id(self) -> str:
        return self.ids()

    def advance(self, seconds: float) -> None:
        """Let time pass for the pipeline and for MGN."""
        self.clock.advance(seconds)
        for there in self._made.values():
            there.mgn.now = self.clock.now
