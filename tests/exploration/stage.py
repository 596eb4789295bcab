"""Plays a story: the real handlers on the virtual world, with everything that goes wrong in it."""

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any, NamedTuple, cast
from unittest import mock

from botocore.exceptions import ReadTimeoutError

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.logic.journal import rebuild
from runtime.logic.ports import Ports
from runtime.models.events import BusEvent, MigrationRequested, MigrationSignal, StatusEvent
from runtime.models.functions.catalogue import FUNCTIONS, SWEEP
from runtime.models.functions.environment import Budgets, IngressEnvironment
from runtime.models.mgn import InstanceHealth
from runtime.models.record import JournalEntry, Lock, MigrationRecord
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.observability import metrics
from simulator.engine import Simulator
from simulator.memory import MemoryBus
from simulator.model.forms.errors import MgnError
from simulator.scenario import Scenario
from tests.builders import TARGET_ACCOUNT, TARGET_REGION, TARGET_SCOPE, a_request
from tests.exploration.actors import Actors
from tests.exploration.faults import Faults, Port
from tests.exploration.story import Decided, Fault, FaultKind, Meddling, Migration, Stop, Story
from tests.pipeline.asl import Json, TaskFailedError
from tests.pipeline.direct_client import DirectClient
from tests.pipeline.test_accounts import Target
from tests.pipeline.world import EVENT_LATENCY, World
from tests.saboteur import CALLS, CrashError

HOUR = 3_600
LONGEST = 60 * HOUR
"""By then everything must have ended."""
QUIET_AFTER = 8 * HOUR
"""After the last request: from then on nothing goes wrong and every event comes."""
AFTERMATH = 1_500
"""Seconds played after the last end: late effects, events and wakes come within them."""
SENDS = 3
"""How often the SDK sends a call in all, where it may."""
RECEIVES, RECEIVED_AGAIN = 3, 180
"""How often a request is received at most, and after how many seconds again."""
QUICK = {"job_pending": 5, "cleanup": 5, "snapshot": 5, "conversion": 10, "launch": 5, "boot": 20, "terminate": 10}
DOCUMENT = "AWS-RunShellScript"
TIMEOUTS = {function.name: function.timeout.total_seconds() for function in FUNCTIONS}
HEARD = frozenset({"decisions.keep", "decisions.of", "instances.health", "send mgn.finalize"})
"""The calls whose order the judge asks for."""
TERMINATED = "terminated by hand"
SLOW = (FaultKind.CALL_SLOW, FaultKind.ANSWER_LATE)
OF_THE_ACCOUNT = ("mgn", "launch_settings", "network", "instances", "commands")


class Heard(NamedTuple):
    """A call of a function, in the order in which they were made."""

    at: datetime
    invocation: int
    scope: Scope
    call: str
    args: tuple[Any, ...]


class Struck(NamedTuple):
    """A fault that came, and when."""

    fault: Fault
    at: float


class Client(DirectClient):
    """MGN as the SDK shows it: some calls it sends again by itself, and DescribeJobs may lag."""

    def __init__(self, simulator: Simulator, faults: Faults, *, sends: int, lag: float) -> None:
        super().__init__(simulator)
        self._of, self._faults, self._sends, self._lag = simulator, faults, sends, lag

    def _call(self, method: str, **parameters: Any) -> Json:
        name = _operation(method)

        def once() -> Json:
            return super(Client, self)._call(method, **parameters)

        for _ in range(self._sends - 1):
            try:
                return self._shown(name, self._faults.below_the_adapter(f"MGN {name}", once))
            except ReadTimeoutError:
                continue
        return self._shown(name, self._faults.below_the_adapter(f"MGN {name}", once))

    def _shown(self, operation: str, answer: Json) -> Json:
        if operation != "DescribeJobs" or not self._lag or "items" not in answer:
            return answer
        limit = self._of.clock.now() - self._lag
        listed = [job for job in answer["items"] if datetime.fromisoformat(job["creationDateTime"]).timestamp() < limit]
        return {**answer, "items": listed}


