"""Breaks one call of a port, at any point, in any of the ways AWS breaks."""

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from unittest import mock

from runtime.handlers import wiring
from runtime.logic.ports import Ports
from runtime.models.functions.environment import Targets
from tests.builders import SCOPE, TARGET_SCOPE

Attack = Callable[[Callable[[], Any]], Any]
"""Gets the call and stands in its place."""


class CrashError(BaseException):
    """The function's process dies; no code of ours runs after it."""


def _calls() -> dict[str, frozenset[str]]:
    """What each port can be asked, as the protocols say."""
    shapes = vars(sys.modules[Ports.__module__])
    returned = {name: each.fget.__annotations__["return"] for name, each in inspect.getmembers(Ports, _is_property)}
    protocols = {name: shapes[shape] for name, shape in returned.items() if shape in shapes}
    return {name: frozenset(_methods(protocol)) for name, protocol in protocols.items()}


def _is_property(member: object) -> bool:
    return isinstance(member, property)


def _methods(protocol: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(protocol, inspect.isfunction) if not name.startswith("_")]


CALLS = _calls()
PORTS = tuple(CALLS)


@cache
def ports_of_the_account() -> tuple[str, ...]:
    """What the wiring has speak to the account of the server, which may deny it."""
    return tuple(name for name in PORTS if any(_targets_of(name)))


def _targets_of(port: str) -> list[object]:
    """The targets for which the wiring makes this port's clients."""
    asked: list[object] = []

    def client(name: str, target: object = None) -> object:
        asked.append(target)
        return mock.MagicMock()

    targets = Targets(role_name="role", external_id="id", scopes=(TARGET_SCOPE,))
    with mock.patch.multiple(wiring, client=client, once_client=client):
        getattr(wiring.AwsPorts(wiring.Wiring(state_table="table", targets=targets), SCOPE).at(TARGET_SCOPE), port)
    return asked


class Saboteur:
    """Does its worst at the n-th port call it watches, and then lets everything work. The 0th never comes."""

    def __init__(
        self,
        ports: Any,
        nth: int,
        attack: Attack,
        *,
        names: Sequence[str] = PORTS,
        when: Callable[[], bool] = lambda: True,
    ) -> None:
        """`names` are the ports under watch, `when` says whether it watches at the moment."""
        self.calls = 0
        self.attacked: str | None = None
        self._nth, self._attack, self._when = nth, attack, when
        for name in names:
            setattr(ports, name, _Port(getattr(ports, name), name, self))

    def around(self, what: str, call: Callable[[], Any]) -> Any:
        if self.attacked is not None or not self._when():
            return call()
        self.calls += 1
        if self.calls != self._nth:
            return call()
        self.attacked = what
        return self._attack(call)


class _Port:
    def __init__(self, real: Any, name: str, saboteur: Saboteur) -> None:
        self._real, self._name, self._saboteur = real, name, saboteur

    def __getattr__(self, member: str) -> Any:
        found = getattr(self._real, member)
        if member not in CALLS[self._name]:
            return found
        return lambda *args, **kwargs: self._saboteur.around(f"{self._name}.{member}", lambda: found(*args, **kwargs))


def failing(error: BaseException, *, after: bool) -> Attack:
    """The call fails before or after its effect."""

    def attack(call: Callable[[], Any]) -> Any:
        if after:
            call()
        raise error

    return attack


def dying(*, after: bool) -> Attack:
    """The function's process dies before or after the call had its effect."""
    return failing(CrashError("killed"), after=after)
