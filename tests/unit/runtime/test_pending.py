"""What a step finds unready is tried again, at growing pauses, until its own budget is used up."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from runtime.errors import CheckFailedError, CheckPendingError, MigrationCancelledError
from runtime.logic.signals import take_signal
from runtime.logic.steps.await_signal import await_signal
from runtime.logic.steps.pending import still_pending
from runtime.logic.steps.verify_migration import check_instance
from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.functions.environment import Budgets
from runtime.models.functions.steps import AwaitSignal, VerifyMigration
from runtime.models.mgn import CommandStatus
from runtime.models.record import Patience
from runtime.models.request import Phase
from runtime.models.waits import WaitKind
from tests.builders import NOON
from tests.fakes import FakePorts
from tests.unit.runtime.stages import MIGRATION_ID, a_step, a_world, bring_to, look, the_record, waits_of

TCP = {"type": "tcp", "port": 22}
BUDGETS = Budgets(launch_gather=0, checks=3_600, commands=4 * 3_600)


def verifying(*checks: object) -> FakePorts:
    """A test instance that is up and does not answer on port 22."""
    ports = bring_to("test-booting", a_world(budgets=BUDGETS), checks=checks)
    ports.prober.seen[22] = "refused"
    return ports


def check(ports: FakePorts) -> None:
    check_instance(a_step(VerifyMigration, phase=Phase.TEST), ports)


def until_tried_again(ports: FakePorts) -> timedelta:
    """How long the parked check waits, as the dispatcher's looks find out."""
    before = ports.now()
    token = f"check-{before.isoformat()}"
    await_signal(a_step(AwaitSignal, kind=WaitKind.CHECK, task_token=token), ports)
    # The sweep has everything looked at each minute.
    while token not in ports.resumer.resumed and (again := look(ports).again or 60):
        ports.advance(again if token not in ports.resumer.resumed else 0)
    assert ports.resumer.resumed[token].error is None
    return ports.now() - before


def tried_until_it_fails(ports: FakePorts) -> list[datetime]:
    """The moments of all tries; the last of them failed for good."""
    tries = []
    while True:
        tries.append(ports.now())
        try:
            check(ports)
        except CheckPendingError:
            until_tried_again(ports)
        except CheckFailedError:
            return tries


def test_check_fails_once_its_budget_is_used_up_and_says_since_when() -> None:
    ports = verifying(TCP)
    tries = tried_until_it_fails(ports)
    assert tries[-1] - tries[0] == timedelta(seconds=BUDGETS.checks)
    with pytest.raises(CheckFailedError, match=r"tcp check on .*:22: refused, since 2026-"):
        check(ports)


def test_pauses_grow_with_the_time_waited_and_never_exceed_two_minutes() -> None:
    tries = tried_until_it_fails(verifying(TCP))
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[0] <= timedelta(seconds=2 * BUDGETS.look)
    assert max(pauses) <= timedelta(seconds=120 + BUDGETS.look)
    assert len(tries) < 80
    waited = [moment - tries[0] for moment in tries]
    late = [pause for pause, before in zip(pauses, waited, strict=False) if before > timedelta(seconds=30)]
    assert all(pause <= before / 2 for pause, before in zip(late, waited[-len(late) - 1 :], strict=False))


def test_document_may_run_for_hours() -> None:
    ports = verifying({"type": "ssm", "document": "Smoke"})
    ports.commands.outcome = CommandStatus(status="InProgress")
    for _ in range(3):
        with pytest.raises(CheckPendingError, match=r"Smoke on i-.* is InProgress"):
            check(ports)
        ports.advance(3_600)
    ports.commands.outcome = CommandStatus(status="Success")
    check(ports)
    assert len(ports.commands.sent) == 1


def test_check_that_follows_a_long_document_has_its_own_time() -> None:
    ports = verifying({"type": "ssm", "document": "Smoke"}, TCP)
    ports.commands.outcome = CommandStatus(status="InProgress")
    with pytest.raises(CheckPendingError, match="Smoke"):
        check(ports)
    ports.advance(3 * 3_600)
    ports.commands.outcome = CommandStatus(status="Success")
    with pytest.raises(CheckPendingError, match="tcp check"):
        check(ports)
    assert tried_until_it_fails(ports)[-1] - NOON >= timedelta(hours=4)


def test_journal_says_once_what_is_waited_for() -> None:
    ports = verifying(TCP)
    for _ in range(3):
        with pytest.raises(CheckPendingError):
            check(ports)
        ports.advance(60)
    reasons = [entry.reason for entry in ports.migrations.journal(MIGRATION_ID)]
    assert len([reason for reason in reasons if reason.startswith("waiting: tcp check on")]) == 1


def test_pending_check_is_cancelled_at_once() -> None:
    ports = verifying(TCP)
    with pytest.raises(CheckPendingError):
        check(ports)
    await_signal(a_step(AwaitSignal, kind=WaitKind.CHECK, task_token="token"), ports)
    take_signal(ports, MigrationSignal(migration_id=MIGRATION_ID, decision=Decision.CANCEL, by="ada"))
    look(ports)
    assert ports.resumer.resumed["token"].error == MigrationCancelledError.__name__


def test_many_pending_checks_end_at_the_same_look() -> None:
    moments = set()
    for late in (0.1, 0.4, 0.9):
        ports = verifying(TCP)
        ports.advance(100 + late)
        with pytest.raises(CheckPendingError):
            check(ports)
        await_signal(a_step(AwaitSignal, kind=WaitKind.CHECK, task_token="token"), ports)
        moments.add(next(wait.not_before for wait in waits_of(ports) if wait.kind is WaitKind.CHECK))
    assert len(moments) == 1


def test_wait_for_a_check_without_one_pending_fails() -> None:
    ports = verifying()
    with pytest.raises(CheckFailedError, match="no step has said what it waits for in TEST_VERIFYING"):
        await_signal(a_step(AwaitSignal, kind=WaitKind.CHECK, task_token="token"), ports)


def test_what_was_pending_in_an_earlier_status_does_not_count() -> None:
    ports = bring_to("replicating", a_world(budgets=BUDGETS))
    with pytest.raises(CheckPendingError):
        still_pending(ports, the_record(ports), Patience.CHECKS, "no agent", actor="prepare_source")
    ports.advance(BUDGETS.checks)
    with pytest.raises(CheckFailedError):
        still_pending(ports, the_record(ports), Patience.CHECKS, "no agent", actor="prepare_source")
    verifying_now = bring_to("test-booting", a_world(budgets=BUDGETS), checks=[TCP])
    verifying_now.prober.seen[22] = "refused"
    pending = the_record(ports).pending
    record = the_record(verifying_now).model_copy(update={"pending": pending})
    verifying_now.migrations.records[MIGRATION_ID] = record
    with pytest.raises(CheckPendingError):
        check(verifying_now)
