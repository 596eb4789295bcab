"""What becomes of a migration when a step fails, up to the last state that can."""

import pytest

from runtime.models.functions.steps import Failure, Plan, Verdict
from runtime.models.waits import Progress
from tests.states.interpreters import Interpreter
from tests.states.script import AGAIN, PARKS, TOKEN, Act, Script, fails_token, program, progresses, raises, tasks

TEST_ONLY = Plan(verdict=Verdict.ACCEPTED, runs_test=True)
WITHOUT_TEST = Plan(verdict=Verdict.ACCEPTED, cuts_over=True, soaks=True, approves_cutover=True, approves_finalize=True)
IN_TEST = {"PrepareTest", "LaunchTest", "BootTest", "CheckTest", "CleanUp"}
CUTOVER_ONLY = Plan(verdict=Verdict.ACCEPTED, cuts_over=True)
MESSAGE = 'it said "no"\nand meant it: ünter $.x'
STEPS = [name for name in tasks(program()) if name not in ("Undo", "Freeze")]


def failure_told(script: Script, state: str) -> tuple[str, str]:
    failure = Failure.model_validate(script.payloads(state)[-1]["failure"])
    return failure.error, failure.message


def failing(state: str, act: Act, **acts: list[Act]) -> Script:
    tried = state.removesuffix(AGAIN)
    # The wait for another try is entered only where something is pending.
    before = {} if tried == state else {tried: [raises("CheckPendingError")]}
    return Script(TEST_ONLY if tried in IN_TEST else WITHOUT_TEST, {**before, state: [act], **acts})


@pytest.mark.parametrize("state", STEPS)
def test_exception_in_any_step_is_undone(interpreter: Interpreter, state: str) -> None:
    script = failing(state, raises("SomeError", MESSAGE))
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states[-2:] == [state, "Undo"]
    assert len(set(script.states)) == len(script.states)
    assert failure_told(script, "Undo") == ("SomeError", MESSAGE)


@pytest.mark.parametrize("state", ["AwaitReplication", "LaunchTest", "BootCutover", "Soak", "CleanUp"])
def test_wait_that_somebody_ends_with_a_failure_is_undone(interpreter: Interpreter, state: str) -> None:
    script = failing(state, fails_token("LaunchFailedError"))
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states[-2:] == [state, "Undo"]
    assert script.payloads("Undo")[0]["failure"]["Error"] == "LaunchFailedError"


def test_reason_somebody_ended_a_wait_with_reaches_the_undo(interpreter: Interpreter) -> None:
    script = failing("LaunchTest", fails_token("LaunchFailedError", MESSAGE))
    interpreter.run(script)
    assert failure_told(script, "Undo") == ("LaunchFailedError", MESSAGE)


def test_wait_that_nobody_ends_is_undone_when_its_time_is_over(interpreter: Interpreter) -> None:
    script = failing("LaunchTest", PARKS)
    assert interpreter.run(script, timeouts={"LaunchTest": 1}).status == "SUCCEEDED"
    assert script.states[-2:] == ["LaunchTest", "Undo"]
    assert failure_told(script, "Undo")[0] == "States.Timeout"
    assert not interpreter.resume(script.payloads("LaunchTest")[0][TOKEN], {})


def test_undo_goes_on_round_by_round(interpreter: Interpreter) -> None:
    script = failing("LaunchCutover", raises("SomeError"), Undo=[progresses(Progress.AGAIN)] * 3)
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states[-5:] == ["LaunchCutover", *["Undo"] * 4]
    assert {payload["failure"]["Error"] for payload in script.payloads("Undo")} == {"SomeError"}
    assert len({payload["taskToken"] for payload in script.payloads("Undo")}) == 4


def test_undo_that_finds_it_cannot_go_on_ends_frozen(interpreter: Interpreter) -> None:
    script = failing("LaunchCutover", raises("SomeError"), Undo=[progresses(Progress.FROZEN)])
    end = interpreter.run(script)
    assert (end.status, end.error) == ("FAILED", "MigrationFrozenError")
    assert script.states[-2:] == ["LaunchCutover", "Undo"]


@pytest.mark.parametrize("act", [raises("UndoError"), fails_token("UndoError")], ids=["function", "token"])
def test_undo_that_fails_freezes_the_migration(interpreter: Interpreter, act: Act) -> None:
    script = failing("LaunchCutover", raises("SomeError"), Undo=[progresses(Progress.AGAIN), act])
    end = interpreter.run(script)
    assert (end.status, end.error) == ("FAILED", "MigrationFrozenError")
    assert script.states[-4:] == ["LaunchCutover", "Undo", "Undo", "Freeze"]
    assert script.payloads("Freeze")[0]["failure"]["Error"] == "UndoError"


def test_undo_that_nobody_answers_freezes_the_migration(interpreter: Interpreter) -> None:
    script = Script(CUTOVER_ONLY, {"Finalize": [raises("SomeError")], "Undo": [PARKS]})
    end = interpreter.run(script, timeouts={"Undo": 1})
    assert (end.status, end.error) == ("FAILED", "MigrationFrozenError")
    assert script.states[-3:] == ["Finalize", "Undo", "Freeze"]
    assert failure_told(script, "Freeze")[0] == "States.Timeout"


def test_freeze_that_fails_ends_frozen_all_the_same(interpreter: Interpreter) -> None:
    script = failing("Validate", raises("SomeError"), Undo=[raises("UndoError")], Freeze=[raises("LastError")])
    end = interpreter.run(script)
    assert (end.status, end.error) == ("FAILED", "MigrationFrozenError")
    assert script.states == ["Validate", "Undo", "Freeze"]


def test_clean_up_that_finds_it_cannot_go_on_ends_frozen(interpreter: Interpreter) -> None:
    script = failing("CleanUp", progresses(Progress.FROZEN))
    end = interpreter.run(script)
    assert (end.status, end.error) == ("FAILED", "MigrationFrozenError")
    assert script.states[-2:] == ["CheckTest", "CleanUp"]


def test_clean_up_that_fails_in_a_later_round_is_undone(interpreter: Interpreter) -> None:
    script = Script(TEST_ONLY, {"CleanUp": [progresses(Progress.AGAIN), raises("SomeError", MESSAGE)]})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states[-3:] == ["CleanUp", "CleanUp", "Undo"]
    assert script.payloads("Undo")[0]["goal"] == "rolled-back"
    assert failure_told(script, "Undo") == ("SomeError", MESSAGE)
