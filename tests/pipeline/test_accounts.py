"""Migrations of several accounts and Regions: each in its own MGN, behind one pipeline."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.errors import TargetAccountError
from runtime.logic.ports import Ports
from runtime.models.mgn import InstanceHealth
from runtime.models.request import MigrationRequest
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.models.waits import WaitKind
from simulator.engine import Simulator
from simulator.memory import MemoryBus
from simulator.scenario import Scenario, ServerSpec
from tests.builders import TARGET_ACCOUNT, TARGET_REGION, TARGET_SCOPE, a_request
from tests.fakes import FakeCommands, FakeLaunchSettings, FakeNetwork
from tests.pipeline.asl import Json
from tests.pipeline.direct_client import DirectClient
from tests.pipeline.world import EVENT_LATENCY, World

S = MigrationStatus
SERVER = "s-0123456789abcdef0"


class Target:
    """The ports of a second account, on a simulator of its own; all others are the world's."""

    scope = TARGET_SCOPE

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self.simulator = Simulator(scenario)
        client: Any = DirectClient(self.simulator)
        self.mgn = MgnMigrationService(client, client)
        self.network, self.commands = FakeNetwork(), FakeCommands()
        self.launch_settings = FakeLaunchSettings(*self.simulator.account.servers)
        self.instances = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def health(self, ids: Sequence[str]) -> dict[str, InstanceHealth]:
        return World.health(cast(World, self), ids)


class Refusing:
    """An MGN whose account refuses its role."""

    def __getattr__(self, name: str) -> Any:
        def call(*_: object) -> None:
            raise TargetAccountError(f"{TARGET_ACCOUNT} refuses its role")

        return call


class TwoAccounts(World):
    """A world with a target, in both of which the same server is."""

    scopes = (World.scope, TARGET_SCOPE)

    def __init__(self, *, delivers_target_events: bool = True) -> None:
        servers = (ServerSpec(name="vm", id=SERVER),)
        super().__init__(Scenario(servers=servers))
        self.target = Target(self, Scenario(servers=servers, account_id=TARGET_ACCOUNT, region=TARGET_REGION))
        self._delivers_target_events = delivers_target_events

    def at(self, scope: Scope) -> Ports:
        return cast(Ports, self.target) if scope == TARGET_SCOPE else super().at(scope)

    def _step(self) -> None:
        # One clock for both: it stops whenever something is due in the target.
        due = self.target.simulator.next_due()
        if due is not None:
            self.later(max(0.0, due - self.simulator.clock.now()), lambda: None)
        super()._step()

    def _deliver_mgn_events(self) -> None:
        there = self.target.simulator
        there.advance(self.simulator.clock.now() - there.clock.now())
        super()._deliver_mgn_events()
        bus = there.bus
        assert isinstance(bus, MemoryBus)
        for native in bus.events if self._delivers_target_events else ():
            event = {
                "source": "aws.mgn",
                "detail-type": native.detail_type,
                "account": TARGET_ACCOUNT,
                "region": TARGET_REGION,
                "resources": [native.resource],
                "detail": dict(native.detail),
            }
            self.later(EVENT_LATENCY, lambda event=event: self._tolerant("signal_handler", event))  # type: ignore[misc]
        bus.events.clear()


def at_home() -> MigrationRequest:
    return a_request("m-home", source_vm_id="vm")


def in_target(**fields: Any) -> MigrationRequest:
    named = {"target_account": TARGET_ACCOUNT, "target_region": TARGET_REGION}
    return a_request("m-target", source_vm_id="vm", **named, **fields)


def test_migration_of_a_target_account_completes_there_and_never_calls_home() -> None:
    world = TwoAccounts()
    world.submit(in_target())
    world.run()
    record = world.record("m-target")
    assert (record.status, record.scope) == (S.COMPLETED, TARGET_SCOPE), record.reason
    assert world.target.simulator.server("vm").state == "CUTOVER"
    assert not list(world.simulator.log(kind="call"))
    assert world.migrations.locks == {}


def test_i2_same_server_id_of_two_accounts_is_migrated_at_once() -> None:
    world = TwoAccounts()
    world.submit(at_home(), in_target())
    world.run()
    records = [world.record(name) for name in ("m-home", "m-target")]
    assert [record.status for record in records] == [S.COMPLETED, S.COMPLETED], [record.reason for record in records]
    assert {record.source_server_id for record in records} == {SERVER}
    began, ended = max(record.created_at for record in records), min(record.updated_at for record in records)
    assert began < ended
    assert {world.simulator.server("vm").state, world.target.simulator.server("vm").state} == {"CUTOVER"}


def test_i6_failure_in_a_target_account_is_undone_there() -> None:
    world = TwoAccounts()
    world.prober.seen[8080] = "connection refused"
    world.submit(in_target(checks=[{"type": "tcp", "port": 8080}], test=False))
    world.run()
    assert world.record("m-target").status is S.ROLLED_BACK, world.record("m-target").reason
    assert world.target.simulator.server("vm").state == "READY_FOR_TEST"
    assert not list(world.simulator.log(kind="call"))


def test_i10_target_account_whose_events_are_all_lost_is_found_by_the_sweep() -> None:
    world = TwoAccounts(delivers_target_events=False)
    world.submit(in_target())
    world.run()
    assert world.record("m-target").status is S.COMPLETED, world.record("m-target").reason


def test_i6_target_account_that_lets_nobody_in_any_more_freezes_its_migration() -> None:
    world = TwoAccounts()

    def refuse(function: str, payload: Json) -> None:
        if function == "verify_migration":
            world.target.mgn = cast(MgnMigrationService, Refusing())

    world.before_invoke = refuse
    world.submit(at_home(), in_target())
    world.run()
    record = world.record("m-target")
    assert record.status is S.FROZEN, record.reason
    assert "TargetAccountError" in record.reason
    assert world.migrations.locks[TARGET_SCOPE, SERVER].owner == "m-target"
    assert world.record("m-home").status is S.COMPLETED, world.record("m-home").reason


def test_role_revoked_while_a_server_boots_makes_the_looks_no_more() -> None:
    world = TwoAccounts()
    looks: Counter[int] = Counter()
    revoked_at: list[float] = []

    def revoke(function: str, payload: Json) -> None:
        now = world.simulator.clock.now()
        if function == "dispatch_launches" and any(wait.kind is WaitKind.BOOT for wait in world.waits.parked.values()):
            world.target.mgn = cast(MgnMigrationService, Refusing())
            revoked_at.append(now)
        if revoked_at:
            looks[int((now - revoked_at[0]) // 60)] += function == "dispatch_launches"

    world.before_invoke = revoke
    world.submit(in_target())
    world.run(hours=0.75)
    # One chain of looks, the sweep's wakes, and each of these up to three times.
    assert max(looks.values()) <= 60 / world.budgets.look + 6, looks
    assert len(looks) > 15
