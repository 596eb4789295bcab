"""I3, I6, I7 under every single fault: each port call of each handler crashes, fails or loses its answer once."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.models.status import MigrationStatus
from tests.pipeline.saboteur import Saboteur, failing
from tests.pipeline.test_pipeline import a_world, assert_invariants, launches, requests, running_instances
from tests.pipeline.world import CrashError

S = MigrationStatus

FAULTS: dict[str, tuple[BaseException, bool]] = {
    "dies before the call": (CrashError("killed"), False),
    "dies after the call": (CrashError("killed"), True),
    "call is throttled": (ThrottledError("slow down"), False),
    "call fails before its effect": (ServiceUnavailableError("connection refused"), False),
    "answer is lost after the effect": (ServiceUnavailableError("read timed out"), True),
}
CUTOVER_FAILS = {"kind": "launch", "at": "launch", "phase": "cutover"}
ROUTES: dict[str, tuple[tuple[dict[str, str], ...], MigrationStatus]] = {
    "to completion": ((), S.COMPLETED),
    "through rollback": ((CUTOVER_FAILS,), S.ROLLED_BACK),
}


@pytest.mark.parametrize(("error", "after"), FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize(("scenario", "end"), ROUTES.values(), ids=ROUTES.keys())
def test_no_single_fault_launches_twice_or_leaves_anything_stuck(
    scenario: tuple[dict[str, str], ...], end: MigrationStatus, error: BaseException, after: bool
) -> None:
    points = 0
    for nth in count(1):
        # Few looks, because thousands of runs pay for them; the events come all the same.
        world = a_world(*scenario, sweep_seconds=400, look=300)
        world.submit(*requests(world))
        saboteur = Saboteur(world, nth, failing(error, after=after))
        world.run()
        if saboteur.attacked is None:
            break
        points += 1
        where = f"fault {nth} at {saboteur.attacked}"
        record = world.record("m-vm-001")
        assert record.status is end, f"{where}: {record.status}, {record.reason}"
        assert launches(world)[("StartCutover", record.source_server_id or "")] == 1, where
        assert running_instances(world) == (1 if end is S.COMPLETED else 0), where
        assert_invariants(world)
    assert points > 50


BOOT_FAILS = {"kind": "launch", "at": "boot", "servers": ["vm-002"], "phase": "cutover"}
BATCH_ENDS = {"m-vm-001": S.COMPLETED, "m-vm-002": S.ROLLED_BACK, "m-vm-003": S.COMPLETED}


def _attack_batch(nth: int, attack: Callable[..., Any]) -> str | None:
    """Three servers in one job, one of which is undone with a terminate job, and a dispatcher attacked once."""
    world = a_world(BOOT_FAILS, count=3, sweep_seconds=400, look=300)
    world.submit(*requests(world, test=False))
    saboteur = Saboteur(world, nth, lambda call: attack(world, call), only="dispatch_launches")
    world.run()
    where = f"attack {nth} at {saboteur.attacked}"
    ends = {name: (record.status, record.reason) for name, record in world.store.records.items()}
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
