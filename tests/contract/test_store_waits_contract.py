"""What every MigrationStore does with waits and signals."""

from datetime import timedelta

import pytest

from runtime.logic.ports import State
from runtime.models.decisions import Decision
from runtime.models.record import LaunchKind
from runtime.models.request import Gate
from runtime.models.waits import LaunchIntent, Outcome, Wait
from tests.builders import JOB_ID, NOON, SCOPE, TARGET_SCOPE, a_signal, a_wait
from tests.contract.rivals import at_once

DONE = Outcome(reason="launched")
ASKING = a_wait(intent=LaunchIntent(kind=LaunchKind.TEST, wave="1"))
JOB_END = NOON + timedelta(hours=5)


class TestWaits:
    def test_parked_wait_is_open(self, store: State) -> None:
        assert store.waits.park(a_wait()) == a_wait()
        assert store.waits.of(SCOPE, "mig-1") == (a_wait(),)
        assert list(store.waits.open(SCOPE)) == [a_wait()]
        assert store.waits.of(TARGET_SCOPE, "mig-1") == ()
        assert list(store.waits.open(TARGET_SCOPE)) == []

    def test_waits_of_another_account_or_region_stand_apart(self, store: State) -> None:
        here, there = store.waits.park(a_wait()), store.waits.park(a_wait(scope=TARGET_SCOPE, token="there"))
        store.waits.close(here)
        assert list(store.waits.open(TARGET_SCOPE)) == [there]

    def test_migration_whose_id_begins_another_keeps_its_waits_apart(self, store: State) -> None:
        first = store.waits.park(a_wait(migration_id="mig-1"))
        store.waits.park(a_wait(migration_id="mig-10"))
        assert store.waits.of(SCOPE, "mig-1") == (first,)
        assert len(list(store.waits.open(SCOPE))) == 2

    def test_retried_step_replaces_the_token(self, store: State) -> None:
        store.waits.park(a_wait(token="first"))
        assert store.waits.park(a_wait(token="second")).token == "second"
        assert [wait.token for wait in store.waits.of(SCOPE, "mig-1")] == ["second"]
        assert [wait.token for wait in store.waits.open(SCOPE)] == ["second"]

    def test_retried_step_keeps_an_undelivered_outcome(self, store: State) -> None:
        store.waits.decide(store.waits.park(a_wait(token="first")), DONE)
        parked = store.waits.park(a_wait(token="second"))
        assert (parked.token, parked.outcome) == ("second", DONE)
        assert store.waits.of(SCOPE, "mig-1") == (parked,)

    def test_retried_step_keeps_the_job_and_its_deadline(self, store: State) -> None:
        store.waits.amend(store.waits.park(ASKING), {"job_id": JOB_ID, "deadline": JOB_END})
        parked = store.waits.park(ASKING.model_copy(update={"token": "second"}))
        assert (parked.token, parked.watched_job, parked.deadline) == ("second", JOB_ID, JOB_END)
        assert store.waits.of(SCOPE, "mig-1") == (parked,)

    def test_retried_step_that_knows_its_job_knows_better(self, store: State) -> None:
        store.waits.park(a_wait(job_id="mgnjob-earlier"))
        assert store.waits.park(a_wait(job_id=JOB_ID, token="second")).watched_job == JOB_ID

    def test_first_outcome_wins(self, store: State) -> None:
        wait = store.waits.park(a_wait())
        assert store.waits.decide(wait, DONE).outcome == DONE
        assert store.waits.decide(wait, Outcome(error="LaunchFailedError")).outcome == DONE
        assert store.waits.of(SCOPE, "mig-1")[0].outcome == DONE

    def test_ten_deciders_agree_on_one_outcome(self, store: State) -> None:
        wait = store.waits.park(a_wait())
        outcomes = [Outcome(reason=f"decider {n}") for n in range(10)]
        decided = at_once([lambda outcome=outcome: store.waits.decide(wait, outcome) for outcome in outcomes])  # type: ignore[misc]
        assert {each.outcome for each in decided if not isinstance(each, Exception)} == {
            store.waits.of(SCOPE, "mig-1")[0].outcome
        }

    def test_decided_wait_stays_open_until_it_is_closed(self, store: State) -> None:
        decided = store.waits.decide(store.waits.park(a_wait()), DONE)
        assert list(store.waits.open(SCOPE)) == [decided]
        store.waits.close(decided)
        assert store.waits.of(SCOPE, "mig-1") == ()
        assert list(store.waits.open(SCOPE)) == []

    def test_closing_with_an_older_reading_works_and_twice_is_harmless(self, store: State) -> None:
        wait = store.waits.park(a_wait())
        store.waits.decide(wait, DONE)
        store.waits.close(wait)
        store.waits.close(wait)
        assert store.waits.of(SCOPE, "mig-1") == ()

    def test_wait_parked_again_survives_the_close_of_the_old_one(self, store: State) -> None:
        old = store.waits.park(a_wait(token="first"))
        new = store.waits.park(a_wait(token="second"))
        store.waits.close(old)
        assert store.waits.of(SCOPE, "mig-1") == (new,)

    def test_late_decision_of_an_older_reading_does_not_touch_the_wait_parked_since(self, store: State) -> None:
        old = store.waits.park(a_wait(token="first"))
        store.waits.close(store.waits.decide(old, DONE))
        new = store.waits.park(a_wait(token="second"))
        answer = store.waits.decide(old, Outcome(error="LaunchFailedError"))
        assert answer.token == "first"
        assert store.waits.of(SCOPE, "mig-1") == (new,)

    def test_deciding_a_closed_wait_brings_nothing_back(self, store: State) -> None:
        wait = store.waits.park(a_wait())
        store.waits.close(store.waits.decide(wait, DONE))
        assert store.waits.decide(wait, DONE).outcome == DONE
        assert store.waits.of(SCOPE, "mig-1") == ()

    def test_waits_of_other_names_and_migrations_stand_apart(self, store: State) -> None:
        waits = [a_wait("boot-test"), a_wait("launch-test"), a_wait("boot-test", "mig-2")]
        for wait in waits:
            store.waits.park(wait)
        assert store.waits.of(SCOPE, "mig-1") == tuple(waits[:2])
        assert store.waits.of(SCOPE, "mig-2") == (waits[2],)


