"""A task of the state machine outlives the longest wait its step may park: the look ends it, never States.Timeout."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.errors import CheckPendingError
from runtime.logic.steps.await_signal import await_signal
from runtime.logic.steps.pending import still_pending
from runtime.logic.steps.rollback import roll_back
from runtime.logic.steps.validate_input import validate
from runtime.models.functions.environment import Budgets, StepEnvironment
from runtime.models.functions.steps import AwaitSignal, Failure, Rollback, ValidateInput, Verdict
from runtime.models.record import Patience
from runtime.models.request import FARTHEST_WINDOW, LONGEST_APPROVAL, LONGEST_SOAK, Gate, MigrationRequest
from runtime.models.waits import Wait, WaitKind
from tests.builders import NOON
from tests.fakes import FakePorts
from tests.unit.infrastructure.synthesis import definition, functions, plain
from tests.unit.runtime.stages import MIGRATION_ID, a_step, a_world, accepted, bring_to, finish_jobs, the_record
from tests.unit.runtime.stages import STAGES as WAY

STATES = {
    WaitKind.REPLICATION: ["AwaitReplication"],
    WaitKind.LAUNCH: ["LaunchTest", "LaunchCutover"],
    WaitKind.BOOT: ["BootTest", "BootCutover"],
    WaitKind.CHECK: ["PrepareTestAgain", "CheckTestAgain", "PrepareCutoverAgain", "CheckCutoverAgain"],
    WaitKind.APPROVAL: ["AwaitApproval", "AwaitFinalApproval"],
    WaitKind.WINDOW: ["AwaitWindow"],
    WaitKind.SOAK: ["Soak"],
    WaitKind.UNDO: ["Undo", "CleanUp"],
}
STAGES = ["dev", "prod", "local"]
LONGEST: dict[str, Any] = {
    "approval": {"cutover": True, "finalize": True, "timeout_seconds": LONGEST_APPROVAL},
    "soak_seconds": LONGEST_SOAK,
    "window": {"not_before": NOON, "not_after": NOON + FARTHEST_WINDOW},
}


def budgets_of(stage: str) -> Budgets:
    variables: dict[str, str] = plain(functions(stage)["verify_migration"]["Environment"]["Variables"])
    return StepEnvironment.from_variables(variables).budgets


def parked(kind: WaitKind, budgets: Budgets) -> tuple[datetime, Wait]:
    """The longest wait of a kind, and when its step parked it."""
    before, act = PARKED_BY[kind]
    ports = bring_to(before, a_world(budgets=budgets), **LONGEST)
    kept: list[Wait] = []
    park = ports.waits.park
    ports.waits.park = lambda wait: kept.append(wait) or park(wait)  # type: ignore[method-assign, func-returns-value]
    began = ports.now()
    act(ports)
    return began, kept[-1]


def _awaiting(kind: WaitKind, gate: Gate | None = None) -> Callable[[FakePorts], None]:
    return lambda ports: await_signal(a_step(AwaitSignal, kind=kind, gate=gate, task_token="token"), ports)


def _pending_check(ports: FakePorts) -> None:
    record = the_record(ports)
    with pytest.raises(CheckPendingError):
        still_pending(ports, record, Patience.COMMANDS, "a document runs", actor="verify_migration")
    _awaiting(WaitKind.CHECK)(ports)


def _undo(ports: FakePorts) -> None:
    finish_jobs(ports)
    for token in ("first", "second"):
        roll_back(a_step(Rollback, failure=Failure(error="CheckFailedError")), token, ports)


PARKED_BY: dict[WaitKind, tuple[str, Callable[[FakePorts], None]]] = {
    WaitKind.REPLICATION: ("validated", WAY["replicating"]),
    WaitKind.LAUNCH: ("test-prepared", WAY["test-launching"]),
    WaitKind.BOOT: ("test-launched", WAY["test-booting"]),
    WaitKind.CHECK: ("test-booting", _pending_check),
    WaitKind.APPROVAL: ("cutover-verified", _awaiting(WaitKind.APPROVAL, Gate.FINALIZE)),
    WaitKind.WINDOW: ("cutover-prepared", _awaiting(WaitKind.WINDOW)),
    WaitKind.SOAK: ("cutover-verified", _awaiting(WaitKind.SOAK)),
    WaitKind.UNDO: ("test-booting", _undo),
}


def latest_end(wait: Wait, budgets: Budgets) -> datetime:
    """When a look ends the wait at the latest: the deadline, or that of the job it gets at the last moment."""
    patience = {WaitKind.LAUNCH: budgets.launch, WaitKind.BOOT: budgets.launch, WaitKind.UNDO: budgets.undo}
    return wait.deadline + timedelta(seconds=patience.get(wait.kind, 0))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", WaitKind)
def test_i7_task_outlives_the_longest_wait_of_its_step(kind: WaitKind, stage: str) -> None:
    budgets = budgets_of(stage)
    began, wait = parked(kind, budgets)
    assert wait.kind is kind
    for name in STATES[kind]:
        timeout = timedelta(seconds=definition(stage)["States"][name]["TimeoutSeconds"])
        assert timeout > latest_end(wait, budgets) - began, name


@pytest.mark.parametrize("stage", STAGES)
def test_i7_execution_outlives_all_its_waits(stage: str) -> None:
    program, budgets = definition(stage), budgets_of(stage)
    timeout = {name: state.get("TimeoutSeconds", 0) for name, state in program["States"].items()}
    # What comes before the window ends with it at the latest; after it a test, or a boot, is not tried again.
    before = timeout["AwaitWindow"]
    after = sum(timeout[name] for name in ("BootCutover", "CheckCutoverAgain", "Soak", "AwaitFinalApproval"))
    undo = budgets.undo_rounds * timeout["Undo"]
    assert before + after + undo < program["TimeoutSeconds"]


def test_all_waits_are_tried() -> None:
    waiting = {
        name for name, state in definition()["States"].items() if "waitForTaskToken" in state.get("Resource", "")
    }
    assert waiting == {name for names in STATES.values() for name in names}


@pytest.mark.parametrize(
    ("more", "verdict"), [(timedelta(0), Verdict.ACCEPTED), (timedelta(seconds=1), Verdict.REJECTED)]
)
def test_window_may_lie_no_farther_ahead_than_its_task_waits(more: timedelta, verdict: Verdict) -> None:
    ports = a_world()
    accepted(ports, window={"not_before": NOON, "not_after": NOON + FARTHEST_WINDOW + more})
    assert validate(a_step(ValidateInput), ports).verdict is verdict


@pytest.mark.parametrize(
    "fields",
    [{"soak_seconds": LONGEST_SOAK + 1}, {"approval": {"timeout_seconds": LONGEST_APPROVAL + 1}}],
    ids=["soak", "approval"],
)
def test_request_may_ask_for_no_longer_wait_than_its_task_lasts(fields: dict[str, Any]) -> None:
    sound = {"migration_id": MIGRATION_ID, "app_name": "a", "source": "b", "environment": "c", "wave": 1}
    with pytest.raises(ValidationError, match="less than or equal to"):
        MigrationRequest.model_validate({**sound, "source_vm_id": "d", **fields})
