"""Breaks the calls of a story, wherever a function makes them."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ReadTimeoutError

from runtime.errors import MigrationError, ServiceUnavailableError, ThrottledError
from runtime.models.status import MigrationStatus
from tests.exploration.story import Fault, FaultKind, Outage
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

    def function(self) -> str:
        """What runs now."""

    def elapsed(self) -> float:
        """The time since the beginning."""

    def strike(self, fault: Fault) -> None:
        """Hear that a fault comes now."""


@dataclass
class _Counted:
    fault: Fault
    left: int


class Faults:
    """The faults of one story, counted down as their calls are made."""

    def __init__(self, world: Around, faults: Iterable[Fault], outages: Iterable[Outage] = ()) -> None:
        self._world = world
        self._due: dict[str, list[_Counted]] = {}
        self._cued = list(faults)
        self.cue(None)
        self._outages = {outage.port: outage for outage in outages}

    def next(self, name: str) -> Fault | None:
        """The fault of this call, which is being made."""
        comes: Fault | None = None
        for counted in self._due.get(name, ()):
            counted.left -= 1
            if not counted.left and not self._world.is_quiet():
                comes = counted.fault
        if comes is not None:
            self._world.strike(comes)
        return comes

    def cue(self, status: MigrationStatus | None) -> None:
        """Begin to count the calls of those that waited for this."""
        for fault in [fault for fault in self._cued if fault.cue is status]:
            self._cued.remove(fault)
            self._due.setdefault(fault.call, []).append(_Counted(fault, fault.nth))

    def around(self, name: str, call: Call, late: Callable[[], Call]) -> Any:
        """Make a port's call, or what its fault makes of it; `late` gives what happens where its effect is late."""
        fault = self.next(f"{self._world.function()} {name}")
        if self._is_out(name):
            raise ServiceUnavailableError("internal error")
        if fault is None:
            return call()
        self._before(fault, late)
        answer = call()
        if fault.kind is K.ANSWER_LATE:
            self._world.hang(fault.seconds)
        elif fault.kind is K.CRASH_AFTER:
            raise CrashError("killed after the call")
        elif fault.kind is K.ANSWER_LOST:
            raise ServiceUnavailableError("the answer was lost")
        return answer

    def _before(self, fault: Fault, late: Callable[[], Call]) -> None:
        """What happens before a call is made, if it is."""
        match fault.kind:
            case K.THROTTLED:
                raise ThrottledError("slow down")
            case K.UNAVAILABLE:
                raise ServiceUnavailableError("internal error")
            case K.CRASH_BEFORE:
                raise CrashError("killed before the call")
            case K.CALL_SLOW:
                self._world.hang(fault.seconds)
            case K.EFFECT_LATE:
                self._world.later(fault.seconds, late())
                raise ServiceUnavailableError("no answer yet")

    def _is_out(self, name: str) -> bool:
        outage = self._outages.get(name.partition(".")[0])
        return outage is not None and outage.at <= self._world.elapsed() < outage.at + outage.lasts

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
