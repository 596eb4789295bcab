"""One account in one Region: everything MGN holds there, and the time it is."""

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from simulator.model.account.agenda import Agenda
from simulator.model.account.chaos import Chaos
from simulator.model.account.job import Job
from simulator.model.account.ports import Compute, EventBus, ObjectStore
from simulator.model.account.server import SourceServer
from simulator.model.forms.errors import MgnError, invalid, not_found, refusal
from simulator.model.forms.ids import Ids
from simulator.model.settings.knobs import Knobs
from simulator.model.settings.quotas import Quotas
from simulator.model.settings.timings import Timings

Notice = Callable[[float, str, dict[str, Any]], None]


class Account:
    """Plain containers and look-ups; the rules live in the modules beside this one."""

    def __init__(
        self,
        *,
        ids: Ids,
        start: float,
        knobs: Knobs,
        quotas: Quotas,
        timings: Timings,
        compute: Compute,
        bus: EventBus,
        objects: ObjectStore,
        notice: Notice,
    ) -> None:
        self.ids = ids
        self.now = start
        self.knobs = knobs
        self.quotas = quotas
        self.timings = timings
        self.compute = compute
        self.bus = bus
        self.objects = objects
        self.install: Callable[[str, str], SourceServer]
        self.agenda = Agenda()
        self.chaos = Chaos(ids, self.notice)
        self.results: deque[Callable[[], None]] = deque()
        self.initialized = True
        self.managed_accounts: tuple[str, ...] = ()
        self.servers: dict[str, SourceServer] = {}
        self.jobs: dict[str, Job] = {}
        self.active_jobs: dict[str, Job] = {}
        self.resources: dict[str, dict[str, dict[str, Any]]] = {}
        self.sequence = 0
        self._numbers = count(1)
        self._jitter = ids.stream("jitter")
        self._notice = notice

    def next_sequence(self) -> int:
        """A number above all given out before; orders things by creation."""
        self.sequence += 1
        return self.sequence

    def notice(self, kind: str, **facts: Any) -> None:
        """Tell whoever keeps the log what just happened."""
        self._notice(self.now, kind, facts)

    def after(self, seconds: float, transition: Callable[[], None]) -> float:
        """Plan a transition `seconds` from now; returns the simulated second it is due."""
        due = self.now + seconds
        self.agenda.plan(due, transition)
        return due

    def vary(self, timings: Timings, seconds: float) -> float:
        """A duration with the scenario's jitter applied."""
        return seconds * (1 + self._jitter.uniform(-timings.jitter, timings.jitter)) if timings.jitter else seconds

    def run_until(self, moment: float) -> None:
        """Let everything due up to `moment` happen, in order."""
        agenda, results = self.agenda, self.results
        while True:
            while results:
                results.popleft()()
            due = agenda.next_due()
            if due is None or due > moment:
                break
            due, transition = agenda.pop()
            self.now = max(self.now, due)
            transition()
        self.now = max(self.now, moment)

    def server(self, server_id: str) -> SourceServer:
        """The server, or ResourceNotFoundException."""
        server = self.servers.get(server_id)
        if server is None:
            raise not_found("SourceServer", server_id)
        return server

    def kept(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources of one kind by id (applications, waves, templates, connectors, tasks …)."""
        return self.resources.setdefault(kind, {})

    def keep(self, kind: str, identifier: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Add a resource; its number is its place in lists, whatever else comes and goes."""
        self.kept(kind)[identifier] = {**resource, "number": next(self._numbers)}
        return self.kept(kind)[identifier]

    def resource(self, kind: str, identifier: str) -> dict[str, Any]:
        """One such resource, or ResourceNotFoundException."""
        found = self.kept(kind).get(identifier)
        if found is None:
            raise not_found(kind, identifier)
        return found

    def job(self, job_id: str) -> Job:
        """The job, or ResourceNotFoundException."""
        job = self.jobs.get(job_id)
        if job is None:
            raise not_found("Job", job_id)
        return job

    def wrong_state(self, server: SourceServer, action: str) -> MgnError:
        """The refusal of an action the server's state does not allow."""
        return refusal(
            self.knobs.wrong_state_error,
            f"{action} is not allowed for source server {server.server_id} in state {server.state}",
            "SourceServer",
            server.server_id,
        )

    def invalid_state(self, server: SourceServer, action: str) -> MgnError:
        """The same on operations that cannot answer ConflictException."""
        return invalid(f"{action} is not allowed for source server {server.server_id} in state {server.state}")

    def not_launchable(self, server: SourceServer) -> MgnError:
        """The refusal of what needs a launchable snapshot: lagDuration is null."""
        return refusal(
            self.knobs.lag_null_error,
            f"Source server {server.server_id} is not launchable: it has no launchable snapshot",
            "SourceServer",
            server.server_id,
        )

    def require_idle(self, server: SourceServer) -> None:
        """Refuse when a job works on the server, unless the knob says otherwise."""
        if server.job_id and self.knobs.busy_server_changes == "refuse":
            raise refusal("ConflictException", BUSY, "SourceServer", server.server_id)

    def servers_in_active_jobs(self) -> int:
        """How much of the 200-server budget is in use."""
        return sum(job.size for job in self.active_jobs.values())


# Captured from the service (docs/mgn.md#jobs).
BUSY = "One or more of the Source Servers included in API call are currently being processed by a Job"
