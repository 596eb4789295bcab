"""I3, I6, I7 under every single fault: each port call of each handler crashes, fails or loses its answer once."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.models.status import MigrationStatus
from tests.pipeline.test_pipeline import a_world, assert_invariants, launches, requests, running_instances
from tests.pipeline.world import CrashError, World

PORTS = ("store", "mgn", "launch_settings", "resumer", "wakes")


class Saboteur:
    """Breaks the n-th port call made by any handler, before or after its effect, and then lets everything work."""

    def __init__(self, world: World, nth: int, error: BaseException, *, after: bool) -> None:
        self.broken: str | None = None
        self._calls, self._nth, self._error, self._after = count(1), nth, error, after
        self.total = 0
        for name in PORTS:
            setattr(world, name, _Port(getattr(world, name), name, self))

    def around(self, what: str, call: Callable[[], Any]) -> Any:
        self.total = next(self._calls)
        if self.total != self._nth:
            return call()
        self.broken = what
        if self._after:
            call()
        raise self._error


class _Port:
    def __init__(self, real: Any, name: str, saboteur: Saboteur) -> None:
        self._real, self._name, self._saboteur = real, name, saboteur

    def __getattr__(self, member: str) -> Any:
        found = getattr(self._real, member)
        if not callable(found) or member.startswith("_"):
            return found
        return lambda *args, **kwargs: self._saboteur.around(f"{self._name}.{member}", lambda: found(*args, **kwargs))


FAULTS: dict[str, tuple[BaseException, bool]] = {
    "dies before the call": (CrashError("killed"), False),
    "dies after the call": (CrashError("killed"), True),
    "call is throttled": (ThrottledError("slow down"), False),
    "call fails before its effect": (ServiceUnavailableError("connection refused"), False),
    "answer is lost after the effect": (ServiceUnavailableError("read timed out"), True),
}
CUTOVER_FAILS = {"kind": "launch", "at": "launch", "phase": "cutover"}
ROUTES: dict[str, tuple[tuple[dict[str, str], ...], MigrationStatus]] = {
    "to completion": ((), MigrationStatus.COMPLETED),
    "through rollback": ((CUTOVER_FAILS,), MigrationStatus.ROLLED_BACK),
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
        saboteur = Saboteur(world, nth, error, after=after)
        world.run()
        if saboteur.broken is None:
            break
        points += 1
        where = f"fault {nth} at {saboteur.broken}"
        record = world.record("m-vm-001")
        assert record.status is end, f"{where}: {record.status}, {record.reason}"
        assert launches(world)[("StartCutover", record.source_server_id or "")] == 1, where
        assert running_instances(world) == (1 if end is MigrationStatus.COMPLETED else 0), where
        assert_invariants(world)
    assert points > 50
