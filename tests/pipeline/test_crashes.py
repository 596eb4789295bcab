"""I3, I6, I7 under every single fault: each port call of each handler crashes, fails or loses its answer once."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from runtime.errors import ServiceUnavailableError, TargetAccountError, ThrottledError
from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from tests.pipeline.test_pipeline import a_world, assert_invariants, launches, requests, running_instances
from tests.pipeline.world import World
from tests.saboteur import CrashError, Saboteur, failing, ports_of_the_account

S = MigrationStatus

FAULTS: dict[str, tuple[BaseException, bool]] = {
    "dies before the call": (CrashError("killed"), False),
    "dies after the call": (CrashError("killed"), True),
    "call is throttled": (ThrottledError("slow down"), False),
    "call fails before its effect": (ServiceUnavailableError("connection refused"), False),
    "answer is lost after the effect": (ServiceUnavailableError("read timed out"), True),
}
SOURCE_NODE = "mi-0123456789abcdef0"
ON_THE_WAY: dict[str, Any] = {
    "approval": {"cutover": True, "finalize": True},
    "soak_seconds": 600,
    "checks": [{"type": "tcp", "port": 8080}, {"type": "ssm", "document": "AWS-RunShellScript"}],
    "pre_migration_command": {"instance_id": SOURCE_NODE, "document": "AWS-RunShellScript"},
}
"""Everything a request can ask for on the way to completion."""
CUTOVER_FAILS = {"kind": "launch", "at": "launch", "phase": "cutover"}
ROUTES: dict[str, tuple[tuple[dict[str, str], ...], MigrationStatus]] = {
    "to completion": ((), S.COMPLETED),
    "through rollback": ((CUTOVER_FAILS,), S.ROLLED_BACK),
}


def _plain(*scenario: dict[str, str]) -> World:
    # Few looks, because thousands of runs pay for them; the events come all the same.
    world = a_world(*scenario, sweep_seconds=400, look=300)
    world.submit(*requests(world))
    return world


def _with_everything(*scenario: dict[str, str]) -> World:
    """A migration with everything a request can ask for on its way, whose gates are opened in time."""
    world = a_world(*scenario, sweep_seconds=900, look=300)
    window = {"not_before": world.now() + timedelta(hours=2), "not_after": world.now() + timedelta(hours=24)}
    world.tagged[SOURCE_NODE] = next(iter(world.simulator.account.servers))
    world.submit(*requests(world, window=window, **ON_THE_WAY))
    for gate in Gate:
        opened = MigrationSignal(migration_id="m-vm-001", decision=Decision.APPROVE, gate=gate, by="ana")
        world.later(60, lambda opened=opened: world.signal(opened))  # type: ignore[misc]
    return world


def _assert_ends(world: World, saboteur: Saboteur, end: MigrationStatus, nth: int) -> None:
    where = f"fault {nth} at {saboteur.attacked}"
    record = world.record("m-vm-001")
    assert record.status is end, f"{where}: {record.status}, {record.reason}"
    assert launches(world)[("StartCutover", record.source_server_id or "")] == 1, where
    assert running_instances(world) == (1 if end is S.COMPLETED else 0), where
    assert_invariants(world)


@pytest.mark.parametrize(("error", "after"), FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize(("scenario", "end"), ROUTES.values(), ids=ROUTES.keys())
def test_no_single_fault_launches_twice_or_leaves_anything_stuck(
    scenario: tuple[dict[str, str], ...], end: MigrationStatus, error: BaseException, after: bool
) -> None:
    points = 0
    for nth in count(1):
        world = _plain(*scenario)
        saboteur = Saboteur(world, nth, failing(error, after=after))
        world.run()
        if saboteur.attacked is None:
            break
        points += 1
        _assert_ends(world, saboteur, end, nth)
    assert points > 60


WATCHED: dict[str, Callable[[World], dict[str, Any]]] = {
    "commands and checks": lambda world: {"names": ("commands", "prober")},
    "gates, window and soak": lambda world: {"when": lambda: world.running == "signal_handler"},
}


@pytest.mark.parametrize("fault", ["dies after the call", "answer is lost after the effect"])
@pytest.mark.parametrize("watched", WATCHED.values(), ids=WATCHED.keys())
def test_no_single_fault_on_the_way_a_request_may_ask_for_leaves_anything_stuck(
    watched: Callable[[World], dict[str, Any]], fault: str
) -> None:
    error, after = FAULTS[fault]
    points = 0
    for nth in count(1):
        world = _with_everything()
        saboteur = Saboteur(world, nth, failing(error, after=after), **watched(world))
        world.run()
        if saboteur.attacked is None:
            break
        points += 1
        _assert_ends(world, saboteur, S.COMPLETED, nth)
    assert points > 5


@pytest.mark.parametrize(("scenario", "end"), ROUTES.values(), ids=ROUTES.keys())
def test_i6_a_single_denied_call_ends_honestly_wherever_it_is(
    scenario: tuple[dict[str, str], ...], end: MigrationStatus
) -> None:
    found: set[MigrationStatus] = set()
    for nth in count(1):
        world = _with_everything(*scenario)
        denied = failing(TargetAccountError("explicit deny in a service control policy"), after=False)
        saboteur = Saboteur(world, nth, denied, names=ports_of_the_account())
        world.run()
        if saboteur.attacked is None:
            break
        record = world.record("m-vm-001")
        where = f"denied {nth} at {saboteur.attacked}: {record.status}, {record.reason}"
        # A step that is denied is undone, an undo that is denied freezes; a look only waits for the next one.
        assert record.status in (end, S.REJECTED, S.ROLLED_BACK, S.FROZEN), where
        assert record.status is not S.FROZEN or end is S.ROLLED_BACK, where
        assert running_instances(world) == (record.status is S.COMPLETED), where
        assert_invariants(world)
        found.add(record.status)
    assert found == {S.REJECTED, S.ROLLED_BACK, S.COMPLETED if end is S.COMPLETED else S.FROZEN}


def test_call_denied_to_one_migration_keeps_no_other_from_its_end() -> None:
    for nth in count(1):
        world = a_world(count=2, sweep_seconds=400, look=300)
        world.submit(*requests(world, test=False))
        denied = failing(TargetAccountError("explicit deny"), after=False)
        saboteur = Saboteur(world, nth, denied, names=ports_of_the_account())
        world.run()
        if saboteur.attacked is None:
            break
        ends = [record.status for record in world.migrations.records.values()]
        assert ends.count(S.COMPLETED) >= 1, f"denied {nth} at {saboteur.attacked}: {ends}"
        assert_invariants(world)


BOOT_FAILS = {"kind": "launch", "at": "boot", "servers": ["vm-002"], "phase": "cutover"}
BATCH_ENDS = {"m-vm-001": S.COMPLETED, "m-vm-002": S.ROLLED_BACK, "m-vm-003": S.COMPLETED}


def _attack_batch(nth: int, attack: Callable[..., Any]) -> str | None:
    """Three servers in one job, one of which is undone with a terminate job, and a dispatcher attacked once."""
    world = a_world(BOOT_FAILS, count=3, sweep_seconds=400, look=300)
    world.submit(*requests(world, test=False))
    dispatches = lambda: world.running == "dispatch_launches"  # noqa: E731
    saboteur = Saboteur(world, nth, lambda call: attack(world, call), when=dispatches)
    world.run()
    where = f"attack {nth} at {saboteur.attacked}"
    ends = {name: (record.status, record.reason) for name, record in world.migrations.records.items()}
    assert {name: status for name, (status, _) in ends.items()} == BATCH_ENDS, f"{where}: {ends}"
    assert running_instances(world) == 2, where
    terminated = [e for e in world.simulator.log(kind="call") if e["operation"] == "TerminateTargetInstances"]
    assert len(terminated) == 1, where
    assert_invariants(world)
    return saboteur.attacked


@pytest.mark.parametrize(("error", "after"), FAULTS.values(), ids=FAULTS.keys())
def test_a_dispatcher_that_fails_anywhere_launches_no_server_of_its_batch_twice(
    error: BaseException, after: bool
) -> None:
    fail = failing(error, after=after)
    points = next(nth for nth in count() if _attack_batch(nth + 1, lambda world, call: fail(call)) is None)
    assert points > 50


def test_two_dispatchers_at_once_launch_every_server_once_wherever_they_meet() -> None:
    def meet(world: Any, call: Callable[[], Any]) -> Any:
        world.look_now()
        return call()

    points = next(nth for nth in count() if _attack_batch(nth + 1, meet) is None)
    assert points > 50
