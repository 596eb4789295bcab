"""Ports that die at one chosen call, before or after it had its effect."""

from collections.abc import Callable
from typing import Any

from tests.fakes import FakePorts


class CrashError(Exception):
    """The Lambda environment is gone."""


class Crashes:
    """Counts calls and raises at the one with this number."""

    def __init__(self, at: int, *, after_effect: bool) -> None:
        self.at, self.after_effect = at, after_effect
        self.calls = 0
        self.happened = ""

    def around(self, target: Any, names: tuple[str, ...]) -> Any:
        """`target` with its methods `names` under watch."""
        return _Watched(target, names, self)

    def call(self, name: str, act: Callable[[], Any]) -> Any:
        self.calls += 1
        dies = self.calls == self.at
        if dies and not self.after_effect:
            self.happened = f"before {name}"
            raise CrashError(self.happened)
        result = act()
        if dies:
            self.happened = f"after {name}"
            raise CrashError(self.happened)
        return result


class _Watched:
    def __init__(self, target: Any, names: tuple[str, ...], crashes: Crashes) -> None:
        self._target, self._names, self._crashes = target, names, crashes

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if name not in self._names:
            return attribute
        return lambda *args, **kwargs: self._crashes.call(name, lambda: attribute(*args, **kwargs))


def watch(ports: FakePorts, crashes: Crashes) -> None:
    """Put every call that reads or changes the world under watch."""
    mgn = ("servers", "jobs", "jobs_since", "start_launch", "terminate", "change_lifecycle", "finalize")
    ports.migrations = crashes.around(ports.migrations, ("record", "records_of", "append", "lock", "unlock"))
    ports.waits = crashes.around(ports.waits, ("park", "of", "open", "amend", "decide", "close"))
    ports.dispatches = crashes.around(ports.dispatches, ("state", "save"))
    ports.decisions = crashes.around(ports.decisions, ("of",))
    ports.mgn = crashes.around(ports.mgn, mgn)
    ports.resumer = crashes.around(ports.resumer, ("resume",))
    ports.wakes = crashes.around(ports.wakes, ("wake",))
    ports.launch_settings = crashes.around(ports.launch_settings, ("restore", "current"))
