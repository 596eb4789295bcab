"""Decides, from the faults and a seed, what goes wrong now; every decision is reported."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from simulator.model.account.ports import NativeEvent
from simulator.model.account.server import SourceServer
from simulator.model.forms.ids import Ids
from simulator.model.settings.faults import CallFault, EventFault, Fault, LaunchFault, ReplicationFault


class Chaos:
    """The faults in force; a fault injected later is asked first."""

    def __init__(self, ids: Ids, notice: Callable[..., None]) -> None:
        self.launches: list[LaunchFault] = []
        self.calls: list[CallFault] = []
        self.events: list[EventFault] = []
        self.planned: list[ReplicationFault] = []
        self._matches: dict[int, int] = {}
        # A call that only reads must not change which launch or event is hit later.
        self._of_calls, self._random = ids.stream("chaos of calls"), ids.stream("chaos")
        self._notice = notice

    def add(self, fault: LaunchFault | CallFault | EventFault) -> None:
        """Put a fault in force, ahead of those already there."""
        if isinstance(fault, LaunchFault):
            self.launches.insert(0, fault)
        elif isinstance(fault, CallFault):
            self.calls.insert(0, fault)
        else:
            self.events.insert(0, fault)

    def in_force(self) -> list[Fault]:
        """All faults that can still hit."""
        return [*self.launches, *self.calls, *self.events, *self.planned]

    def clear(self) -> None:
        """Take all faults out of force but those planned."""
        self.launches.clear()
        self.calls.clear()
        self.events.clear()
        self._matches.clear()

    def launch_fault(self, at: str, server: SourceServer, phase: str | None, attempt: int) -> LaunchFault | None:
        """The fault that hits this step of this launch, if any."""
        for fault in self.launches:
            if (
                fault.at == at
                and fault.phase in ("any", phase)
                and (not fault.attempts or attempt in fault.attempts)
                and fault.concerns(server.name, server.hardware.hostname, server.server_id)
                and _hits(self._random, fault.probability)
            ):
                self._notice("fault", fault="launch", at=at, server=server.server_id, phase=phase, attempt=attempt)
                return fault
        return None

    def call_fault(self, operation: str, names: Iterable[str]) -> CallFault | None:
        """The fault that hits this API call, if any; `names` are those of the servers it names."""
        known = tuple(names) if self.calls else ()
        for fault in self.calls:
            if not any(fnmatchcase(operation, glob) for glob in fault.operations):
                continue
            if fault.servers != ("*",) and not fault.concerns(*known):
                continue
            count = self._matches[id(fault)] = self._matches.get(id(fault), 0) + 1
            if (not fault.calls or count in fault.calls) and _hits(self._of_calls, fault.probability):
                self._notice("fault", fault="call", operation=operation, outcome=fault.outcome, call=count)
                return fault
        return None

    def deliveries(self, event: NativeEvent, *names: str) -> list[float]:
        """Delays in simulated seconds of each delivery of an event; empty when it is lost."""
        for fault in self.events:
            if (
                fault.concerns(*names)
                and any(fnmatchcase(event.detail_type, glob) for glob in fault.detail_types)
                and _hits(self._random, fault.probability)
            ):
                return self._delays(fault, event)
        return [0.0]

    def _delays(self, fault: EventFault, event: NativeEvent) -> list[float]:
        facts: dict[str, Any] = {"detailType": event.detail_type, "resource": event.resource}
        if _hits(self._random, fault.drop):
            self._notice("fault", fault="event", outcome="drop", **facts)
            return []
        delays = [self._random.uniform(*fault.delay_seconds)]
        if _hits(self._random, fault.reorder):
            delays[0] += fault.reorder_seconds
            self._notice("fault", fault="event", outcome="reorder", **facts)
        if _hits(self._random, fault.duplicate):
            delays.append(self._random.uniform(*fault.delay_seconds))
            self._notice("fault", fault="event", outcome="duplicate", **facts)
        return delays


def _hits(stream: Random, probability: float) -> bool:
    return probability >= 1 or (probability > 0 and stream.random() < probability)
