"""finalize_cutover: the point of no return (I5)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from runtime.errors import (
    MigrationCancelledError,
    NotVerifiedError,
    ServiceUnavailableError,
    SourceServerGoneError,
    ThrottledError,
)
from runtime.logic.steps.finalize_cutover import finalize
from runtime.models.decisions import Decision
from runtime.models.functions.environment import DecisionRules
from runtime.models.functions.steps import FinalizeCutover
from runtime.models.mgn import Initiated, LastLaunch, LaunchedInstance
from runtime.models.record import Launch
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from tests.builders import NOON, SCOPE, SERVER_ID, a_server, a_signal, some_health
from tests.fakes import FakeMgn, FakePorts
from tests.saboteur import CrashError, Saboteur, dying
from tests.unit.runtime.stages import a_step, bring_to, the_record, the_server

BOTH = {"cutover": True, "finalize": True}
LONG_AGO = NOON - timedelta(days=30)


def run(ports: FakePorts) -> None:
    finalize(a_step(FinalizeCutover), ports)


def the_launch(ports: FakePorts) -> Launch:
    launch = the_record(ports).cutover_launch
    assert launch is not None
    return launch


@pytest.fixture
def verified() -> FakePorts:
    return bring_to("cutover-verified", test=False)


def test_verified_cutover_is_finalized_and_completes(verified: FakePorts) -> None:
    run(verified)
    assert the_server(verified).state == "CUTOVER"
    assert the_record(verified).status is MigrationStatus.COMPLETED
    assert the_record(verified).reason == f"cut over to {the_launch(verified).instance_id}"
    assert verified.migrations.lock_of(SCOPE, SERVER_ID) is None


def put_launch(ports: FakePorts, **changes: Any) -> None:
    launch = the_launch(ports).model_copy(update=changes)
    ports.migrations.records["mig-1"] = the_record(ports).model_copy(update={"cutover_launch": launch})


def put_server(ports: FakePorts, **changes: Any) -> None:
    ports.mgn.add(the_server(ports).model_copy(update=changes))


def forget_launch(ports: FakePorts) -> None:
    ports.migrations.records["mig-1"] = the_record(ports).model_copy(update={"cutover_launch": None})


def put_health(ports: FakePorts, state: str) -> None:
    ports.instances.put(some_health(the_launch(ports).instance_id or "", state=state))


def put_lifecycle(ports: FakePorts, state: str) -> None:
    put_server(ports, life_cycle=the_server(ports).life_cycle.model_copy(update={"state": state}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (forget_launch, "the cutover was not verified"),
        (lambda ports: put_launch(ports, verified=False), "the cutover was not verified"),
        (
            lambda ports: put_lifecycle(ports, "READY_FOR_CUTOVER"),
            "is READY_FOR_CUTOVER, not CUTTING_OVER",
        ),
        (lambda ports: put_lifecycle(ports, "CUTOVER"), "is CUTOVER, not CUTTING_OVER"),
        (lambda ports: put_server(ports, launched_instance=None), "not the one that was verified"),
        (
            lambda ports: put_server(ports, launched_instance=LaunchedInstance(ec2_instance_id="i-99999999")),
            "not the one that was verified",
        ),
        (lambda ports: put_health(ports, "stopped"), "the instance is stopped, not running"),
        (lambda ports: ports.instances.known.clear(), "the instance is None, not running"),
    ],
)
def test_i5_each_missing_condition_refuses(verified: FakePorts, spoil: Callable[[FakePorts], None], words: str) -> None:
    spoil(verified)
    with pytest.raises(NotVerifiedError, match="finalize refused") as caught:
        run(verified)
    assert words in str(caught.value)
    assert "finalize" not in verified.mgn.calls
    assert the_record(verified).status is MigrationStatus.CUTOVER_VERIFYING


@pytest.mark.parametrize(
    ("opened", "missing"),
    [
        ([], ["cutover is not approved", "finalize is not approved"]),
        ([a_signal(gate=Gate.CUTOVER)], ["finalize is not approved"]),
        # Kept before the request was accepted, for another of its id.
        ([a_signal(gate=Gate.CUTOVER), a_signal(gate=Gate.FINALIZE, at=LONG_AGO)], ["finalize is not approved"]),
        ([a_signal(gate=Gate.CUTOVER), a_signal(Decision.REJECT, gate=Gate.FINALIZE)], ["finalize is not approved"]),
    ],
)
def test_i5_each_gate_that_was_asked_for_must_be_approved(opened: list[Any], missing: list[str]) -> None:
    ports = bring_to("cutover-verified", test=False, approval=BOTH)
    for signal in opened:
        ports.decisions.keep(signal)
    with pytest.raises(NotVerifiedError) as caught:
        run(ports)
    assert str(caught.value) == f"finalize refused: {'; '.join(missing)}"


def test_i5_approved_gates_let_it_pass() -> None:
    ports = bring_to("cutover-verified", test=False, approval=BOTH)
    for gate in Gate:
        ports.decisions.keep(a_signal(gate=gate))
    run(ports)
    assert the_record(ports).status is MigrationStatus.COMPLETED


def test_i14_gate_of_the_stage_must_be_open_before_the_point_of_no_return() -> None:
    rules = DecisionRules(required_gates=(Gate.FINALIZE,))
    ports = bring_to("cutover-verified", FakePorts(FakeMgn(a_server()), decision_rules=rules), test=False)
    with pytest.raises(NotVerifiedError, match="finalize refused: finalize is not approved"):
        run(ports)
    opened = a_signal(gate=Gate.FINALIZE, sender="AROA1:ada", reason="accepted")
    ports.decisions.keep(opened)
    run(ports)
    final = ports.migrations.journal("mig-1")[-2]
    assert (final.to_status, final.facts.approvals) == (MigrationStatus.FINALIZING, (opened,))
    assert final.reason == "all conditions hold; finalize approved by ada@example.com (AROA1:ada): accepted"


def test_i5_cancellation_that_no_wait_has_read_is_read_before_the_point_of_no_return(verified: FakePorts) -> None:
    verified.decisions.keep(a_signal(Decision.CANCEL, gate=None, reason="wrong server"))
    with pytest.raises(MigrationCancelledError, match=r"^cancelled by .+: wrong server$"):
        run(verified)
    assert "finalize" not in verified.mgn.calls
    assert the_record(verified).status is MigrationStatus.CUTOVER_VERIFYING


def test_i5_cancellation_is_read_while_finalize_cutover_is_tried_again(verified: FakePorts) -> None:
    verified.mgn.failures["finalize"] = [ThrottledError("ThrottlingException")]
    with pytest.raises(ThrottledError):
        run(verified)
    verified.decisions.keep(a_signal(Decision.CANCEL, gate=None))
    with pytest.raises(MigrationCancelledError):
        run(verified)
    assert the_server(verified).state == "CUTTING_OVER"


def test_lost_answer_of_finalize_cutover_is_resolved_by_reading(verified: FakePorts) -> None:
    verified.mgn.lost["finalize"] = [ServiceUnavailableError("answer lost")]
    with pytest.raises(ServiceUnavailableError):
        run(verified)
    run(verified)
    assert verified.mgn.calls.count("finalize") == 1
    assert the_record(verified).status is MigrationStatus.COMPLETED


def test_finalize_that_did_not_happen_is_checked_again_and_repeated(verified: FakePorts) -> None:
    verified.mgn.failures["finalize"] = [ThrottledError("ThrottlingException")]
    with pytest.raises(ThrottledError):
        run(verified)
    put_health(verified, "stopped")
    with pytest.raises(NotVerifiedError):
        run(verified)
    put_health(verified, "running")
    run(verified)
    assert the_record(verified).status is MigrationStatus.COMPLETED


def test_i5_cutover_that_somebody_else_finalized_is_not_ours_to_complete(verified: FakePorts) -> None:
    verified.mgn.finalize(SERVER_ID)
    with pytest.raises(NotVerifiedError, match="is CUTOVER, not CUTTING_OVER"):
        run(verified)


def test_i5_cutover_of_a_later_launch_is_not_taken_for_our_finalize_whose_answer_was_lost(verified: FakePorts) -> None:
    # Given a finalize that MGN never got, and somebody else who cut the server over again and finalized that
    verified.mgn.failures["finalize"] = [ServiceUnavailableError("no answer")]
    with pytest.raises(ServiceUnavailableError):
        run(verified)
    theirs = LastLaunch(initiated=Initiated(job_id="mgnjob-theirs"))
    life_cycle = the_server(verified).life_cycle.model_copy(update={"last_cutover": theirs})
    put_server(verified, life_cycle=life_cycle)
    verified.mgn.finalize(SERVER_ID)
    # Then it is not called ours
    with pytest.raises(NotVerifiedError, match="is CUTOVER, not CUTTING_OVER"):
        run(verified)
    assert the_record(verified).status is MigrationStatus.FINALIZING


def test_finalize_run_twice_finalizes_once(verified: FakePorts) -> None:
    run(verified)
    before = the_record(verified)
    run(verified)
    assert the_record(verified) == before
    assert verified.mgn.calls.count("finalize") == 1


def test_server_deleted_before_the_finalize_is_gone(verified: FakePorts) -> None:
    verified.mgn.by_id.clear()
    with pytest.raises(SourceServerGoneError):
        run(verified)


ONE_RUN = 7


def test_crashes_are_tried_at_every_call_of_a_finalize(verified: FakePorts) -> None:
    saboteur = Saboteur(verified, 0, dying(after=False))
    run(verified)
    assert saboteur.calls == ONE_RUN


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, ONE_RUN + 3))
def test_crash_at_any_call_finalizes_once(verified: FakePorts, at: int, after_effect: bool) -> None:
    Saboteur(verified, at, dying(after=after_effect))
    for _ in range(3):
        try:
            run(verified)
        except CrashError:
            continue
    assert the_record(verified).status is MigrationStatus.COMPLETED
    assert verified.mgn.calls.count("finalize") == 1
