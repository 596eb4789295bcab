"""What every MigrationStore does with waits and signals."""

from datetime import timedelta

import pytest

from runtime.logic.ports import MigrationStore
from runtime.models.record import Decision, LaunchIntent, LaunchKind, Outcome, Wait
from runtime.models.request import Gate
from tests.builders import JOB_ID, NOON, SCOPE, TARGET_SCOPE, a_signal, a_wait
from tests.contract.rivals import at_once

DONE = Outcome(reason="launched")
ASKING = a_wait(intent=LaunchIntent(kind=LaunchKind.TEST, wave="1"))
JOB_END = NOON + timedelta(hours=5)


class TestWaits:
    def test_parked_wait_is_open(self, store: MigrationStore) -> None:
        assert store.park(a_wait()) == a_wait()
        assert store.waits(SCOPE, "mig-1") == (a_wait(),)
        assert list(store.open_waits(SCOPE)) == [a_wait()]
        assert store.waits(TARGET_SCOPE, "mig-1") == ()
        assert list(store.open_waits(TARGET_SCOPE)) == []

    def test_waits_of_another_account_or_region_stand_apart(self, store: MigrationStore) -> None:
        here, there = store.park(a_wait()), store.park(a_wait(scope=TARGET_SCOPE, token="there"))
        store.close(here)
        assert list(store.open_waits(TARGET_SCOPE)) == [there]

    def test_migration_whose_id_begins_another_keeps_its_waits_apart(self, store: MigrationStore) -> None:
        first = store.park(a_wait(migration_id="mig-1"))
        store.park(a_wait(migration_id="mig-10"))
        assert store.waits(SCOPE, "mig-1") == (first,)
        assert len(list(store.open_waits(SCOPE))) == 2

    def test_retried_step_replaces_the_token(self, store: MigrationStore) -> None:
        store.park(a_wait(token="first"))
        assert store.park(a_wait(token="second")).token == "second"
        assert [wait.token for wait in store.waits(SCOPE, "mig-1")] == ["second"]
        assert [wait.token for wait in store.open_waits(SCOPE)] == ["second"]

    def test_retried_step_keeps_an_undelivered_outcome(self, store: MigrationStore) -> None:
        store.decide(store.park(a_wait(token="first")), DONE)
        parked = store.park(a_wait(token="second"))
        assert (parked.token, parked.outcome) == ("second", DONE)
        assert store.waits(SCOPE, "mig-1") == (parked,)

    def test_retried_step_keeps_the_job_and_its_deadline(self, store: MigrationStore) -> None:
        store.amend(store.park(ASKING), {"job_id": JOB_ID, "deadline": JOB_END})
        parked = store.park(ASKING.model_copy(update={"token": "second"}))
        assert (parked.token, parked.job_id, parked.deadline) == ("second", JOB_ID, JOB_END)
        assert store.waits(SCOPE, "mig-1") == (parked,)

    def test_retried_step_that_knows_its_job_knows_better(self, store: MigrationStore) -> None:
        store.park(a_wait(job_id="mgnjob-earlier"))
        assert store.park(a_wait(job_id=JOB_ID, token="second")).job_id == JOB_ID

    def test_first_outcome_wins(self, store: MigrationStore) -> None:
        wait = store.park(a_wait())
        assert store.decide(wait, DONE).outcome == DONE
        assert store.decide(wait, Outcome(error="LaunchFailedError")).outcome == DONE
        assert store.waits(SCOPE, "mig-1")[0].outcome == DONE

    def test_ten_deciders_agree_on_one_outcome(self, store: MigrationStore) -> None:
        wait = store.park(a_wait())
        outcomes = [Outcome(reason=f"decider {n}") for n in range(10)]
        decided = at_once([lambda outcome=outcome: store.decide(wait, outcome) for outcome in outcomes])  # type: ignore[misc]
        assert {each.outcome for each in decided if not isinstance(each, Exception)} == {
            store.waits(SCOPE, "mig-1")[0].outcome
        }

    def test_decided_wait_stays_open_until_it_is_closed(self, store: MigrationStore) -> None:
        decided = store.decide(store.park(a_wait()), DONE)
        assert list(store.open_waits(SCOPE)) == [decided]
        store.close(decided)
        assert store.waits(SCOPE, "mig-1") == ()
        assert list(store.open_waits(SCOPE)) == []

    def test_closing_with_an_older_reading_works_and_twice_is_harmless(self, store: MigrationStore) -> None:
        wait = store.park(a_wait())
        store.decide(wait, DONE)
        store.close(wait)
        store.close(wait)
        assert store.waits(SCOPE, "mig-1") == ()

    def test_wait_parked_again_survives_the_close_of_the_old_one(self, store: MigrationStore) -> None:
        old = store.park(a_wait(token="first"))
        new = store.park(a_wait(token="second"))
        store.close(old)
        assert store.waits(SCOPE, "mig-1") == (new,)

    def test_late_decision_of_an_older_reading_does_not_touch_the_wait_parked_since(
        self, store: MigrationStore
    ) -> None:
        old = store.park(a_wait(token="first"))
        store.close(store.decide(old, DONE))
        new = store.park(a_wait(token="second"))
        answer = store.decide(old, Outcome(error="LaunchFailedError"))
        assert answer.token == "first"
        assert store.waits(SCOPE, "mig-1") == (new,)

    def test_deciding_a_closed_wait_brings_nothing_back(self, store: MigrationStore) -> None:
        wait = store.park(a_wait())
        store.close(store.decide(wait, DONE))
        assert store.decide(wait, DONE).outcome == DONE
        assert store.waits(SCOPE, "mig-1") == ()

    def test_waits_of_other_names_and_migrations_stand_apart(self, store: MigrationStore) -> None:
        waits = [a_wait("boot-test"), a_wait("launch-test"), a_wait("boot-test", "mig-2")]
        for wait in waits:
            store.park(wait)
        assert store.waits(SCOPE, "mig-1") == tuple(waits[:2])
        assert store.waits(SCOPE, "mig-2") == (waits[2],)


