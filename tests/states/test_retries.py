"""Which failures are tried again, how often, and with what token."""

import pytest

from runtime.errors import TRANSIENT
from runtime.models.functions.steps import Plan, Verdict
from runtime.models.waits import Progress
from tests.states.interpreters import Interpreter
from tests.states.script import CRASHES, Act, Script, fails_token, progresses, raises

TESTED = Plan(verdict=Verdict.ACCEPTED, runs_test=True)
HEALING = [name for name in TRANSIENT if name != "CheckPendingError"]
SERVICE_FAULTS = ["Lambda.ServiceException", "Lambda.Unknown", "Sandbox.Timedout"]
LAMBDA_IS_FULL = raises("Lambda.TooManyRequestsException")
PENDING, THROTTLED = raises("CheckPendingError"), raises("ThrottledError")
DONE = ["Validate", "AwaitReplication", "PrepareTest", "LaunchTest", "BootTest", "CheckTest", "CleanUp"]


def repeated(state: str, times: int) -> list[str]:
    """The calls when all goes well but that this state is called more often."""
    before, _, after = (" ".join(DONE)).partition(state)
    return [*before.split(), *[state] * times, *after.split()]


def given_up(state: str, times: int) -> list[str]:
    """The calls when this state fails so often that it is undone."""
    return [*DONE[: DONE.index(state)], *[state] * times, "Undo"]


@pytest.mark.parametrize("state", ["Validate", "CheckTest"])
def test_everything_transient_is_tried_again(interpreter: Interpreter, state: str) -> None:
    script = Script(TESTED, {state: [raises(name) for name in HEALING]})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated(state, len(HEALING) + 1)


def test_wait_that_ends_in_a_transient_failure_is_tried_again(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"LaunchTest": [fails_token(name) for name in HEALING]})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated("LaunchTest", len(HEALING) + 1)


def test_faults_of_the_service_are_tried_again(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"BootTest": [raises(name) for name in SERVICE_FAULTS]})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated("BootTest", len(SERVICE_FAULTS) + 1)


@pytest.mark.parametrize(
    ("state", "act", "calls"),
    [
        ("LaunchTest", raises("RecordChangedError"), 9),
        ("LaunchTest", fails_token("RecordChangedError"), 9),
        ("BootTest", raises("Lambda.Unknown"), 21),
        ("BootTest", PENDING, 1),
    ],
    ids=["transient", "token", "crash", "no check"],
)
def test_what_fails_too_often_is_undone(interpreter: Interpreter, state: str, act: Act, calls: int) -> None:
    script = Script(TESTED, {state: [act] * (calls + 1)})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == given_up(state, calls)


@pytest.mark.parametrize("state", ["Validate", "LaunchTest"])
@pytest.mark.parametrize("act", [LAMBDA_IS_FULL, THROTTLED], ids=["Lambda", "our own budget"])
def test_i12_throttling_is_outlasted(interpreter: Interpreter, state: str, act: Act) -> None:
    script = Script(TESTED, {state: [act] * 31})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated(state, 32)


def test_i12_throttled_undo_and_freeze_are_repeated_too(interpreter: Interpreter) -> None:
    undone = {"LaunchTest": [raises("LaunchFailedError")], "Undo": [LAMBDA_IS_FULL] * 9 + [raises("DriftError")]}
    script = Script(TESTED, undone | {"Freeze": [LAMBDA_IS_FULL] * 9})
    assert interpreter.run(script).error == "MigrationFrozenError"
    assert script.states[-20:] == ["Undo"] * 10 + ["Freeze"] * 10


def test_i12_outage_of_a_service_outlasts_what_a_crash_is_worth(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"BootTest": [raises("ServiceUnavailableError")] * 21})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated("BootTest", 22)


def test_throttling_is_counted_apart_from_outages_and_crashes(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"BootTest": [LAMBDA_IS_FULL, raises("ServiceUnavailableError"), CRASHES] * 9})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated("BootTest", 28)


@pytest.mark.parametrize("state", ["CheckTest", "PrepareTest"])
def test_what_is_pending_is_tried_again_after_a_wait_for_as_often_as_it_takes(
    interpreter: Interpreter, state: str
) -> None:
    script = Script(TESTED, {state: [PENDING] * 20})
    assert interpreter.run(script).status == "SUCCEEDED"
    before, _, after = " ".join(DONE).partition(state)
    assert script.states == [*before.split(), *[state, f"{state}Again"] * 20, state, *after.split()]


def test_every_try_of_a_check_has_attempts_of_its_own(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"CheckTest": [THROTTLED] * 16 + [PENDING] + [THROTTLED] * 16})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == [*DONE[:5], *["CheckTest"] * 17, "CheckTestAgain", *["CheckTest"] * 17, "CleanUp"]


def test_every_round_of_an_undo_has_attempts_of_its_own(interpreter: Interpreter) -> None:
    # Two rounds together fail more often than one may.
    rounds = [*[raises("RecordChangedError")] * 5, progresses(Progress.AGAIN)] * 2
    script = Script(TESTED, {"CleanUp": rounds})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated("CleanUp", 13)


def test_function_whose_process_died_is_called_again(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"PrepareTest": [CRASHES]})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == repeated("PrepareTest", 2)


def test_function_whose_process_always_dies_is_undone(interpreter: Interpreter) -> None:
    script = Script(TESTED, {"LaunchTest": [CRASHES] * 22})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == given_up("LaunchTest", 21)
    assert script.payloads("Undo")[0]["failure"]["Error"] == "Runtime.ExitError"
