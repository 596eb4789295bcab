"""What the handlers do in a test of the state machine, and what they were called with."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runtime.models.functions.steps import Plan, Verdict
from runtime.models.waits import Outcome, Progress, WaitKind
from tests.pipeline.asl import Json, TaskFailedError
from tests.saboteur import CrashError
from tests.unit.infrastructure.synthesis import definition, functions

Answer = Json | TaskFailedError
Resume = Callable[[str, Answer], bool]

IDENTITY = {"migrationId", "correlationId", "execution"}
AGAIN = "Again"
TOKEN = "taskToken"


@dataclass(frozen=True)
class Act:
    """What one call of a handler does: how the function ends, and what becomes of its task token."""

    ends: Json | TaskFailedError | CrashError = field(default_factory=dict)
    token: Answer | None = None
    inside: bool = False
    """Return the token before the function ends, not after."""
    stale: Answer | None = None
    """Before that, return the token of the state's first call with this."""


def progresses(progress: Progress) -> Act:
    """Answer the token as an undo round does."""
    return Act(token=json.loads(Outcome(progress=progress).to_json()))


def raises(error: str, text: str = "") -> Act:
    """The function raises an exception of this class."""
    return Act(ends=TaskFailedError(error, text))


def fails_token(error: str, reason: str = "", *, inside: bool = False) -> Act:
    """The task's token is returned with this failure."""
    return Act(token=TaskFailedError(error, reason), inside=inside)


PARKS = Act()
CRASHES = Act(ends=CrashError())


@dataclass(frozen=True)
class Call:
    """One call of a handler."""

    state: str
    module: str
    payload: Json

    @property
    def told(self) -> tuple[str, Json]:
        """The handler and what the state adds to the identity of the migration."""
        told = {key: value for key, value in self.payload.items() if key not in IDENTITY}
        return self.module, told | ({TOKEN: "token"} if TOKEN in told else {})


@dataclass
class Script:
    """The handlers' part of one execution: acts by state, one for each call; whatever is not listed goes well."""

    plan: Plan = field(default_factory=lambda: Plan(verdict=Verdict.ACCEPTED))
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    accepted: list[bool] = field(default_factory=list)
    """For each token that was returned, whether somebody waited for it."""
    at_next_call: list[Callable[[], None]] = field(default_factory=list)
    """What waits until the state machine has gone on."""

    def call(self, module: str, payload: Json) -> Act:
        """Note the call and say what it does."""
        state = state_of(module, payload, after=self.calls[-1].state if self.calls else "")
        done = len(self.payloads(state))
        self.calls.append(Call(state, module, payload))
        acts = self.acts.get(state, ())
        return acts[done] if done < len(acts) else self._goes_well(state, payload)

    def return_tokens(self, act: Act, payload: Json, resume: Resume, *, inside: bool) -> None:
        """Return the tokens that the act returns at this time."""
        own = payload.get(TOKEN)
        if own is None or act.inside != inside:
            return
        if act.stale is not None:
            first = self.payloads(self.calls[-1].state)[0][TOKEN]
            self.accepted.append(resume(first, act.stale))
        if act.token is not None:
            self.accepted.append(resume(own, act.token))

    def payloads(self, state: str) -> list[Json]:
        """What a state's calls were handed."""
        return [call.payload for call in self.calls if call.state == state]

    @property
    def states(self) -> list[str]:
        """The states in the order of their calls."""
        return [call.state for call in self.calls]

    def _goes_well(self, state: str, payload: Json) -> Act:
        if state == "Validate":
            return Act(ends=json.loads(self.plan.to_json()))
        return progresses(Progress.DONE) if TOKEN in payload else Act()


@cache
def program() -> Json:
    """The synthesized definition as deployed, with the names of the handlers' modules for the ARNs of functions."""
    found: Json = json.loads(json.dumps(definition("dev")).replace("${AWS::Partition}", "aws"))
    modules = {module.replace("_", ""): module for module in sorted(functions("dev"), key=len, reverse=True)}
    for state in tasks(found).values():
        arn = state["Parameters"]["FunctionName"].casefold()
        state["Parameters"]["FunctionName"] = next(module for flat, module in modules.items() if flat in arn)
    return found


def tasks(machine: Json) -> dict[str, Json]:
    """The task states of a definition."""
    return {name: state for name, state in machine["States"].items() if state["Type"] == "Task"}


def state_of(module: str, payload: Json, *, after: str = "") -> str:
    """The one state that makes a call like this; the waits for another try are alike but for whose try it is."""
    if payload.get("kind") == WaitKind.CHECK:
        return f"{after.removesuffix(AGAIN)}{AGAIN}"
    return _callers()[_signature(module, payload)]


@cache
def _callers() -> dict[str, str]:
    states = tasks(program()).items()
    parameters = {name: state["Parameters"] for name, state in states if not name.endswith(AGAIN)}
    callers = {_signature(found["FunctionName"], found["Payload"]): name for name, found in parameters.items()}
    assert len(callers) == len(parameters)
    return callers


def _signature(module: str, payload: Json) -> str:
    named = {key.removesuffix(".$"): value for key, value in payload.items()}
    fixed = {key: value for key, value in named.items() if key not in {*IDENTITY, TOKEN, "failure"}}
    return json.dumps([module, sorted(named), sorted(fixed.items())])


@contextmanager
def stage(scripts: Mapping[str, Script], resume: Resume) -> Iterator[str]:
    """Where the stub functions ask what to do, for the duration of a block; scripts are found by migration."""

    class Stage(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            payload = asked["payload"]
            script = scripts[payload["migrationId"]]
            while script.at_next_call:
                script.at_next_call.pop()()
            act = script.call(asked["module"], payload)
            script.return_tokens(act, payload, resume, inside=True)
            body = json.dumps(_order(act)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            late = partial(script.return_tokens, act, payload, resume, inside=False)
            if isinstance(act.ends, TaskFailedError | CrashError):
                script.at_next_call.append(late)
            else:
                # Late enough for the function to have ended.
                threading.Timer(0.015, late).start()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _order(act: Act) -> Json:
    match act.ends:
        case TaskFailedError():
            return {"error": act.ends.error, "text": act.ends.cause}
        case CrashError():
            return {"crash": True}
    return {"answer": act.ends}
