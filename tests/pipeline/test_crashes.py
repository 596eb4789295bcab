"""I3, I6, I7 under every single fault: each port call of each handler crashes, fails or loses its answer once."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.models.status import MigrationStatus
from tests.pipeline.test_pipeline import a_world, assert_invariants, launches, requests, running_instances
from tests.pipeline.world import CrashError, World

PORTS = ("store", "mgn", "launch_settings", "resumer")


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
        return lambda *args, **kwargs: self._saboteur.around(
            f"{self._name}.{member}", lambda: found(*args, **kwargs)
        )
