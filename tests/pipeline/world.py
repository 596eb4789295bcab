"""The whole pipeline in one process on a virtual clock: the synthesized state machine, the real handlers and logic,
the real MGN adapter on the MGN simulator, and in-memory neighbours."""

import heapq
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from math import ceil, inf
from typing import Any
from unittest import mock

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.logic.ingress import accept
from runtime.logic.ports import Ports
from runtime.models.events import BusEvent, MigrationRequested, MigrationSignal, StatusEvent, status_events
from runtime.models.functions.catalogue import DISPATCH_LAUNCHES, STEPS
from runtime.models.functions.environment import Budgets, DecisionRules
from runtime.models.mgn import InstanceHealth
from runtime.models.record import JournalEntry, Lock, MigrationRecord
from runtime.models.request import MigrationRequest
from runtime.models.scope import Scope, Wake
from runtime.models.waits import Outcome
from runtime.observability import logger, metrics
from simulator.engine import Simulator
from simulator.memory import MemoryBus, MemoryCompute
from simulator.scenario import Scenario
from tests.fakes import (
    FakeCommands,
    FakeLaunchSettings,
    FakeNetwork,
    FakeProber,
    InMemoryDecisions,
    InMemoryDispatches,
    InMemoryMigrations,
    InMemoryTokens,
    InMemoryWaits,
)
from tests.pipeline.asl import Execution, Json, TaskFailedError
from tests.pipeline.direct_client import DirectClient
from tests.policies.calls import keep
from tests.saboteur import CrashError
from tests.unit.infrastructure.synthesis import definition

ACCOUNT = "000000000000"
REGION = "us-east-1"
EVENT_LATENCY = 0.5
WAKE_LATENCY = 0.1
RECEIVE_AGAIN = 360
"""The visibility timeout of the wake queue."""
MAX_RECEIVES = 3
"""After them a message is a dead letter."""
NO_ROOM = "Lambda.TooManyRequestsException"
LONGEST_PAUSE = 300
"""Between two tries of an event that Lambda could not begin with; it keeps it for six hours."""
PERSON = "AROA0000000000000OPS:ada@example.com"
HANDLERS = tuple(function.name for function in (*STEPS, DISPATCH_LAUNCHES))


class NoRoomError(Exception):
    """The account runs as many invocations as it may."""


class RecordingMigrations(InMemoryMigrations):
    """Publishes what the table's stream would."""

    def __init__(self) -> None:
        super().__init__()
        self._changes: list[tuple[MigrationRecord, JournalEntry]] = []
        self.unended: list[str] = []
        """Those that had not ended when it was asked last."""

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        super().append(record, entry, unlock=unlock)
        if entry.sequence == 1:
            self.unended.append(record.migration_id)
        self._changes.append((record, entry))

    @property
    def events(self) -> list[StatusEvent]:
        return [event for record, entry in self._changes for event in status_events(record, entry)]


