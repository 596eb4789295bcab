"""Breaks the calls of a story, wherever a function makes them."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ReadTimeoutError

from runtime.errors import MigrationError, ServiceUnavailableError, ThrottledError
from tests.exploration.story import Fault, FaultKind
from tests.saboteur import CALLS, CrashError

K = FaultKind
Call = Callable[[], Any]


class Around(Protocol):
    """What faults need of the world."""

    def is_quiet(self) -> bool:
        """Whether nothing goes wrong any more."""

    def hang(self, seconds: float) -> None:
        """Let time pass inside the function that runs; raises CrashError when it has its timeout behind it."""

    def later(self, seconds: float, action: Call) -> None:
        """Do something after so many seconds."""

    def place(self) -> str:
        """What runs now, and when, in words."""


class Struck(NamedTuple):
    """A fault that came, and where."""

    fault: Fault
    place: str


class Faults:
    """The faults of one story, counted down as their calls are made."""

    def __init__(self, world: Around, faults: Iterable[Fault]) -> None:
        self.struck: list[Struck] = []
        self._world = world
        self._due = {(fault.call, fault.nth): fault for fault in faults}
        self._named = {call for call, _ in self._due}
        self._made = Counter[str]()

    def next(self, name: str) -> Fault | None:
        """The fault of this call, which is being made."""
        if name not in self._named:
            return None
        self._made[name] += 1
        fault = self._due.get((name, self._made[name]))
        if fault is None or self._world.is_quiet():
            return None
        self.struck.append(Struck(fault, self._world.place()))
        return fault

    def around(self, name: str, call: Call, late: Callable[[], Call]) -> Any:
        """Make a port's call, or what its fault makes of it; `late` gives what happens where its effect is late."""
        fault = self.next(name)
        if fault is None:
            return call()
        match fault.kind:
            case K.THROTTLED:
                raise ThrottledError("slow down")
            case K.CRASH_BEFORE:
                raise CrashError("killed before the call")
            case K.EFFECT_LATE:
                self._world.later(fault.seconds, late())
                raise ServiceUnavailableError("no answer yet")
            case K.CALL_SLOW:
                self._world.hang(fault.seconds)
                return call()
            case K.UNAVAILABLE:
                raise ServiceUnavailableError("internal error")
        answer = call()
        match fault.kind:
            case K.ANSWER_LATE:
                self._world.hang(fault.seconds)
            case K.CRASH_AFTER:
                raise CrashError("killed after the call")
            case K.ANSWER_LOST:
                raise ServiceUnavailableError("the answer was lost")
        return answer

    def below_the_adapter(self, name: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Make a call of the SDK's, or what its fault makes of it."""
        fault = self.next(name)
        answer = call()
        if fault is None:
            return answer
        if fault.kind is K.BROKEN_ANSWER:
            return {}
        raise ReadTimeoutError(endpoint_url="https://mgn")


class Port:
    """A port whose calls may break, and whose late effects find what the table's conditions protect."""

    def __init__(self, real: Any, name: str, faults: Faults, hear: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._real, self._name, self._faults, self._hear = real, name, faults, hear

    def __getattr__(self, member: str) -> Any:
        found = getattr(self._real, member)
        if member not in CALLS[self._name]:
            return found
        name = f"{self._name}.{member}"

        def asked(*args: Any, **kwargs: Any) -> Any:
            def call() -> Any:
                self._hear(name, args)
                return found(*args, **kwargs)

            self._hear(f"send {name}", args)
            return self._faults.around(name, call, lambda: self._late(call, args))

        return asked

    def _late(self, call: Call, args: tuple[Any, ...]) -> Call:
        # A write of a wait depends on what was stored when it was sent: the adapter puts it on that condition.
        parked = self._real.parked if self._name == "waits" else {}
        key = (args[0].scope, args[0].migration_id, args[0].name) if self._name == "waits" else None
        before = parked.get(key)

        def arrive() -> None:
            if parked.get(key) != before:
                return
            # Nobody hears what AWS answers by now.
            with suppress(MigrationError):
                call()

        return arrive
