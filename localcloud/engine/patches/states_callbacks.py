"""Tasks that wait for a token end as Step Functions ends them.

The engine swallows an error of the invoked function, keeps one token over all attempts and lets a late second answer
win.
"""

import collections
import contextvars
import json
import time
import uuid
from threading import Event
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_LONGEST_POLL = 0.5
_NO_LIMIT = 99_999_999

_context: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("task_context")
_execution: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("task_execution")
_issued_tokens: collections.deque[str] = collections.deque(maxlen=100_000)


def apply(settings: EngineSettings) -> None:
    execute_task = pinned(stepfunctions, "_execute_task", "53c818d247db")
    pinned(stepfunctions, "_invoke_with_callback", "bbb38423156a")

    def execute_task_in_context(state: Any, raw_input: Any, execution: Any, context: dict[str, Any]) -> Any:
        _context.set(context)
        _execution.set(execution or {})
        return execute_task(state, raw_input, execution, context)

    stepfunctions._execute_task = execute_task_in_context
    stepfunctions._invoke_with_callback = invoke_and_wait
    for name, digest in (("_send_task_success", "12eff48bce57"), ("_send_task_failure", "c2a489b4ed33")):
        setattr(stepfunctions, name, _answered_once(pinned(stepfunctions, name, digest)))


def current_execution() -> dict[str, Any]:
    """The execution whose task runs on this thread."""
    return _execution.get({})


def invoke_and_wait(resource: str, task_input: Any, token: str, state: dict[str, Any]) -> Any:
    """Call the task's resource, then wait until the token is answered or the time is up."""
    callback: dict[str, Any] = {"event": Event(), "result": None, "error": None}
    stepfunctions._task_tokens[token] = callback
    _issued_tokens.append(token)
    try:
        stepfunctions._invoke_resource(resource.replace(".waitForTaskToken", ""), task_input)
        _wait(callback, state)
    finally:
        stepfunctions._task_tokens.pop(token, None)
        # The next attempt evaluates its parameters from the context again.
        _context.get()["Task"] = {"Token": str(uuid.uuid4())}
    if callback["error"]:
        raise stepfunctions._ExecutionError(callback["error"].get("Error", ""), callback["error"].get("Cause", ""))
    return _decoded(callback["result"])


def _wait(callback: dict[str, Any], state: dict[str, Any]) -> None:
    deadline = time.monotonic() + state.get("TimeoutSeconds", _NO_LIMIT)
    while not callback["event"].wait(timeout=min(_LONGEST_POLL, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            raise stepfunctions._ExecutionError("States.Timeout", "")
        if current_execution().get("status", "RUNNING") != "RUNNING":
            raise stepfunctions._ExecutionError("States.Runtime", "The execution has ended")


def _answered_once(engine_answer: Any) -> Any:
    def answer(data: dict[str, Any]) -> Any:
        token = data.get("taskToken") or ""
        callback = stepfunctions._task_tokens.get(token)
        if callback is None or callback["event"].is_set():
            if callback is None and token not in _issued_tokens:
                return error_response_json("InvalidToken", "Invalid Token: 'Invalid token'", 400)
            return error_response_json("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400)
        return engine_answer(data)

    return answer


def _decoded(output: Any) -> Any:
    if not isinstance(output, str):
        return output
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return output