class Stage(World):
    """The world of one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self._chance = Random(f"stage {story.seed}")
        self._began: list[float] = []
        self.faults = Faults(self, story.faults, story.outages)
        self.struck: list[Struck] = []
        self.meddled: set[Meddling] = set()
        """What changed something."""
        self._cued: list[Decided | Stop | Meddling] = [*story.decisions, *story.stops, *story.meddlings]
        self._actors = Actors(any(fault.kind in SLOW for fault in story.faults))
        self.heard: list[Heard] = []
        self._invocations: list[int] = []
        self.published: list[StatusEvent] = []
        """What publish_events put on the bus."""
        self._on_the_way = 0
        """Requests that nobody has taken from their queue yet."""
        self.stopped: set[str] = set()
        """Migrations whose execution was stopped while it ran."""
        budgets = Budgets(replication=4 * HOUR, launch_queue=12 * HOUR, look=story.look)
        super().__init__(_scenario(story), budgets=budgets, sweep_seconds=story.sweep)
        for name in ("ingress_handler", "publish_events"):
            self._handlers[name] = importlib.import_module(f"runtime.handlers.{name}").handler
        self.began = self.simulator.clock.now()
        self._seen: dict[str, float] = {}
        self._commanded: dict[str, float] = {}
        self._running_executions: set[str] = set()
        self.delivers_events = self._latencies
        self.mgn = self._service(self.simulator)
        self.accounts: dict[Scope, Any] = {self.scope: self}
        if any(each.in_target for each in story.migrations):
            target = Target(self, _scenario(story, account_id=TARGET_ACCOUNT, region=TARGET_REGION))
            target.mgn = self._service(target.simulator)
            self.accounts[TARGET_SCOPE] = target
            self.scopes = (self.scope, TARGET_SCOPE)
        self.stored, self.commanded = self.migrations, self.commands
        self.migrations = cast(Any, _Streamed(self))
        self._place_faults()
        self._plan()

    # what the judge asks

    def after(self, seconds: float) -> datetime:
        """The moment so many seconds into the story."""
        return datetime.fromtimestamp(self.began + seconds, self.now().tzinfo)

    def simulator_of(self, migration: Migration) -> Simulator:
        """MGN of the account of a migration."""
        simulator: Simulator = self.accounts[self.scope_of(migration)].simulator
        return simulator

    def scope_of(self, migration: Migration) -> Scope:
        """Account and Region of a migration."""
        return TARGET_SCOPE if migration.in_target else self.scope

    # the play

    def play(self) -> None:
        """Let it all happen, and what comes after the last end."""
        self.run(hours=LONGEST / HOUR)
        until = self.simulator.clock.now() + AFTERMATH
        with self._wired():
            while self.simulator.clock.now() < until:
                self._step()
        self._actors.end()

    def is_over(self) -> bool:
        asked_by = self.began + _last_request(self.story) + self.story.disorder + 1
        is_asked = self.simulator.clock.now() > asked_by and not self._on_the_way
        return is_asked and super().is_over()

    def is_quiet(self) -> bool:
        return self.simulator.clock.now() > self.began + _last_request(self.story) + QUIET_AFTER

    def function(self) -> str:
        return self.running or SWEEP.name

    def elapsed(self) -> float:
        return self.simulator.clock.now() - self.began

    def strike(self, fault: Fault) -> None:
        if not self.struck:
            self.cue("fault")
        self.struck.append(Struck(fault, self.elapsed()))

    def hang(self, seconds: float) -> None:
        mine = self.running, self._began, self._invocations
        self.running, self._began, self._invocations = "", [], []
        super().later(seconds, self._actors.leave())
        self._actors.wait()
        self.running, self._began, self._invocations = mine
        timeout = TIMEOUTS[self.function()]
        if self._began and self.simulator.clock.now() - self._began[-1] > timeout:
            raise CrashError(f"timed out after {timeout:.0f} s")

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        extra = self._chance.uniform(0, self.story.disorder) if seconds and self.story.disorder else 0
        super().later(seconds + extra, lambda: self._actors.act(action))

    def at(self, scope: Scope) -> Ports:
        return cast(Ports, self.accounts[scope])

    def invoke(self, function: str, payload: Json) -> Json:
        name = self._names[function]
        fault = self.faults.next(f"try of {name}")
        if fault is not None:
            self.later(fault.seconds, lambda: self._stray(name, payload))
            if fault.kind is FaultKind.TRY_LATE:
                raise TaskFailedError("Lambda.ServiceException", "no answer from Lambda")
        return super().invoke(function, payload)

    def publish(self, events: Sequence[BusEvent]) -> None:
        for event in events:
            if isinstance(event, MigrationRequested):
                detail = json.loads(event.to_json())
                for latency in self._latencies(detail):
                    self.later(latency, lambda detail=detail: self._start(detail))  # type: ignore[misc]
            elif isinstance(event, StatusEvent):
                self.published.append(event)

    def health(self, ids: Sequence[str]) -> dict[str, InstanceHealth]:
        found = super().health(ids)
        limit = self.simulator.clock.now() - self.story.lag.instances
        hidden = [id_ for id_ in ids if self._seen.get(id_, limit) > limit]
        return {**found, **{id_: InstanceHealth(instance_id=id_) for id_ in hidden}}

    def cue(self, cue: str | None, migration: str | None = None) -> None:
        """Have those act who waited for this."""
        does: dict[type, Callable[[Any], None]] = {Decided: self._decide, Stop: self._stop, Meddling: self._meddle}
        for each in [each for each in self._cued if each.cue == cue and migration in (None, each.migration)]:
            self._cued.remove(each)
            self.later(each.at or 0.01, partial(does[type(each)], each))

    def stream(self, entry: JournalEntry) -> None:
        """Hand a journal entry to publish_events, perhaps more than once."""
        if entry.changes_status:
            self.faults.cue(entry.to_status)
            self.cue(entry.to_status, entry.migration_id)
        if not self.story.streams:
            return
        image = {"NewImage": {"document": {"S": entry.to_json()}}, "SequenceNumber": str(entry.sequence)}
        record = {"eventID": f"{entry.migration_id}-{entry.sequence}", "dynamodb": image}
        again = self._chance.random() < self.story.delivery.streamed_again
        for latency in (0.2, self._chance.uniform(1, 600)) if again else (0.2,):
            self.later(latency, lambda: self._publish(record))

    def _publish(self, record: Json) -> None:
        # Lambda tries a record of a stream again until it is taken.
        try:
            failed = self._call("publish_events", {"Records": [record]})["batchItemFailures"]
        except TaskFailedError:
            failed = [record]
        if failed:
            self.later(1, lambda: self._publish(record))

    def _stray(self, name: str, payload: Json) -> None:
        # Nobody waits for its answer.
        try:
            self._call(name, payload)
        except TaskFailedError:
            return

    def _call(self, name: str, payload: Json) -> Json:
        self._began.append(self.simulator.clock.now())
        self._invocations.append(next(self._ticks))
        try:
            return super()._call(name, payload)
        finally:
            self._began.pop()
            self._invocations.pop()

    def _sweep_once(self) -> None:
        self._began.append(self.simulator.clock.now())
        before, self.running = self.running, ""
        try:
            super()._sweep_once()
        finally:
            self.running = before
            self._began.pop()

    def _step(self) -> None:
        for there in self.accounts.values():
            if there is not self and (due := there.simulator.next_due()) is not None:
                super().later(max(0.0, due - self.simulator.clock.now()), lambda: None)
        super()._step()
        for name, execution in self.executions.items():
            if execution.status == "RUNNING":
                self._running_executions.add(name)
            elif name in self._running_executions:
                self._running_executions.remove(name)
                if execution.status == "FAILED":
                    self._tell_end(name)

    def _deliver_mgn_events(self) -> None:
        super()._deliver_mgn_events()
        now = self.simulator.clock.now()
        for there in self.accounts.values():
            if there is not self:
                there.simulator.advance(now - there.simulator.clock.now())
                self._forward(there.simulator)
            if self.story.lag.instances:
                for id_ in there.simulator.compute.instances.keys() - self._seen.keys():
                    self._seen[id_] = now

    def _forward(self, simulator: Simulator) -> None:
        bus = simulator.bus
        assert isinstance(bus, MemoryBus)
        for native in bus.events:
            event = {
                "source": "aws.mgn",
                "detail-type": native.detail_type,
                "account": TARGET_ACCOUNT,
                "region": TARGET_REGION,
                "resources": [native.resource],
                "detail": dict(native.detail),
            }
            for latency in self.delivers_events(event):
                self.later(latency, lambda event=event: self._tolerant("signal_handler", event))  # type: ignore[misc]
        bus.events.clear()

    def _latencies(self, event: Json) -> tuple[float, ...]:
        delivery, chance = self.story.delivery, self._chance
        if self.is_quiet():
            return (EVENT_LATENCY,)
        # Those of MGN are best effort, ours are not.
        if chance.random() < (delivery.lost if event.get("source") == "aws.mgn" else delivery.lost / 4):
            return ()
        copies = 2 if chance.random() < delivery.doubled else 1
        return tuple(EVENT_LATENCY + chance.uniform(0, delivery.latest) for _ in range(copies))

    def _tell_end(self, name: str) -> None:
        execution = self.executions[name]
        detail = {"executionArn": name, "status": execution.status, "input": json.dumps(execution.data)}
        event = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}
        self.later(EVENT_LATENCY, lambda: self._tolerant("signal_handler", event))

    @contextmanager
    def _wired(self) -> Iterator[None]:
        environment = IngressEnvironment(stage="dev", state_table="table", event_bus="bus")
        with (
            super()._wired(),
            mock.patch("runtime.handlers.ingress_handler.aws_ports", self._ports),
            mock.patch("runtime.handlers.publish_events.aws_ports", self._ports),
            mock.patch("runtime.handlers.ingress_handler.environment", return_value=environment),
            mock.patch.object(metrics, "flush_metrics", metrics.clear_metrics),
        ):
            yield

    # how it is set up

    def _service(self, simulator: Simulator) -> MgnMigrationService:
        lag = self.story.lag.jobs
        clients: list[Any] = [Client(simulator, self.faults, sends=sends, lag=lag) for sends in (SENDS, 1)]
        return MgnMigrationService(*clients)

    def _place_faults(self) -> None:
        for name in CALLS:
            setattr(self, name, Port(getattr(self, name), name, self.faults, partial(self._hear, self.scope)))
        for scope, there in self.accounts.items():
            for name in OF_THE_ACCOUNT if there is not self else ():
                setattr(there, name, Port(getattr(there, name), name, self.faults, partial(self._hear, scope)))

    def _hear(self, scope: Scope, name: str, args: tuple[Any, ...]) -> None:
        if name in HEARD:
            invocation = self._invocations[-1] if self._invocations else 0
            self.heard.append(Heard(self.now(), invocation, scope, name, args))

    def _plan(self) -> None:
        for number, each in enumerate(self.story.migrations, start=1):
            self._prepare(number, each)
            body = self.body(number, each)
            for moment in (each.at, *(each.at + seconds for seconds in each.sent_again)):
                self.later(moment or 0.01, lambda body=body: self._send(body))  # type: ignore[misc]
            if each.contradicted_at is not None:
                other = json.dumps({**json.loads(body), "appName": "another"})
                self.later(each.at + each.contradicted_at, lambda other=other: self._send(other))  # type: ignore[misc]
        self.cue(None)

    def _prepare(self, number: int, each: Migration) -> None:
        if each.check_passes_after is None or each.check_passes_after:
            self.prober.seen[8_000 + number] = "connection refused"
        if each.check_passes_after:
            self.later(each.at + each.check_passes_after, lambda: self.prober.seen.pop(8_000 + number))
        servers = self.simulator_of(each).account.servers.values()
        for server in servers:
            if server.name == each.server:
                self.tagged[_node(number)] = server.server_id

    def body(self, number: int, each: Migration) -> str:
        """The message that asks for a migration."""
        checks: list[Json] = [{"type": "tcp", "port": 8_000 + number}] if each.checked else []
        checks += [{"type": "ssm", "document": DOCUMENT}] if each.runs_document else []
        request = a_request(
            each.id,
            source_vm_id=each.server,
            correlation_id=f"c-{each.id}",
            mode=each.mode,
            test=each.test,
            soak_seconds=each.soak,
            checks=checks,
            approval={**dict.fromkeys(each.gates, True), "timeout_seconds": each.patience},
            window=_window(self, each),
            pre_migration_command={"instance_id": _node(number), "document": DOCUMENT} if each.runs_command else None,
            **({"target_account": TARGET_ACCOUNT, "target_region": TARGET_REGION} if each.in_target else {}),
        )
        return request.to_json()

    def _send(self, body: str) -> None:
        record = {"messageId": f"r-{next(self._ids)}", "eventSource": "aws:sqs", "body": body, "attributes": {}}
        self._on_the_way += 1
        self._take({"Records": [record]}, 1)

    def _take(self, event: Json, receive: int) -> None:
        try:
            failed = self._call("ingress_handler", event)["batchItemFailures"]
        except TaskFailedError:
            failed = event["Records"]
        if failed and receive < RECEIVES:
            self.later(RECEIVED_AGAIN, lambda: self._take(event, receive + 1))
        else:
            # Taken, or in the dead-letter queue.
            self._on_the_way -= 1

    def _decide(self, decided: Decided) -> None:
        named = decided.model_dump(include={"decision", "gate"})
        self.signal(MigrationSignal(migration_id=decided.migration, by="ana", reason="because", **named))

    def _meddle(self, meddling: Meddling) -> None:
        asked = next(each for each in self.story.migrations if each.id == meddling.migration)
        record, simulator = self.stored.records.get(asked.id), self.simulator_of(asked)
        if record is None or record.status.is_terminal or record.source_server_id is None:
            return
        if meddling.what == "start test":
            with suppress(MgnError):
                simulator.call("StartTest", sourceServerIDs=[record.source_server_id])
                self.meddled.add(meddling)
            return
        for instance in simulator.compute.instances.values():
            if instance.server_id == record.source_server_id and instance.state == "running":
                instance.state = "terminated"
                self.meddled.add(meddling)
                self.heard.append(Heard(self.now(), 0, self.scope_of(asked), TERMINATED, (instance.instance_id,)))

    def _stop(self, stop: Stop) -> None:
        record = self.stored.records.get(stop.migration)
        execution = self.executions.get(record.execution or "") if record else None
        if execution is None or execution.status != "RUNNING":
            return
        self.stopped.add(stop.migration)
        execution.stop("ABORTED")
        self._running_executions.discard(execution.name)
        if stop.heard:
            self._tell_end(execution.name)


class _Streamed:
    """The migrations of the table with its stream, and an index that lags."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._real = stage, stage.migrations

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        self._real.append(record, entry, unlock=unlock)
        self._stage.stream(entry)

    def find(self, *, status: MigrationStatus | None = None, **named: str | None) -> Iterator[MigrationRecord]:
        lag = self._stage.story.lag.index
        if not lag:
            return iter(self._real.find(status=status))
        limit = self._stage.now() - timedelta(seconds=lag)
        shown = (
            record
            if record.updated_at <= limit
            else rebuild(entry for entry in self._real.journal(name) if entry.at <= limit)
            for name, record in self._real.records.items()
        )
        found = [record for record in shown if record is not None and status in (None, record.status)]
        return iter(sorted(found, key=lambda record: record.updated_at))


def play(story: Story) -> Stage:
    """Play a story to its end."""
    stage = Stage(story)
    stage.play()
    return stage


def _scenario(story: Story, **place: str) -> Scenario:
    troubles = [
        {"kind": "launch", "at": each.at, "servers": [each.server], "phase": each.phase or "any"}
        for each in story.troubles
    ]
    named = {"timings": QUICK} if story.quick_jobs else {}
    servers = [{"name": name} for name in story.servers]
    return Scenario.model_validate({"servers": servers, "faults": troubles, "knobs": story.knobs, **named, **place})


def _last_request(story: Story) -> float:
    moments = [each.at for each in story.migrations]
    moments += [each.at + seconds for each in story.migrations for seconds in each.sent_again]
    moments += [each.at + each.contradicted_at for each in story.migrations if each.contradicted_at is not None]
    return max(moments, default=0)


def _window(stage: Stage, each: Migration) -> Json | None:
    if each.window is None:
        return None
    opens, closes = (stage.after(each.at + seconds) for seconds in each.window)
    return {"not_before": opens, "not_after": closes}


def _node(number: int) -> str:
    return f"mi-{number:017x}"


@cache
def _operation(method: str) -> str:
    return "".join(part.capitalize() for part in method.split("_"))