class World:
    """Everything around the handlers. It is their ports, too."""

    scope = Scope(ACCOUNT, REGION)

    def __init__(
        self,
        scenario: Scenario,
        *,
        budgets: Budgets | None = None,
        decision_rules: DecisionRules | None = None,
        begins_per_sender: int = 200,
        sweep_seconds: float = 60,
        client: Callable[[Simulator], Any] = DirectClient,
        program: Json | None = None,
        concurrency: float = inf,
        seconds: float = 0,
    ) -> None:
        """`client` makes what asks MGN, `program` is the state machine's definition instead of today's.

        The account runs `concurrency` invocations at a time, and each takes so many seconds.
        """
        self.simulator = Simulator(scenario)
        self.budgets = budgets or Budgets()
        self.decision_rules = decision_rules or DecisionRules()
        self.begins_per_sender = begins_per_sender
        self.sweep_seconds = sweep_seconds
        self.migrations, self.waits, self.tokens = RecordingMigrations(), InMemoryWaits(), InMemoryTokens()
        self.dispatches, self.decisions = InMemoryDispatches(), InMemoryDecisions()
        asking = client(self.simulator)
        if isinstance(asking, DirectClient):
            asking.asked = lambda operation, parameters: keep(self.running, "mgn", operation, parameters)
        self.mgn = MgnMigrationService(asking, asking)
        self.network, self.prober, self.commands = FakeNetwork(), FakeProber(), FakeCommands()
        self.launch_settings = FakeLaunchSettings(*self.simulator.account.servers)
        self.tagged: dict[str, str] = {}
        """The source servers that managed nodes are tagged with."""
        self.resumer = self.bus = self.instances = self.wakes = self
        self.executions: dict[str, Execution] = {}
        self._running: list[Execution] = []
        self.invoked: dict[str, int] = {}
        self.concurrency, self.seconds = concurrency, seconds
        self.at_work = self.most_at_work = 0
        """Invocations that run, and ran at most."""
        self.spent: float = 0
        """How long the present invocation has run, or the last one ran."""
        self.refused = Counter[str]()
        """By function, invocations Lambda did not begin because the account was full."""
        self.delivers_events: Callable[[Json], Sequence[float]] = lambda event: (EVENT_LATENCY,)
        """After how many seconds an MGN event is delivered, once for each of them."""
        self.before_invoke: Callable[[str, Json], None] = lambda function, payload: None
        self.running = ""
        """The function that runs at the moment."""
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._ticks, self._ids = count(), count(1)
        self._handlers = {name: importlib.import_module(f"runtime.handlers.{name}").handler for name in HANDLERS}
        self._sweep = importlib.import_module("runtime.handlers.sweep").handler
        self._definition = program or definition("dev")
        self._names = _functions_of(self._definition)
        self._context = _Context()
        self.later(sweep_seconds, self._sweep_again)

    # the ports that are not fakes of their own

    scopes: tuple[Scope, ...] = (scope,)
    documents: tuple[str, ...] = ("AWS-RunShellScript",)
    ebs_keys: tuple[str, ...] = ()

    def at(self, scope: Scope) -> Ports:
        assert scope == self.scope
        return self

    def now(self) -> datetime:
        return _moment(self.simulator.clock.now())

    def new_id(self) -> str:
        return f"{next(self._ids):032x}"

    def health(self, ids: Sequence[str]) -> dict[str, InstanceHealth]:
        compute = self.simulator.compute
        assert isinstance(compute, MemoryCompute)
        return {id_: _health(id_, compute) for id_ in ids}

    def source_server_of(self, node_id: str) -> str | None:
        return self.tagged.get(node_id)

    def wake(self, scope: Scope, *, after: float = 0, everything: bool = False) -> None:
        sent, wake = self._milliseconds(), Wake(scope, everything=everything)
        self.later(
            ceil(after) + WAKE_LATENCY, lambda: self._receive("dispatch_launches", self._wake_message(wake, sent))
        )

    def look_now(self) -> None:
        """Have a dispatcher look at this moment, whatever else goes on."""
        self._call("dispatch_launches", self._wake_message(Wake(self.scope, everything=True), self._milliseconds()))

    def _wake_message(self, wake: Wake, sent: str) -> Json:
        attributes = {
            "SentTimestamp": sent,
            "ApproximateFirstReceiveTimestamp": self._milliseconds(),
            "ApproximateReceiveCount": "1",
        }
        return {"Records": [{"messageId": "wake", "body": wake.to_text(), "attributes": attributes}]}

    def _milliseconds(self) -> str:
        return str(int(self.simulator.clock.now() * 1_000))

    def is_running(self, execution: str) -> bool:
        return self.executions[execution].status == "RUNNING"

    def resume(self, token: str, outcome: Outcome) -> bool:
        execution = self.executions.get(token.rpartition("/")[0])
        if execution is None:
            return False
        if outcome.error is not None:
            return execution.resume(token, TaskFailedError(outcome.error, outcome.reason))
        return execution.resume(token, json.loads(outcome.to_json()))

    def publish(self, events: Sequence[BusEvent]) -> None:
        for event in events:
            if isinstance(event, MigrationRequested):
                detail = json.loads(event.to_json())
                self.later(EVENT_LATENCY, lambda detail=detail: self._start(detail))  # type: ignore[misc]

    # what people and tests do

    def submit(self, *requests: MigrationRequest, sender: str | None = None) -> None:
        """Accept requests as ingress_handler does."""
        for request in requests:
            correlation_id = request.correlation_id or f"c-{request.migration_id}"
            accept(self, request.model_copy(update={"correlation_id": correlation_id}), requester=sender)

    def signal(self, signal: MigrationSignal, *, sender: str | None = PERSON) -> None:
        """Put a decision on its queue; without a sender, on the bus."""
        message = {"messageId": f"m-{next(self._ids)}", "eventSource": "aws:sqs", "body": signal.to_json()}
        queued = {"Records": [{**message, "attributes": {"SenderId": sender}}]}
        event = {"source": "people", "detail-type": signal.detail_type, "detail": json.loads(signal.to_json())}
        if sender is None:
            self.later(EVENT_LATENCY, lambda: self._tolerant("signal_handler", event))
        else:
            self.later(WAKE_LATENCY, lambda: self._receive("signal_handler", queued))

    def run(self, *, hours: float = 48) -> None:
        """Let virtual time pass until every migration has ended, at most so many hours."""
        limit = self.simulator.clock.now() + hours * 3_600
        with self._wired():
            while self.simulator.clock.now() < limit and not self.is_over():
                self._step()

    def is_over(self) -> bool:
        """Every accepted migration is terminal and no execution runs."""
        # Those that have ended stay so: each is asked once.
        unended, running = self.migrations.unended, self._running
        while unended and self.record(unended[-1]).status.is_terminal:
            unended.pop()
        while running and running[-1].status != "RUNNING":
            running.pop()
        return not unended and not running

    def record(self, migration_id: str) -> MigrationRecord:
        return self.migrations.records[migration_id]

    # the machinery

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (self.simulator.clock.now() + seconds, next(self._ticks), action))

    def new_token(self, execution: Execution) -> str:
        return f"{execution.name}/{next(self._ticks)}"

    def invoke(self, function: str, payload: Json) -> Json:
        name = self._names[function]
        try:
            with self._place(name):
                return self._call(name, payload)
        except NoRoomError:
            raise TaskFailedError(NO_ROOM, "Rate Exceeded.") from None

    def lasted(self) -> float:
        return self.spent

    @contextmanager
    def _place(self, name: str) -> Iterator[None]:
        """A place among the account's invocations, for as long as this one runs; raises NoRoomError."""
        if self.at_work >= self.concurrency:
            self.refused[name] += 1
            self.spent = 0
            raise NoRoomError
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        self.spent = self.seconds
        try:
            yield
        finally:
            self.later(self.spent, self._leave)

    def _leave(self) -> None:
        self.at_work -= 1

    def _call(self, name: str, payload: Json) -> Json:
        self.invoked[name] = self.invoked.get(name, 0) + 1
        before, self.running = self.running, name
        try:
            self.before_invoke(name, payload)
            answer: Json = self._handlers[name](payload, self._context)
            return answer
        except CrashError as crash:
            raise TaskFailedError("Runtime.ExitError", str(crash)) from crash
        except Exception as error:
            cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            raise TaskFailedError(type(error).__name__, cause) from error
        finally:
            self.running = before

    def _start(self, detail: Json) -> None:
        name = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:migration:{next(self._ids)}"
        execution = self.executions[name] = Execution(self._definition, self, name, detail)
        self._running.append(execution)
        execution.start()

    def _step(self) -> None:
        clock = self.simulator.clock
        due = min((t for t in (self._agenda[0][0], self.simulator.next_due()) if t is not None), default=clock.now())
        self.simulator.advance(max(0.0, due - clock.now()))
        self._deliver_mgn_events()
        while self._agenda and self._agenda[0][0] <= clock.now():
            heapq.heappop(self._agenda)[2]()

    def _deliver_mgn_events(self) -> None:
        bus = self.simulator.bus
        assert isinstance(bus, MemoryBus)
        for native in bus.events:
            _, _, _, region, account, _ = native.resource.split(":", 5)
            event = {
                "source": "aws.mgn",
                "detail-type": native.detail_type,
                "account": account,
                "region": region,
                "resources": [native.resource],
                "detail": dict(native.detail),
            }
            for latency in self.delivers_events(event):
                self.later(latency, lambda event=event: self._tolerant("signal_handler", event))  # type: ignore[misc]
        bus.events.clear()

    def _sweep_again(self) -> None:
        self.later(self.sweep_seconds, self._sweep_again)
        self._in_the_background("sweep", self._sweep_once)

    def _sweep_once(self) -> None:
        try:
            self._sweep({}, self._context)
        except (CrashError, Exception) as error:
            self.invoked[f"sweep failed: {type(error).__name__}"] = 1

    def _in_the_background(self, name: str, work: Callable[[], None], pause: float = 1) -> None:
        """Do this once the account has room, as Lambda does with what is invoked asynchronously."""
        try:
            with self._place(name):
                work()
        except NoRoomError:
            again = min(2 * pause, LONGEST_PAUSE)
            self.later(pause, lambda: self._in_the_background(name, work, again))

    def _receive(self, name: str, event: Json, receive: int = 1, hidden: float = RECEIVE_AGAIN) -> None:
        # Lambda tries again until the message is visible once more, and then somebody receives it anew.
        if hidden <= 0:
            if receive < MAX_RECEIVES:
                self._receive(name, event, receive + 1)
            return
        for record in event["Records"]:
            record["attributes"]["ApproximateReceiveCount"] = str(receive)
        try:
            with self._place(name):
                failed = self._call(name, event)["batchItemFailures"]
        except NoRoomError:
            self.later(1, lambda: self._receive(name, event, receive, hidden - 1))
            return
        except TaskFailedError:
            failed = event["Records"]
        if failed and receive < MAX_RECEIVES:
            self.later(RECEIVE_AGAIN, lambda: self._receive(name, event, receive + 1))

    def _tolerant(self, name: str, event: Json) -> None:
        self._in_the_background(name, lambda: self._handle(name, event))

    def _handle(self, name: str, event: Json) -> None:
        # EventBridge invokes asynchronously: a failure is tried again and ends in the dead-letter queue.
        for _ in range(3):
            try:
                self._call(name, event)
                return
            except TaskFailedError:
                continue

    def _ports(self, *_: object) -> Ports:
        return self

    @contextmanager
    def _wired(self) -> Iterator[None]:
        modules = ("entry", "signal_handler", "sweep", "dispatch_launches")
        patches: list[Any] = [mock.patch(f"runtime.handlers.{m}.aws_ports", self._ports) for m in modules]
        patches.append(mock.patch.object(metrics.provider, "namespace", "Migrations"))
        # What the adapter keeps of MGN ages with the world, not with the machine it runs on.
        adapter = sys.modules[MgnMigrationService.__module__]
        patches.append(mock.patch.object(adapter, "time", self.simulator.clock.now))
        for patch in patches:
            patch.start()
        # A thousand migrations write a hundred thousand lines.
        level = logger.log_level
        logger.setLevel("CRITICAL")
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()
            logger.setLevel(level)


class _Context:
    function_name = "pipeline"
    memory_limit_in_mb = 512
    aws_request_id = "request"
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pipeline"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def _functions_of(program: Json) -> dict[str, str]:
    """The handler modules by the names the program has for their functions."""
    modules = {name.replace("_", ""): name for name in sorted(HANDLERS, key=len, reverse=True)}
    tasks = {state["Parameters"]["FunctionName"] for state in program["States"].values() if state["Type"] == "Task"}
    return {task: next(name for flat, name in modules.items() if flat in task.casefold()) for task in tasks}


def _health(id_: str, compute: MemoryCompute) -> InstanceHealth:
    found = compute.instances.get(id_)
    if found is None:
        return InstanceHealth(instance_id=id_)
    running = found.state == "running"
    return _as_told(id_, found.state, found.status if running else None, running and found.ssm == "online")


@lru_cache(1_024)
def _as_told(id_: str, state: str, status: str | None, is_online: bool) -> InstanceHealth:
    return InstanceHealth(
        instance_id=id_,
        state=state,
        instance_status=status,
        system_status=status,
        ssm_ping="Online" if is_online else None,
        private_ip="10.0.0.1",
    )


@lru_cache(64)
def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
