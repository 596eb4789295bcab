"""The simulator: one account on a clock, with its log, its faults and its ways in."""

from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

from pydantic import TypeAdapter, ValidationError

from simulator.clock import LONGEST_JUMP, Clock, SteppedClock
from simulator.engine.journal import Journal
from simulator.engine.state import glance_view, state_view
from simulator.memory import MemoryBus, MemoryCompute, MemoryObjects
from simulator.model.account.account import Account
from simulator.model.account.ports import Compute, EventBus, ObjectStore
from simulator.model.account.server import SourceServer
from simulator.model.forms.ids import Ids
from simulator.model.settings.faults import Fault
from simulator.population.faults import put_in_force
from simulator.population.populating import add_servers, populate
from simulator.scenario import CheckedFault, Scenario, ScenarioError, ServerSpec
from simulator.scenario.explanation import explain
from simulator.wire import Response, Wire

_FAULT: TypeAdapter[Fault] = TypeAdapter(CheckedFault)


class Simulator:
    """Everything callers need; safe to use from several threads."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock: Clock | None = None,
        compute: Callable[[Ids], Compute] | None = None,
        bus: EventBus | None = None,
        objects: ObjectStore | None = None,
        seed: int | None = None,
    ) -> None:
        """`compute` makes the EC2 side from the id source; every side stays in memory when left out."""
        self.scenario = scenario or Scenario()
        self.seed = self.scenario.seed if seed is None else seed
        self.clock: Clock = clock or SteppedClock(self.scenario.start_seconds)
        self.journal = Journal(self.scenario.knobs.log_limit)
        self.bus: EventBus = bus or MemoryBus()
        self.objects: ObjectStore = objects or MemoryObjects()
        self._make_compute: Callable[[Ids], Compute] = compute or MemoryCompute
        self._lock = RLock()
        self._populate()

    def _populate(self) -> None:
        ids = Ids(self.seed, self.scenario.account_id, self.scenario.region)
        self.compute = self._make_compute(ids)
        self.account = Account(
            ids=ids,
            start=self.clock.now(),
            knobs=self.scenario.knobs,
            quotas=self.scenario.quotas,
            timings=self.scenario.timings,
            compute=self.compute,
            bus=self.bus,
            objects=self.objects,
            notice=self.journal.write,
        )
        populate(self.account, self.scenario)
        self._wire = Wire(self.account)

    def answer(self, method: str, raw_path: str, query: str = "", body: bytes = b"") -> Response:
        """Answer one HTTP request of the API; `raw_path` is undecoded."""
        with self._lock:
            self.account.run_until(self.clock.now())
            return self._wire.answer(method, raw_path, query, body)

    def ask(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | Response:
        """Answer one call as `answer` does, injected faults included, without HTTP as long as nothing goes wrong."""
        with self._lock:
            self.account.run_until(self.clock.now())
            return self._wire.ask(operation, parameters)

    def call(self, operation: str, /, **parameters: Any) -> Mapping[str, Any]:
        """Perform an operation from Python; raises MgnError where the service would refuse."""
        with self._lock:
            self.account.run_until(self.clock.now())
            return self._wire.invoke(operation, parameters)

    def run_due(self) -> None:
        """Let everything happen that is due by now."""
        with self._lock:
            self.account.run_until(self.clock.now())

    def advance(self, seconds: float) -> None:
        """Move simulated time on and let everything happen on the way."""
        with self._lock:
            self.clock.advance(seconds)
            self.account.run_until(self.clock.now())

    def advance_to_next(self) -> bool:
        """Jump to the next planned transition; False when nothing is planned."""
        with self._lock:
            due = self.account.agenda.next_due()
            if due is None:
                return False
            while (left := due - self.clock.now()) > LONGEST_JUMP:
                self.advance(LONGEST_JUMP)
            self.advance(max(0.0, left))
            return True

    def finish_jobs(self, limit_seconds: float = 86_400) -> None:
        """Advance until no job is active, at most `limit_seconds` of simulated time."""
        deadline = self.clock.now() + limit_seconds
        while self.account.active_jobs and self.clock.now() < deadline and self.advance_to_next():
            pass

    def next_due(self) -> float | None:
        """Simulated second of the next planned transition."""
        return self.account.agenda.next_due()

    def add_servers(self, *specs: ServerSpec) -> list[SourceServer]:
        """Add source servers now."""
        with self._lock:
            return add_servers(self.account, specs)

    def server(self, name: str) -> SourceServer:
        """A server by its scenario name or id."""
        for server in self.account.servers.values():
            if name in (server.name, server.server_id):
                return server
        raise KeyError(name)

    def inject(self, fault: Fault | Mapping[str, Any]) -> Fault:
        """Put a fault in force from now on, once it is checked."""
        try:
            fault = _FAULT.validate_python(dict(fault) if isinstance(fault, Mapping) else fault)
        except ValidationError as error:
            raise ScenarioError(f"fault:\n{explain(error)}") from error
        with self._lock:
            self.journal.write(self.account.now, "fault", {"fault": "injected", **fault.model_dump(mode="json")})
            put_in_force(self.account, fault)
        return fault

    def clear_faults(self) -> None:
        """Take all faults out of force; those of replication already planned still come."""
        with self._lock:
            self.account.chaos.clear()

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force as JSON-ready data, those asked first first, then those of replication still to come."""
        with self._lock:
            return [fault.model_dump(mode="json") for fault in self.account.chaos.in_force()]

    def state(self) -> dict[str, Any]:
        """Everything there is now, as JSON-ready data."""
        with self._lock:
            self.account.run_until(self.clock.now())
            return state_view(self.account, self.scenario.name, self.seed)

    def glance(self, *, find: str = "", state: str = "", page: int = 1) -> dict[str, Any]:
        """Counters, one page of the servers that match, the newest jobs."""
        with self._lock:
            self.account.run_until(self.clock.now())
            return glance_view(self.account, self.scenario.name, self.seed, find=find, state=state, page=page)

    def log(self, *, since: int = 0, kind: str = "", limit: int | None = None) -> list[dict[str, Any]]:
        """Log entries numbered above `since`."""
        with self._lock:
            return self.journal.read(since=since, kind=kind, limit=limit)

    def reset(self) -> None:
        """Start over from the scenario; time does not go back."""
        with self._lock:
            for side in (self.compute, self.bus, self.objects):
                side.clear()
            self.journal.clear()
            self._populate()
