"""signal_handler as the door in: decisions kept, executions that died, frozen migrations released."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from runtime.logic.dispatch.looking import look
from runtime.logic.journal import rebuild
from runtime.logic.lookups.decisions import decisions_of
from runtime.logic.signals import execution_ended, take_signal
from runtime.logic.steps.await_signal import await_signal
from runtime.models.decisions import Decision, Signal
from runtime.models.events import MigrationSignal
from runtime.models.functions.environment import DecisionRules
from runtime.models.functions.steps import AwaitSignal, Failure
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from runtime.models.waits import WaitKind
from tests.builders import NOON, SCOPE, SERVER_ID, a_lock, a_server, a_signal
from tests.fakes import FakePorts
from tests.saboteur import CrashError, Saboteur, dying
from tests.unit.runtime.stages import (
    EXECUTION,
    STAGES,
    a_step,
    a_world,
    accepted,
    bring_to,
    the_record,
    undo_until_done,
    waits_of,
)

ADA, BOB = "AROA0000000000000OPS:ada@example.com", "AROA0000000000000OPS:bob@example.com"
GATED: dict[str, Any] = {"test": False, "approval": {"cutover": True, "finalize": True}}


def send(
    ports: FakePorts, decision: Decision, *, sender: str | None = ADA, message_id: str = "message-1", **fields: Any
) -> str:
    sent = MigrationSignal(migration_id="mig-1", decision=decision, by="ada", **fields)
    return take_signal(ports, sent, sender=sender, message_id=message_id)


@pytest.fixture
def frozen() -> FakePorts:
    ports = bring_to("cutover-verified")
    ports.mgn.finalize(SERVER_ID)
    undo_until_done(ports, Failure(error="CheckFailedError", cause="no answer"))
    return ports


def test_decision_is_kept_with_who_when_and_why() -> None:
    ports = bring_to("windowed", **GATED)
    assert send(ports, Decision.APPROVE, gate=Gate.FINALIZE, reason="looks good") == "taken"
    (kept,) = ports.decisions.of("mig-1")
    assert (kept.by, kept.at, kept.reason, kept.gate) == ("ada", NOON, "looks good", Gate.FINALIZE)


def test_decision_older_than_its_request_is_ignored_so_a_replayed_approval_opens_nothing() -> None:
    ports = bring_to("test-verified", approval={"cutover": True, "finalize": True})
    sent = MigrationSignal(migration_id="mig-1", decision=Decision.APPROVE, gate=Gate.CUTOVER, by="ada")
    second = timedelta(seconds=1)
    accepted_at = the_record(ports).created_at
    assert take_signal(ports, sent, sender=ADA, sent_at=accepted_at - second).startswith(
        "ignored: sent before the request"
    )
    assert ports.decisions.of("mig-1") == ()
    # EventBridge cuts its times to whole seconds.
    assert take_signal(ports, sent, sender=ADA, sent_at=accepted_at.replace(microsecond=0)) == "taken"


@pytest.mark.parametrize("old", [Decision.APPROVE, Decision.REJECT])
def test_decision_kept_for_an_earlier_migration_of_the_id_gives_way_to_one_about_this(old: Decision) -> None:
    ports = a_world()
    ports.decisions.keep(a_signal(old, gate=Gate.CUTOVER, by="eve", at=NOON - timedelta(days=30)))
    ports = bring_to("test-verified", ports, approval={"cutover": True, "finalize": True})
    assert decisions_of(ports, the_record(ports)) == ()
    assert send(ports, Decision.APPROVE, gate=Gate.CUTOVER) == "taken"
    (counting,) = decisions_of(ports, the_record(ports))
    assert counting.by == "ada"


def test_i14_decision_is_kept_with_who_aws_says_sent_it_beside_the_name_given() -> None:
    ports = bring_to("windowed", **GATED)
    send(ports, Decision.APPROVE, gate=Gate.FINALIZE, sender=BOB, message_id="message-7")
    (kept,) = ports.decisions.of("mig-1")
    assert (kept.by, kept.sender, kept.message_id) == ("ada", BOB, "message-7")
    assert kept.who == f"ada ({BOB})"


def test_i14_decision_nobody_vouches_for_is_refused_and_kept_where_the_stage_takes_none_by_bus() -> None:
    ports = bring_to("windowed", **GATED)
    ports.decision_rules = DecisionRules()
    for _ in range(3):
        told = send(ports, Decision.APPROVE, gate=Gate.FINALIZE, sender=None)
        assert told == "refused: nobody vouches for its sender; send it to the decisions queue"
    assert ports.decisions.of("mig-1") == ()
    (refused,) = ports.decisions.refused("mig-1")
    assert told == f"refused: {refused.why}"
    assert refused.who == "ada (unverified)"


def test_i14_decision_by_bus_counts_where_the_stage_allows_it_and_is_marked_unverified() -> None:
    ports = bring_to("windowed", **GATED)
    ports.decision_rules = DecisionRules(by_bus=True)
    assert send(ports, Decision.APPROVE, gate=Gate.FINALIZE, sender=None) == "taken"
    assert [kept.who for kept in ports.decisions.of("mig-1")] == ["ada (unverified)"]


@pytest.mark.parametrize(
    "sender",
    [ADA, "AROA0000000000APPROVE:ada@example.com", "AIDA00000000000000ADA"],
    ids=["the same session", "another role of the same person", "the same user"],
)
def test_i14_requester_may_not_approve_where_the_stage_wants_two(sender: str) -> None:
    ports = a_world()
    ports.decision_rules = DecisionRules(requester_may_approve=False)
    accepted(ports, requester=sender if sender.startswith("AIDA") else ADA, **GATED)
    why = "who sent the request may not approve it; another person has to"
    assert send(ports, Decision.APPROVE, gate=Gate.CUTOVER, sender=sender) == f"refused: {why}"
    assert ports.decisions.of("mig-1") == ()
    assert [(each.sender, each.why) for each in ports.decisions.refused("mig-1")] == [(sender, why)]
    assert send(ports, Decision.APPROVE, gate=Gate.CUTOVER, sender=BOB) == "taken"


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.CANCEL])
def test_requester_may_always_stop_what_was_asked_for(decision: Decision) -> None:
    ports = a_world()
    ports.decision_rules = DecisionRules(requester_may_approve=False)
    accepted(ports, requester=ADA, **GATED)
    gate = Gate.CUTOVER if decision is Decision.REJECT else None
    assert send(ports, decision, gate=gate, sender=ADA) == "taken"


def test_i13_migration_whose_requester_no_release_kept_can_still_be_approved() -> None:
    ports = a_world()
    ports.decision_rules = DecisionRules(requester_may_approve=False)
    accepted(ports, **GATED)
    assert send(ports, Decision.APPROVE, gate=Gate.CUTOVER) == "taken"


def test_i14_approval_that_is_replayed_changes_nothing() -> None:
    ports = bring_to("windowed", **GATED)
    assert send(ports, Decision.APPROVE, gate=Gate.FINALIZE) == "taken"
    kept = ports.decisions.of("mig-1")
    ports.advance(60)
    for message_id in ("message-1", "message-2"):
        told = send(ports, Decision.APPROVE, gate=Gate.FINALIZE, sender=BOB, message_id=message_id)
        assert told == "ignored: decided before"
    assert ports.decisions.of("mig-1") == kept


def test_i14_approval_of_another_gate_is_not_taken() -> None:
    ports = bring_to("cutover-prepared", test=False, approval={"cutover": True})
    told = send(ports, Decision.APPROVE, gate=Gate.FINALIZE)
    assert told == "ignored: the migration has no finalize gate"
    await_signal(a_step(AwaitSignal, kind=WaitKind.APPROVAL, gate=Gate.CUTOVER, task_token="gate"), ports)
    look(ports)
    assert ports.decisions.of("mig-1") == ()
    assert ports.resumer.resumed.get("gate") is None


def test_gate_of_the_stage_can_be_decided_before_the_migration_is_checked() -> None:
    ports = a_world()
    ports.decision_rules = DecisionRules(required_gates=(Gate.CUTOVER,))
    accepted(ports)
    assert send(ports, Decision.APPROVE, gate=Gate.CUTOVER) == "taken"


@pytest.mark.parametrize("times", [1, 2])
def test_decision_wakes_the_dispatcher_however_often_it_comes(times: int) -> None:
    ports = bring_to("windowed", test=False)
    ports.wakes.sent.clear()
    for _ in range(times):
        send(ports, Decision.CANCEL)
    assert ports.wakes.sent == [(SCOPE, 0)] * times


def test_decision_on_a_migration_that_has_no_account_yet_waits_for_its_first_wait() -> None:
    ports = a_world()
    accepted(ports)
    assert send(ports, Decision.CANCEL) == "taken"
    assert ports.wakes.sent == []


def test_decision_that_comes_while_the_first_step_parks_reaches_its_wait() -> None:
    # Given a migration whose first step parks between the reading of its record and the keeping of the decision
    ports = a_world()
    accepted(ports)
    keep = ports.decisions.keep

    def parked_meanwhile(signal: Signal, *, since: datetime | None = None) -> bool:
        ports.decisions.keep = keep  # type: ignore[method-assign]
        for stage in ("validated", "replicating"):
            STAGES[stage](ports)
        return keep(signal, since=since)

    ports.decisions.keep = parked_meanwhile  # type: ignore[method-assign]
    ports.mgn.add(a_server(state="NOT_READY", lag=None))
    send(ports, Decision.CANCEL)
    look(ports)
    assert ports.resumer.resumed["replication"].error == "MigrationCancelledError"


def test_first_decision_on_a_gate_wins() -> None:
    ports = bring_to("windowed", **GATED)
    send(ports, Decision.REJECT, gate=Gate.FINALIZE)
    assert send(ports, Decision.APPROVE, gate=Gate.FINALIZE) == "ignored: decided before"
    assert [kept.decision for kept in ports.decisions.of("mig-1")] == [Decision.REJECT]


def test_decision_on_an_unknown_migration_is_ignored(ports: FakePorts) -> None:
    assert send(ports, Decision.CANCEL) == "ignored: no such migration"


@pytest.mark.parametrize("decision", [Decision.APPROVE, Decision.REJECT])
def test_decision_without_its_gate_is_ignored(decision: Decision) -> None:
    ports = bring_to("windowed", test=False)
    assert send(ports, decision) == "ignored: approve and reject need a gate, cutover or finalize"
    assert ports.decisions.of("mig-1") == ()


def test_cancel_ends_the_parked_step() -> None:
    ports = bring_to("cutover-launching", test=False)
    assert send(ports, Decision.CANCEL, reason="x" * 2048) == "taken"
    look(ports)
    assert ports.resumer.resumed["launch-cutover"].error == "MigrationCancelledError"


def test_late_decision_on_an_ended_migration_is_ignored() -> None:
    ports = bring_to("test-prepared")
    undo_until_done(ports)
    assert send(ports, Decision.CANCEL) == "ignored: the migration is ROLLED_BACK"


def test_release_gives_the_server_of_a_frozen_migration_back(frozen: FakePorts) -> None:
    assert send(frozen, Decision.RELEASE, reason="checked by hand") == "released"
    assert frozen.migrations.lock_of(SCOPE, SERVER_ID) is None
    assert the_record(frozen).status is MigrationStatus.FROZEN
    assert send(frozen, Decision.RELEASE) == "ignored: released before"


def test_i8_release_is_in_the_journal_with_who_and_why(frozen: FakePorts) -> None:
    failure = the_record(frozen).failure
    send(frozen, Decision.RELEASE, reason="checked by hand")
    journal = frozen.migrations.journal("mig-1")
    assert journal[-1].reason == f"released by ada ({ADA}): checked by hand"
    assert rebuild(journal) == the_record(frozen)
    assert the_record(frozen).is_released
    assert the_record(frozen).released_at == journal[-1].at
    assert the_record(frozen).failure == f"{failure}; released by ada ({ADA}): checked by hand"
    assert failure == "CheckFailedError: no answer"


@pytest.mark.parametrize("stage", ["replicating", "cutover-verified"])
def test_release_of_a_migration_that_is_not_frozen_is_ignored(stage: str) -> None:
    ports = bring_to(stage)
    assert send(ports, Decision.RELEASE).startswith("ignored: the migration is")
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is not None


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, 5))
def test_i8_release_that_died_anywhere_gives_the_server_back_and_tells_of_it_once(
    frozen: FakePorts, at: int, after_effect: bool
) -> None:
    saboteur = Saboteur(frozen, at, dying(after=after_effect))
    with pytest.raises(CrashError):
        send(frozen, Decision.RELEASE, reason="checked by hand")
    assert saboteur.attacked is not None
    send(frozen, Decision.RELEASE, reason="checked by hand")
    assert frozen.migrations.lock_of(SCOPE, SERVER_ID) is None
    told = [entry for entry in frozen.migrations.journal("mig-1") if entry.reason.startswith("released by")]
    assert len(told) == 1
    assert len(frozen.decisions.of("mig-1")) == 1


def test_release_leaves_the_lock_of_the_next_migration_alone(frozen: FakePorts) -> None:
    send(frozen, Decision.RELEASE)
    frozen.migrations.lock(a_lock("mig-2"))
    before = the_record(frozen)
    assert send(frozen, Decision.RELEASE) == "ignored: released before"
    assert the_record(frozen) == before
    held = frozen.migrations.lock_of(SCOPE, SERVER_ID)
    assert held is not None
    assert held.owner == "mig-2"


def test_i7_execution_that_died_freezes_its_migration_and_keeps_the_lock() -> None:
    ports = bring_to("test-launching")
    assert execution_ended(ports, "mig-1", EXECUTION, "TIMED_OUT") == "frozen"
    assert the_record(ports).status is MigrationStatus.FROZEN
    assert the_record(ports).reason == "its execution ended TIMED_OUT without an end for the migration"
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is not None


def test_wait_of_an_execution_that_died_goes_with_it_however_often_that_is_told() -> None:
    ports = bring_to("test-launching")
    assert waits_of(ports)
    Saboteur(ports, 4, dying(after=False))
    with pytest.raises(CrashError):
        execution_ended(ports, "mig-1", EXECUTION, "ABORTED")
    assert (the_record(ports).status, len(waits_of(ports))) == (MigrationStatus.FROZEN, 1)
    assert execution_ended(ports, "mig-1", EXECUTION, "ABORTED") == "ignored: the migration is FROZEN"
    assert waits_of(ports) == ()


def test_end_of_an_ended_migrations_execution_changes_nothing() -> None:
    ports = bring_to("test-prepared")
    undo_until_done(ports)
    assert execution_ended(ports, "mig-1", EXECUTION, "FAILED") == "ignored: the migration is ROLLED_BACK"


@pytest.mark.parametrize(("migration_id", "execution"), [("mig-1", "another"), ("mig-9", EXECUTION)])
def test_end_of_a_duplicate_or_foreign_execution_changes_nothing(migration_id: str, execution: str) -> None:
    ports = bring_to("test-launching")
    assert execution_ended(ports, migration_id, execution, "FAILED") == "ignored: not the execution of this migration"
    assert the_record(ports).status is MigrationStatus.TEST_LAUNCHING