class TestAmending:
    def test_fields_of_an_open_wait_are_set(self, store: State) -> None:
        wait = store.waits.park(ASKING)
        assert store.waits.amend(wait, {"job_id": JOB_ID, "deadline": JOB_END})
        assert store.waits.of(SCOPE, "mig-1") == (wait.model_copy(update={"job_id": JOB_ID, "deadline": JOB_END}),)

    def test_changes_of_older_readings_add_up(self, store: State) -> None:
        wait = store.waits.park(ASKING)
        assert store.waits.amend(wait, {"job_id": JOB_ID})
        assert store.waits.amend(wait, {"signals": (a_signal(),)})
        (amended,) = store.waits.of(SCOPE, "mig-1")
        assert (amended.watched_job, amended.signals) == (JOB_ID, (a_signal(),))

    def test_decision_of_an_older_reading_keeps_what_was_amended_since(self, store: State) -> None:
        wait = store.waits.park(ASKING)
        store.waits.amend(wait, {"job_id": JOB_ID})
        decided = store.waits.decide(wait, DONE)
        assert (decided.watched_job, decided.outcome) == (JOB_ID, DONE)
        assert store.waits.of(SCOPE, "mig-1") == (decided,)

    def test_decided_wait_is_not_amended(self, store: State) -> None:
        wait = store.waits.park(ASKING)
        decided = store.waits.decide(wait, DONE)
        assert not store.waits.amend(wait, {"job_id": JOB_ID})
        assert store.waits.of(SCOPE, "mig-1") == (decided,)

    def test_closed_wait_is_not_brought_back(self, store: State) -> None:
        wait = store.waits.park(ASKING)
        store.waits.close(wait)
        assert not store.waits.amend(wait, {"job_id": JOB_ID})
        assert store.waits.of(SCOPE, "mig-1") == ()

    def test_wait_parked_again_is_not_amended_through_the_old_one(self, store: State) -> None:
        old = store.waits.park(ASKING)
        new = store.waits.park(ASKING.model_copy(update={"token": "second"}))
        assert not store.waits.amend(old, {"job_id": JOB_ID})
        assert store.waits.of(SCOPE, "mig-1") == (new,)

    def test_of_rivals_at_once_none_undoes_another(self, store: State) -> None:
        wait = store.waits.park(ASKING)
        changes: list[dict[str, object]] = [
            {"job_id": JOB_ID},
            {"deadline": JOB_END},
            {"signals": (a_signal(),)},
            {"instance_id": "i-11111111111111111"},
        ]
        assert at_once([lambda each=each: store.waits.amend(wait, each) for each in changes]) == [True] * 4  # type: ignore[misc]
        (amended,) = store.waits.of(SCOPE, "mig-1")
        assert amended == wait.model_copy(update={name: value for each in changes for name, value in each.items()})

    @pytest.mark.parametrize("turn", range(3))
    def test_job_given_while_the_wait_is_decided_leaves_one_outcome(self, store: State, turn: int) -> None:
        wait = store.waits.park(ASKING)
        amended, decided = at_once(
            [lambda: store.waits.amend(wait, {"job_id": JOB_ID}), lambda: store.waits.decide(wait, DONE)]
        )
        (left,) = store.waits.of(SCOPE, "mig-1")
        assert isinstance(decided, Wait)
        assert left.outcome == decided.outcome == DONE
        assert (left.watched_job is not None) is amended


class TestSignals:
    def test_first_signal_of_a_name_wins(self, store: State) -> None:
        approve = a_signal(Decision.APPROVE, gate=Gate.CUTOVER)
        assert store.decisions.keep(approve)
        assert not store.decisions.keep(a_signal(Decision.REJECT, gate=Gate.CUTOVER, by="eve@example.com"))
        assert store.decisions.of("mig-1") == (approve,)

    def test_signals_come_oldest_first(self, store: State) -> None:
        finalize = a_signal(gate=Gate.FINALIZE, at=NOON)
        cancel = a_signal(Decision.CANCEL, at=NOON + timedelta(hours=1))
        cutover = a_signal(gate=Gate.CUTOVER, at=NOON + timedelta(hours=2))
        for signal in (cutover, cancel, finalize):
            assert store.decisions.keep(signal)
        assert store.decisions.of("mig-1") == (finalize, cancel, cutover)

    def test_ten_senders_of_one_name_have_one_winner(self, store: State) -> None:
        signals = [a_signal(gate=Gate.CUTOVER, by=f"person-{n}") for n in range(10)]
        kept = at_once([lambda signal=signal: store.decisions.keep(signal) for signal in signals])  # type: ignore[misc]
        assert kept.count(True) == 1
        assert store.decisions.of("mig-1") == (signals[kept.index(True)],)

    def test_signal_needs_no_migration(self, store: State) -> None:
        assert store.decisions.keep(a_signal(migration_id="mig-unknown"))
        assert store.decisions.of("mig-1") == ()
