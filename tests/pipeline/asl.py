"""The synthesized definition as a program: the part of Amazon States Language that the state machine uses.

It runs on a virtual clock, so that thousands of migrations with months of waiting take seconds. What the language
means is checked elsewhere against two other interpreters (tests/states).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

Json = dict[str, Any]


class TaskFailedError(Exception):
    """A task ended with this error name and cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class Surroundings(Protocol):
    """What an execution needs of the world around it."""

    def invoke(self, function: str, payload: Json) -> Json:
        """Run a handler; raises TaskFailedError."""

    def lasted(self) -> float:
        """How many virtual seconds the handler ran that was invoked last."""

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Run an action after so many virtual seconds."""

    def new_token(self, execution: "Execution") -> str:
        """A task token that leads back to the execution."""


@dataclass
class Execution:
    """One execution of a definition."""

    definition: Json
    around: Surroundings
    name: str
    data: Json
    status: str = "RUNNING"
    error: str | None = None
    state: str = ""
    transitions: int = 0
    token: str | None = None
    attempts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = Random(self.name)

    def start(self) -> None:
        """Enter the first state."""
        self._enter(self.definition["StartAt"])

    def resume(self, token: str, result: Json | TaskFailedError) -> bool:
        """Complete the waiting task; False when this token is not waited for."""
        if token != self.token or self.status != "RUNNING":
            return False
        self.token = None
        self.around.later(0, lambda: self._ended(result))
        return True

    def stop(self, status: str) -> None:
        """End the execution from outside."""
        self.status, self.token = status, None

    @property
    def _now(self) -> Json:
        state: Json = self.definition["States"][self.state]
        return state

    def _enter(self, name: str) -> None:
        self.state, self.attempts = name, {}
        self.transitions += 1
        kind = self._now["Type"]
        if kind == "Task":
            self._attempt()
        elif kind == "Choice":
            self._enter(next((c["Next"] for c in self._now["Choices"] if self._holds(c)), self._now.get("Default", "")))
        elif kind == "Succeed":
            self.status = "SUCCEEDED"
        elif kind == "Fail":
            self.status, self.error = "FAILED", self._now.get("Error")
        else:
            raise NotImplementedError(kind)

    def _holds(self, choice: Json) -> bool:
        value = pick(choice["Variable"], self.data)
        if "BooleanEquals" in choice:
            return value is choice["BooleanEquals"]
        return bool(value == choice["StringEquals"])

    def _attempt(self) -> None:
        if self.status != "RUNNING":
            return
        waits = self._now["Resource"].endswith(".waitForTaskToken")
        self.token = self.around.new_token(self) if waits else None
        token = self.token
        parameters = self._resolved(self._now["Parameters"])
        if waits:
            self.around.later(self._now["TimeoutSeconds"], lambda: self._time_out(token))
        try:
            result = self.around.invoke(parameters["FunctionName"], parameters["Payload"])
        except TaskFailedError as failure:
            end: Json | TaskFailedError = failure
        else:
            if waits:
                return
            end = {"Payload": result}
        # Of a task that was resumed before its function failed, only the first end counts.
        if token == self.token:
            self.token = None
            self.around.later(self.around.lasted(), lambda: self._ended(end))

    def _time_out(self, token: str | None) -> None:
        if token is not None and self.token == token:
            self.resume(token, TaskFailedError("States.Timeout", ""))

    def _ended(self, result: Json | TaskFailedError) -> None:
        if self.status != "RUNNING":
            return
        if isinstance(result, TaskFailedError):
            self._failed(result)
            return
        state = self._now
        if "ResultSelector" in state:
            result = {key.removesuffix(".$"): pick(path, result) for key, path in state["ResultSelector"].items()}
        if (path := state.get("ResultPath", "$")) is not None:
            self.data = {**self.data, path.removeprefix("$."): result}
        self._enter(state["Next"])

    def _failed(self, failure: TaskFailedError) -> None:
        for index, retrier in enumerate(self._now.get("Retry", ())):
            if failure.error not in retrier["ErrorEquals"]:
                continue
            done = self.attempts.get(index, 0)
            if done >= retrier["MaxAttempts"]:
                break
            self.attempts[index] = done + 1
            # The power of a thousandth attempt is no number any more.
            grown = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** min(done, 64)
            delay = min(grown, retrier["MaxDelaySeconds"])
            full = retrier.get("JitterStrategy") == "FULL"
            self.around.later(self._chance.uniform(0, delay) if full else delay, self._attempt)
            return
        for catcher in self._now.get("Catch", ()):
            if catcher["ErrorEquals"] == ["States.ALL"] or failure.error in catcher["ErrorEquals"]:
                caught = {"Error": failure.error, "Cause": failure.cause}
                if catcher["ResultPath"] is not None:
                    self.data = {**self.data, catcher["ResultPath"].removeprefix("$."): caught}
                self._enter(catcher["Next"])
                return
        self.status, self.error = "FAILED", failure.error

    def _resolved(self, template: Any) -> Any:
        if not isinstance(template, Mapping):
            return template
        context = {"Execution": {"Id": self.name}, "Task": {"Token": self.token}}
        resolved = {}
        for key, value in template.items():
            if key.endswith(".$"):
                source, path = (context, value[1:]) if value.startswith("$$") else (self.data, value)
                resolved[key[:-2]] = pick(path, source)
            else:
                resolved[key] = self._resolved(value)
        return resolved


def pick(path: str, data: Any) -> Any:
    """The value a reference path leads to."""
    for part in path.removeprefix("$").split("."):
        data = data[part] if part else data
    return copied(data)


def copied(data: Any) -> Any:
    """The same JSON, which shares nothing with the other: from here on it is somebody else's."""
    if isinstance(data, dict):
        return {name: copied(each) for name, each in data.items()}
    if isinstance(data, list):
        return [copied(each) for each in data]
    if data is None or isinstance(data, str | int | float):
        return data
    raise TypeError(f"{type(data).__name__} is not JSON")