class TestAmending:
    def test_fields_of_an_open_wait_are_set(self, store: MigrationStore) -> None:
        wait = store.park(ASKING)
        assert store.amend(wait, {"job_id": JOB_ID, "deadline": JOB_END})
        assert store.waits(SCOPE, "mig-1") == (wait.model_copy(update={"job_id": JOB_ID, "deadline": JOB_END}),)

    def test_changes_of_older_readings_add_up(self, store: MigrationStore) -> None:
        wait = store.park(ASKING)
        assert store.amend(wait, {"job_id": JOB_ID})
        assert store.amend(wait, {"signals": (a_signal(),)})
        (amended,) = store.waits(SCOPE, "mig-1")
        assert (amended.job_id, amended.signals) == (JOB_ID, (a_signal(),))

    def test_decision_of_an_older_reading_keeps_what_was_amended_since(self, store: MigrationStore) -> None:
        wait = store.park(ASKING)
        store.amend(wait, {"job_id": JOB_ID})
        decided = store.decide(wait, DONE)
        assert (decided.job_id, decided.outcome) == (JOB_ID, DONE)
        assert store.waits(SCOPE, "mig-1") == (decided,)

    def test_decided_wait_is_not_amended(self, store: MigrationStore) -> None:
        wait = store.park(ASKING)
        decided = store.decide(wait, DONE)
        assert not store.amend(wait, {"job_id": JOB_ID})
        assert store.waits(SCOPE, "mig-1") == (decided,)

    def test_closed_wait_is_not_brought_back(self, store: MigrationStore) -> None:
        wait = store.park(ASKING)
        store.close(wait)
        assert not store.amend(wait, {"job_id": JOB_ID})
        assert store.waits(SCOPE, "mig-1") == ()

    def test_wait_parked_again_is_not_amended_through_the_old_one(self, store: MigrationStore) -> None:
        old = store.park(ASKING)
        new = store.park(ASKING.model_copy(update={"token": "second"}))
        assert not store.amend(old, {"job_id": JOB_ID})
        assert store.waits(SCOPE, "mig-1") == (new,)

    def test_of_rivals_at_once_none_undoes_another(self, store: MigrationStore) -> None:
        wait = store.park(ASKING)
        changes: list[dict[str, object]] = [
            {"job_id": JOB_ID},
            {"deadline": JOB_END},
            {"signals": (a_signal(),)},
            {"instance_id": "i-11111111111111111"},
        ]
        assert at_once([lambda each=each: store.amend(wait, each) for each in changes]) == [True] * 4  # type: ignore[misc]
        (amended,) = store.waits(SCOPE, "mig-1")
        assert amended == wait.model_copy(update={name: value for each in changes for name, value in each.items()})

    @pytest.mark.parametrize("turn", range(3))
    def test_job_given_while_the_wait_is_decided_leaves_one_outcome(self, store: MigrationStore, turn: int) -> None:
        wait = store.park(ASKING)
        amended, decided = at_once([lambda: store.amend(wait, {"job_id": JOB_ID}), lambda: store.decide(wait, DONE)])
        (left,) = store.waits(SCOPE, "mig-1")
        assert isinstance(decided, Wait)
        assert left.outcome == decided.outcome == DONE
        assert (left.job_id is not None) is amended


class TestSignals:
    def test_first_signal_of_a_name_wins(self, store: MigrationStore) -> None:
        approve = a_signal(Decision.APPROVE, gate=Gate.CUTOVER)
        assert store.signal(approve)
        assert not store.signal(a_signal(Decision.REJECT, gate=Gate.CUTOVER, by="eve@example.com"))
        assert store.signals("mig-1") == (approve,)

    def test_signals_come_oldest_first(self, store: MigrationStore) -> None:
        finalize = a_signal(gate=Gate.FINALIZE, at=NOON)
        cancel = a_signal(Decision.CANCEL, at=NOON + timedelta(hours=1))
        cutover = a_signal(gate=Gate.CUTOVER, at=NOON + timedelta(hours=2))
        for signal in (cutover, cancel, finalize):
            assert store.signal(signal)
        assert store.signals("mig-1") == (finalize, cancel, cutover)

    def test_ten_senders_of_one_name_have_one_winner(self, store: MigrationStore) -> None:
        signals = [a_signal(gate=Gate.CUTOVER, by=f"person-{n}") for n in range(10)]
        kept = at_once([lambda signal=signal: store.signal(signal) for signal in signals])  # type: ignore[misc]
        assert kept.count(True) == 1
        assert store.signals("mig-1") == (signals[kept.index(True)],)

    def test_signal_needs_no_migration(self, store: MigrationStore) -> None:
        assert store.signal(a_signal(migration_id="mig-unknown"))
        assert store.signals("mig-1") == ()
