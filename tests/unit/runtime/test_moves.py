"""The table of moves holds what the steps do, and nothing else: each move is made here, each other one is refused."""

from collections.abc import Callable, Iterator
from typing import Any

from runtime.errors import ServiceUnavailableError
from runtime.logic.signals import execution_ended, take_signal
from runtime.logic.steps.await_signal import await_signal
from runtime.logic.steps.finalize_cutover import finalize
from runtime.logic.steps.rollback import freeze, roll_back
from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.functions.steps import AwaitSignal, Failure, FinalizeCutover, Rollback, UndoGoal
from runtime.models.request import Gate
from runtime.models.status import MOVES, MigrationStatus
from runtime.models.waits import WaitKind
from tests.fakes import FakePorts
from tests.unit.runtime.stages import (
    EXECUTION,
    MIGRATION_ID,
    STAGES,
    a_step,
    a_world,
    accepted,
    bring_to,
    undo_until_done,
)

S = MigrationStatus
Move = tuple[MigrationStatus, MigrationStatus]
CANCELLED = Failure(error="MigrationCancelledError", cause="cancelled by ada")
GATES: dict[str, Any] = {"approval": {"cutover": True, "finalize": True}}


def moves(ports: FakePorts) -> set[Move]:
    """The moves a migration made."""
    entries = ports.migrations.journals[MIGRATION_ID]
    return {(entry.from_status, entry.to_status) for entry in entries if entry.from_status and entry.changes_status}


def await_gate(ports: FakePorts, gate: Gate) -> None:
    await_signal(a_step(AwaitSignal, kind=WaitKind.APPROVAL, gate=gate, task_token=f"approve-{gate}"), ports)
    sent = MigrationSignal(migration_id=MIGRATION_ID, decision=Decision.APPROVE, gate=gate, by="ada")
    take_signal(ports, sent)


def soak(ports: FakePorts) -> None:
    await_signal(a_step(AwaitSignal, kind=WaitKind.SOAK, task_token="soak"), ports)


def through_the_gates(ports: FakePorts, *, soaks: bool) -> FakePorts:
    """From a prepared cutover to the end, as the state machine would with both approvals."""
    await_gate(ports, Gate.CUTOVER)
    for name in ("windowed", "cutover-launching", "cutover-launched", "cutover-booting", "cutover-verified"):
        STAGES[name](ports)
    if soaks:
        soak(ports)
    await_gate(ports, Gate.FINALIZE)
    finalize(a_step(FinalizeCutover), ports)
    return ports


def good_ways() -> Iterator[FakePorts]:
    yield through_the_gates(bring_to("cutover-prepared", **GATES), soaks=False)
    yield through_the_gates(bring_to("cutover-prepared", test=False, **GATES), soaks=True)
    for soaks in (False, True):
        ports = bring_to("cutover-verified", test=soaks)
        if soaks:
            soak(ports)
        finalize(a_step(FinalizeCutover), ports)
        yield ports
    ports = bring_to("test-verified", mode="test")
    undo_until_done(ports, goal=UndoGoal.CLEANED_UP)
    yield ports
    yield bring_to("validated", source_vm_id="nobody-knows-it")


def at_each_status() -> Iterator[FakePorts]:
    """A migration in each status in which its execution runs."""
    never_begun = a_world()
    accepted(never_begun)
    yield never_begun
    claimed = bring_to("validated")
    record = claimed.migrations.records[MIGRATION_ID]
    claimed.migrations.records[MIGRATION_ID] = record.model_copy(update={"source_server_id": None})
    yield claimed
    for stage in ("replicating", "test-launching", "test-booting", "windowed", "cutover-launching", "cutover-booting"):
        yield bring_to(stage)
    gate = bring_to("cutover-prepared")
    await_gate(gate, Gate.CUTOVER)
    yield gate
    soaking = bring_to("cutover-verified")
    soak(soaking)
    yield soaking
    yield dying_at_finalize()


def dying_at_finalize() -> FakePorts:
    ports = bring_to("cutover-verified", test=False)
    ports.mgn.failures["finalize"] = [ServiceUnavailableError("no answer")]
    try:
        finalize(a_step(FinalizeCutover), ports)
    except ServiceUnavailableError:
        return ports
    raise AssertionError("finalize did not die")


def bad_ways() -> Iterator[FakePorts]:
    ends: tuple[Callable[[FakePorts], object], ...] = (
        undo_until_done,
        lambda ports: undo_until_done(ports, CANCELLED),
        lambda ports: execution_ended(ports, MIGRATION_ID, EXECUTION, "ABORTED"),
    )
    for end in ends:
        for ports in at_each_status():
            end(ports)
            yield ports
    lost = bring_to("cutover-booting")
    roll_back(a_step(Rollback, failure=CANCELLED), "undo", lost)
    freeze(a_step(Rollback), lost)
    yield lost


def test_every_move_of_the_table_is_made_by_a_step() -> None:
    made = {move for ways in (good_ways(), bad_ways()) for ports in ways for move in moves(ports)}
    assert made == {(before, after) for before, targets in MOVES.items() for after in targets}


def test_each_status_is_tried_from_which_an_execution_can_fail() -> None:
    tried = {ports.migrations.records[MIGRATION_ID].status for ports in at_each_status()}
    assert tried == {status for status, targets in MOVES.items() if S.ROLLING_BACK in targets}
