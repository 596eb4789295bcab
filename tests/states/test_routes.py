"""The ways through the state machine when nothing fails."""

import pytest

from runtime.models.functions.steps import (
    AwaitSignal,
    FinalizeCutover,
    Plan,
    PrepareSource,
    Rollback,
    Step,
    TriggerMigration,
    UndoGoal,
    ValidateInput,
    Verdict,
    VerifyMigration,
)
from runtime.models.request import Gate, Phase
from runtime.models.waits import Progress, WaitKind
from tests.pipeline.asl import Json
from tests.states.interpreters import Interpreter
from tests.states.script import AGAIN, IDENTITY, Script, program, progresses, raises, tasks

TEST, CUTOVER = {"phase": Phase.TEST}, {"phase": Phase.CUTOVER}
TOKEN = {"taskToken": "token"}
BEGINNING = [("validate_input", {}), ("prepare_source", TOKEN)]
TESTED = [
    ("prepare_source", TEST),
    ("trigger_migration", TEST | TOKEN),
    ("verify_migration", TEST | TOKEN),
    ("verify_migration", TEST),
]
WINDOW = ("signal_handler", TOKEN | {"kind": WaitKind.WINDOW})
CUT_OVER = [
    ("trigger_migration", CUTOVER | TOKEN),
    ("verify_migration", CUTOVER | TOKEN),
    ("verify_migration", CUTOVER),
]
PREPARED = ("prepare_source", CUTOVER)
FINALIZED: tuple[str, Json] = ("finalize_cutover", {})
APPROVAL = {"kind": WaitKind.APPROVAL} | TOKEN
CLEANED_UP = ("rollback_handler", {"goal": UndoGoal.CLEANED_UP} | TOKEN)

STEPS: dict[str, type[Step]] = {
    "validate_input": ValidateInput,
    "prepare_source": PrepareSource,
    "trigger_migration": TriggerMigration,
    "verify_migration": VerifyMigration,
    "signal_handler": AwaitSignal,
    "finalize_cutover": FinalizeCutover,
    "rollback_handler": Rollback,
}


def accepted(*switches: str) -> Plan:
    return Plan.model_validate({"verdict": Verdict.ACCEPTED} | dict.fromkeys(switches, True))


EVERYTHING = accepted("runs_test", "cuts_over", "soaks", "approves_cutover", "approves_finalize")


def test_cutover_after_a_test(interpreter: Interpreter) -> None:
    script = Script(accepted("runs_test", "cuts_over"))
    assert interpreter.run(script).status == "SUCCEEDED"
    route = [*BEGINNING, *TESTED, PREPARED, WINDOW, *CUT_OVER, FINALIZED]
    assert [call.told for call in script.calls] == route


def test_cutover_without_a_test(interpreter: Interpreter) -> None:
    script = Script(accepted("cuts_over"))
    assert interpreter.run(script).status == "SUCCEEDED"
    assert [call.told for call in script.calls] == [*BEGINNING, PREPARED, WINDOW, *CUT_OVER, FINALIZED]


def test_test_alone_is_cleaned_up(interpreter: Interpreter) -> None:
    script = Script(accepted("runs_test"))
    assert interpreter.run(script).status == "SUCCEEDED"
    assert [call.told for call in script.calls] == [*BEGINNING, *TESTED, CLEANED_UP]


def test_clean_up_takes_as_many_rounds_as_it_needs(interpreter: Interpreter) -> None:
    script = Script(accepted("runs_test"), {"CleanUp": [progresses(Progress.AGAIN)] * 2})
    assert interpreter.run(script).status == "SUCCEEDED"
    assert [call.told for call in script.calls] == [*BEGINNING, *TESTED, *[CLEANED_UP] * 3]


@pytest.mark.parametrize(
    ("switches", "before_the_window", "before_finalize"),
    [
        ({"approves_cutover"}, [("signal_handler", APPROVAL | {"gate": Gate.CUTOVER})], []),
        ({"soaks"}, [], [("signal_handler", TOKEN | {"kind": WaitKind.SOAK})]),
        ({"approves_finalize"}, [], [("signal_handler", APPROVAL | {"gate": Gate.FINALIZE})]),
        (
            {"approves_cutover", "soaks", "approves_finalize"},
            [("signal_handler", APPROVAL | {"gate": Gate.CUTOVER})],
            [
                ("signal_handler", TOKEN | {"kind": WaitKind.SOAK}),
                ("signal_handler", APPROVAL | {"gate": Gate.FINALIZE}),
            ],
        ),
    ],
    ids=["approval before cutover", "soak", "approval before finalize", "all"],
)
def test_gates_and_soak_are_waited_for(
    interpreter: Interpreter, switches: set[str], before_the_window: list[object], before_finalize: list[object]
) -> None:
    script = Script(accepted("cuts_over", *switches))
    assert interpreter.run(script).status == "SUCCEEDED"
    route = [*BEGINNING, PREPARED, *before_the_window, WINDOW, *CUT_OVER, *before_finalize, FINALIZED]
    assert [call.told for call in script.calls] == route


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.DUPLICATE])
def test_migration_that_is_not_accepted_ends_quietly(interpreter: Interpreter, verdict: Verdict) -> None:
    script = Script(Plan(verdict=verdict))
    assert interpreter.run(script).status == "SUCCEEDED"
    assert script.states == ["Validate"]


def test_payload_of_every_state_is_its_handlers_step(interpreter: Interpreter) -> None:
    routes = [
        Script(
            EVERYTHING,
            {state: [raises("CheckPendingError")] for state in tasks(program()) if state + AGAIN in tasks(program())},
        ),
        Script(accepted("runs_test")),
        Script(EVERYTHING, {"AwaitReplication": [raises("DriftError")], "Undo": [raises("DriftError")]}),
    ]
    seen = set()
    for script in routes:
        end = interpreter.run(script)
        for call in script.calls:
            step = STEPS[call.module].model_validate(call.payload)
            assert {type(step).model_fields[name].alias for name in step.model_fields_set} == call.payload.keys()
            assert step.execution == end.execution
            assert call.payload.keys() >= IDENTITY
        assert len({(call.payload["migrationId"], call.payload["correlationId"]) for call in script.calls}) == 1
        seen |= set(script.states)
    assert seen == set(tasks(program()))
