"""Task tokens: whose they are, and which answer counts."""

import pytest

from runtime.models.functions.steps import Plan, Verdict
from tests.pipeline.asl import TaskFailedError
from tests.states.interpreters import Interpreter
from tests.states.script import CRASHES, TOKEN, Act, Script, fails_token, raises

CUTOVER = Plan(verdict=Verdict.ACCEPTED, cuts_over=True)
DONE = ["Validate", "AwaitReplication", "PrepareCutover", "AwaitWindow", "LaunchCutover"]
DONE += ["BootCutover", "CheckCutover", "Finalize"]
FAILED = TaskFailedError("LaunchFailedError", "")
UNDONE = [*DONE[:5], "Undo"]
REPEATED = [*DONE[:5], *DONE[4:]]


def run(interpreter: Interpreter, *acts: Act) -> Script:
    """A migration whose cutover launch does this."""
    script = Script(CUTOVER, {"LaunchCutover": acts})
    assert interpreter.run(script).status == "SUCCEEDED"
    return script


def test_every_wait_has_a_token_of_its_own(interpreter: Interpreter) -> None:
    script = run(interpreter)
    tokens = [call.payload[TOKEN] for call in script.calls if TOKEN in call.payload]
    assert len(set(tokens)) == len(tokens) == 4
    assert script.accepted == [True] * 4


def test_token_may_be_returned_before_the_function_ends(interpreter: Interpreter) -> None:
    assert run(interpreter, Act(token={}, inside=True)).states == DONE


def test_failure_may_be_returned_before_the_function_ends(interpreter: Interpreter) -> None:
    assert run(interpreter, fails_token("LaunchFailedError", inside=True)).states == UNDONE


@pytest.mark.parametrize(
    ("error", "failed"), [("SomeError", UNDONE), ("ThrottledError", REPEATED)], ids=["for good", "transient"]
)
def test_either_the_token_or_the_failed_function_ends_the_task(
    interpreter: Interpreter, error: str, failed: list[str]
) -> None:
    # AWS does not say which counts when a function returns its token and then fails. Nobody may see both.
    script = run(interpreter, Act(ends=TaskFailedError(error, ""), token={}, inside=True))
    assert script.states in (DONE, failed)


@pytest.mark.parametrize("act", [raises("ThrottledError"), fails_token("ThrottledError")], ids=["function", "token"])
def test_token_of_a_failed_attempt_is_dead(interpreter: Interpreter, act: Act) -> None:
    script = run(interpreter, act, Act(stale=FAILED, token={}))
    assert script.states == REPEATED
    first, second = (payload[TOKEN] for payload in script.payloads("LaunchCutover"))
    assert first != second
    assert script.accepted.count(False) == 1


def test_function_whose_process_died_is_called_again_with_another_token(interpreter: Interpreter) -> None:
    script = run(interpreter, CRASHES)
    assert script.states == REPEATED
    first, second = (payload[TOKEN] for payload in script.payloads("LaunchCutover"))
    assert first != second


def test_token_is_dead_once_the_function_failed(interpreter: Interpreter) -> None:
    script = run(interpreter, Act(ends=TaskFailedError("SomeError", ""), token={}))
    assert script.states == UNDONE
    assert not all(script.accepted)


def test_token_is_dead_after_its_task_has_ended(interpreter: Interpreter) -> None:
    script = run(interpreter)
    assert not interpreter.resume(script.payloads("LaunchCutover")[0][TOKEN], {})
