"""Three interpreters of the state machine's definition, behind one way to run a script on them."""

import copy
import heapq
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Protocol

from botocore.exceptions import ClientError

from runtime.adapters.messages.step_functions import NOBODY_WAITS
from tests.engine.conftest import Aws, unique
from tests.pipeline.asl import Execution, Json, TaskFailedError
from tests.saboteur import CrashError
from tests.states.script import Answer, Script, program, stage, tasks

STUB = """
import json, os, urllib.request

def handler(event, context):
    question = json.dumps({"module": os.environ["MODULE"], "payload": event}).encode()
    with urllib.request.urlopen(os.environ["STAGE"], question, timeout=10) as response:
        order = json.load(response)
    if "crash" in order:
        os._exit(1)
    if "error" in order:
        raise type(order["error"], (Exception,), {})(order["text"])
    return order["answer"]
"""


@dataclass(frozen=True)
class End:
    """How an execution ended."""

    status: str
    error: str | None
    execution: str


class Interpreter(Protocol):
    """Runs the definition with scripted handlers."""

    def run(self, script: Script, *, timeouts: Mapping[str, int] | None = None) -> End:
        """Run one execution to its end; `timeouts` shortens those of some states."""

    def resume(self, token: str, answer: Answer) -> bool:
        """Return a task token; False when nobody waits for it."""


class EngineInterpreter:
    """State machines of an AWS engine."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.states = aws, aws.client("stepfunctions")
        self.scripts: dict[str, Script] = {}
        self.stage = ""
        self._stub = cache(self._make_stub)
        self._machine = cache(self._make_machine)

    def run(self, script: Script, *, timeouts: Mapping[str, int] | None = None) -> End:
        migration = unique("migration")
        self.scripts[migration] = script
        machine = self._machine(tuple((timeouts or {}).items()))
        execution = self.aws.start(machine, {"migrationId": migration, "correlationId": f"c-{migration}"})
        deadline = time.monotonic() + 60
        while (found := self.states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"it runs and runs: {script.states}"
            time.sleep(0.02)
        return End(found["status"], found.get("error"), execution)

    def resume(self, token: str, answer: Answer) -> bool:
        try:
            if isinstance(answer, TaskFailedError):
                self.states.send_task_failure(taskToken=token, error=answer.error, cause=answer.cause)
            else:
                self.states.send_task_success(taskToken=token, output=json.dumps(answer))
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] in NOBODY_WAITS:
                return False
            raise
        return True

    def _make_stub(self, module: str) -> str:
        return self.aws.function(STUB, Environment={"Variables": {"MODULE": module, "STAGE": self.stage}})

    def _make_machine(self, timeouts: tuple[tuple[str, int], ...]) -> str:
        machine = shortened(dict(timeouts))
        for state in tasks(machine).values():
            state["Parameters"]["FunctionName"] = self._stub(state["Parameters"]["FunctionName"])
        return self.aws.machine(machine)


@contextmanager
def on_stage(aws: Aws) -> Iterator[EngineInterpreter]:
    """The interpreter of an engine, for the duration of a block."""
    interpreter = EngineInterpreter(aws)
    with stage(interpreter.scripts, interpreter.resume) as url:
        interpreter.stage = url
        yield interpreter


class OwnInterpreter:
    """The small interpreter of tests/pipeline, on a virtual clock."""

    def __init__(self) -> None:
        self.script = Script()
        self.execution: Execution | None = None
        self.now = 0.0
        self.ids = count()
        self.agenda: list[tuple[float, int, Callable[[], object]]] = []

    def run(self, script: Script, *, timeouts: Mapping[str, int] | None = None) -> End:
        self.script, self.agenda = script, []
        name, data = f"execution-{next(self.ids)}", {"migrationId": "m-1", "correlationId": "c-1"}
        execution = self.execution = Execution(shortened(timeouts or {}), self, name, data)
        execution.start()
        while execution.status == "RUNNING":
            self.now, _, action = heapq.heappop(self.agenda)
            action()
        return End(execution.status, execution.error, execution.name)

    def lasted(self) -> float:
        return 0

    def resume(self, token: str, answer: Answer) -> bool:
        assert self.execution is not None
        return self.execution.resume(token, answer)

    def invoke(self, function: str, payload: Json) -> Json:
        act = self.script.call(function, payload)
        self.script.return_tokens(act, payload, self.resume, inside=True)
        self.later(0.015, lambda: self.script.return_tokens(act, payload, self.resume, inside=False))
        match act.ends:
            case TaskFailedError(error=error, cause=text):
                raise TaskFailedError(error, json.dumps({"errorMessage": text, "errorType": error}))
            case CrashError():
                raise TaskFailedError("Runtime.ExitError", "it died")
        return act.ends

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        heapq.heappush(self.agenda, (self.now + seconds, next(self.ids), action))

    def new_token(self, execution: Execution) -> str:
        return f"{execution.name}/{next(self.ids)}"


def shortened(timeouts: Mapping[str, int]) -> Json:
    """The definition with other timeouts of some states."""
    machine = copy.deepcopy(program())
    for name, seconds in timeouts.items():
        machine["States"][name]["TimeoutSeconds"] = seconds
    return machine
