"""Breaks one port call of a world, at any point, in any of the ways AWS breaks."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.pipeline.asl import Json
from tests.pipeline.world import World

OF_THE_ACCOUNT = ("mgn", "launch_settings", "instances", "network", "commands")
"""What speaks to the account of the server, which may deny it."""
PORTS = ("migrations", "waits", "dispatches", "decisions", "resumer", "wakes", "bus", "prober", *OF_THE_ACCOUNT)


class Saboteur:
    """Does its worst at the n-th port call of the handlers it watches, and then lets everything work."""

    def __init__(
        self,
        world: World,
        nth: int,
        attack: Callable[[Callable[[], Any]], Any],
        *,
        only: str = "",
        ports: Sequence[str] = PORTS,
    ) -> None:
        """`attack` gets the call and stands in its place; `only` names the one handler that is watched."""
        self.attacked: str | None = None
        self._left, self._attack, self._only, self._running = nth, attack, only, ""
        for name in ports:
            setattr(world, name, _Port(getattr(world, name), name, self))
        world.before_invoke = self._enter

    def around(self, what: str, call: Callable[[], Any]) -> Any:
        if self.attacked is not None or (self._only and self._running != self._only):
            return call()
        self._left -= 1
        if self._left:
            return call()
        self.attacked = what
        return self._attack(call)

    def _enter(self, function: str, payload: Json) -> None:
        self._running = function


class _Port:
    def __init__(self, real: Any, name: str, saboteur: Saboteur) -> None:
        self._real, self._name, self._saboteur = real, name, saboteur

    def __getattr__(self, member: str) -> Any:
        found = getattr(self._real, member)
        if not callable(found) or member.startswith("_"):
            return found
        return lambda *args, **kwargs: self._saboteur.around(f"{self._name}.{member}", lambda: found(*args, **kwargs))


def failing(error: BaseException, *, after: bool) -> Callable[[Callable[[], Any]], Any]:
    """The call fails before or after its effect."""

    def attack(call: Callable[[], Any]) -> Any:
        if after:
            call()
        raise error

    return attack
