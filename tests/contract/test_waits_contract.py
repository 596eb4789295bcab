"""What every Waits does: the fake and the DynamoDB adapter."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from runtime.logic.ports import State
from runtime.models.record import LaunchKind
from runtime.models.waits import BOOTING, DUE, OF_JOB, LaunchIntent, Outcome, Wait, due, of_job
from tests.builders import JOB_ID, NOON, SCOPE, TARGET_SCOPE, a_signal, a_wait
from tests.contract.rivals import at_once

DONE = Outcome(reason="launched")
ASKING = a_wait(intent=LaunchIntent(kind=LaunchKind.TEST, wave="1"))
JOB_END = NOON + timedelta(hours=5)


class TestWaits:
    def test_parked_wait_is_open(self, state: State) -> None:
        assert state.waits.park(a_wait()) == a_wait()
        assert state.waits.of(SCOPE, "mig-1") == (a_wait(),)
        assert list(state.waits.open(SCOPE)) == [a_wait()]
        assert state.waits.of(TARGET_SCOPE, "mig-1") == ()
        assert list(state.waits.open(TARGET_SCOPE)) == []

    def test_waits_of_another_account_or_region_stand_apart(self, state: State) -> None:
        here, there = state.waits.park(a_wait()), state.waits.park(a_wait(scope=TARGET_SCOPE, token="there"))
        state.waits.close(here)
        assert list(state.waits.open(TARGET_SCOPE)) == [there]

    def test_migration_whose_id_begins_another_keeps_its_waits_apart(self, state: State) -> None:
        first = state.waits.park(a_wait(migration_id="mig-1"))
        state.waits.park(a_wait(migration_id="mig-10"))
        assert state.waits.of(SCOPE, "mig-1") == (first,)
        assert len(list(state.waits.open(SCOPE))) == 2

    def test_retried_step_replaces_the_token(self, state: State) -> None:
        state.waits.park(a_wait(token="first"))
        assert state.waits.park(a_wait(token="second")).token == "second"
        assert [wait.token for wait in state.waits.of(SCOPE, "mig-1")] == ["second"]
        assert [wait.token for wait in state.waits.open(SCOPE)] == ["second"]

    def test_retried_step_keeps_the_tokens_of_its_earlier_tries(self, state: State) -> None:
        for key in ("first", "second", "first"):
            parked = state.waits.park(a_wait(token=None, token_key=key))
        assert parked.token_keys == ("second", "first")
        assert state.waits.of(SCOPE, "mig-1") == (parked,)

    def test_retried_step_keeps_an_undelivered_outcome(self, state: State) -> None:
        state.waits.decide(state.waits.park(a_wait(token="first")), DONE)
        parked = state.waits.park(a_wait(token="second"))
        assert (parked.token, parked.outcome) == ("second", DONE)
        assert state.waits.of(SCOPE, "mig-1") == (parked,)

    def test_retried_step_keeps_the_job_and_its_deadline(self, state: State) -> None:
        state.waits.amend(state.waits.park(ASKING), {"job_id": JOB_ID, "deadline": JOB_END})
        parked = state.waits.park(ASKING.model_copy(update={"token": "second"}))
        assert (parked.token, parked.watched_job, parked.deadline) == ("second", JOB_ID, JOB_END)
        assert state.waits.of(SCOPE, "mig-1") == (parked,)

    def test_retried_step_that_knows_its_job_knows_better(self, state: State) -> None:
        state.waits.park(a_wait(job_id="mgnjob-earlier"))
        assert state.waits.park(a_wait(job_id=JOB_ID, token="second")).watched_job == JOB_ID

    def test_first_outcome_wins(self, state: State) -> None:
        wait = state.waits.park(a_wait())
        assert state.waits.decide(wait, DONE).outcome == DONE
        assert state.waits.decide(wait, Outcome(error="LaunchFailedError")).outcome == DONE
        assert state.waits.of(SCOPE, "mig-1")[0].outcome == DONE

    def test_ten_deciders_agree_on_one_outcome(self, state: State) -> None:
        wait = state.waits.park(a_wait())
        outcomes = [Outcome(reason=f"decider {n}") for n in range(10)]
        decided = at_once([lambda outcome=outcome: state.waits.decide(wait, outcome) for outcome in outcomes])  # type: ignore[misc]
        assert {each.outcome for each in decided if not isinstance(each, Exception)} == {
            state.waits.of(SCOPE, "mig-1")[0].outcome
        }

    def test_decided_wait_stays_open_until_it_is_closed(self, state: State) -> None:
        decided = state.waits.decide(state.waits.park(a_wait()), DONE)
        assert list(state.waits.open(SCOPE)) == [decided]
        state.waits.close(decided)
        assert state.waits.of(SCOPE, "mig-1") == ()
        assert list(state.waits.open(SCOPE)) == []

    def test_closing_with_an_older_reading_works_and_twice_is_harmless(self, state: State) -> None:
        wait = state.waits.park(a_wait())
        state.waits.decide(wait, DONE)
        state.waits.close(wait)
        state.waits.close(wait)
        assert state.waits.of(SCOPE, "mig-1") == ()

    def test_wait_parked_again_survives_the_close_of_the_old_one(self, state: State) -> None:
        old = state.waits.park(a_wait(token="first"))
        new = state.waits.park(a_wait(token="second"))
        state.waits.close(old)
        assert state.waits.of(SCOPE, "mig-1") == (new,)

    def test_late_decision_of_an_older_reading_does_not_touch_the_wait_parked_since(self, state: State) -> None:
        old = state.waits.park(a_wait(token="first"))
        state.waits.close(state.waits.decide(old, DONE))
        new = state.waits.park(a_wait(token="second"))
        answer = state.waits.decide(old, Outcome(error="LaunchFailedError"))
        assert answer.token == "first"
        assert state.waits.of(SCOPE, "mig-1") == (new,)

    def test_deciding_a_closed_wait_brings_nothing_back(self, state: State) -> None:
        wait = state.waits.park(a_wait())
        state.waits.close(state.waits.decide(wait, DONE))
        assert state.waits.decide(wait, DONE).outcome == DONE
        assert state.waits.of(SCOPE, "mig-1") == ()

    def test_waits_of_other_names_and_migrations_stand_apart(self, state: State) -> None:
        waits = [a_wait("boot-test"), a_wait("launch-test"), a_wait("boot-test", "mig-2")]
        for wait in waits:
            state.waits.park(wait)
        assert state.waits.of(SCOPE, "mig-1") == tuple(waits[:2])
        assert state.waits.of(SCOPE, "mig-2") == (waits[2],)


class TestAmending:
    def test_fields_of_an_open_wait_are_set(self, state: State) -> None:
        wait = state.waits.park(ASKING)
        assert state.waits.amend(wait, {"job_id": JOB_ID, "deadline": JOB_END})
        assert state.waits.of(SCOPE, "mig-1") == (wait.model_copy(update={"job_id": JOB_ID, "deadline": JOB_END}),)

    def test_changes_of_older_readings_add_up(self, state: State) -> None:
        wait = state.waits.park(ASKING)
        assert state.waits.amend(wait, {"job_id": JOB_ID})
        assert state.waits.amend(wait, {"signals": (a_signal(),)})
        (amended,) = state.waits.of(SCOPE, "mig-1")
        assert (amended.watched_job, amended.signals) == (JOB_ID, (a_signal(),))

    def test_decision_of_an_older_reading_keeps_what_was_amended_since(self, state: State) -> None:
        wait = state.waits.park(ASKING)
        state.waits.amend(wait, {"job_id": JOB_ID})
        decided = state.waits.decide(wait, DONE)
        assert (decided.watched_job, decided.outcome) == (JOB_ID, DONE)
        assert state.waits.of(SCOPE, "mig-1") == (decided,)

    def test_decided_wait_is_not_amended(self, state: State) -> None:
        wait = state.waits.park(ASKING)
        decided = state.waits.decide(wait, DONE)
        assert not state.waits.amend(wait, {"job_id": JOB_ID})
        assert state.waits.of(SCOPE, "mig-1") == (decided,)

    def test_closed_wait_is_not_brought_back(self, state: State) -> None:
        wait = state.waits.park(ASKING)
        state.waits.close(wait)
        assert not state.waits.amend(wait, {"job_id": JOB_ID})
        assert state.waits.of(SCOPE, "mig-1") == ()

    def test_wait_parked_again_is_not_amended_through_the_old_one(self, state: State) -> None:
        old = state.waits.park(ASKING)
        new = state.waits.park(ASKING.model_copy(update={"token": "second"}))
        assert not state.waits.amend(old, {"job_id": JOB_ID})
        assert state.waits.of(SCOPE, "mig-1") == (new,)

    def test_of_rivals_at_once_none_undoes_another(self, state: State) -> None:
        wait = state.waits.park(ASKING)
        changes: list[dict[str, object]] = [
            {"job_id": JOB_ID},
            {"deadline": JOB_END},
            {"signals": (a_signal(),)},
            {"instance_id": "i-11111111111111111"},
        ]
        assert at_once([lambda each=each: state.waits.amend(wait, each) for each in changes]) == [True] * 4  # type: ignore[misc]
        (amended,) = state.waits.of(SCOPE, "mig-1")
        assert amended == wait.model_copy(update={name: value for each in changes for name, value in each.items()})

    @pytest.mark.parametrize("turn", range(3))
    def test_job_given_while_the_wait_is_decided_leaves_one_outcome(self, state: State, turn: int) -> None:
        wait = state.waits.park(ASKING)
        amended, decided = at_once(
            [lambda: state.waits.amend(wait, {"job_id": JOB_ID}), lambda: state.waits.decide(wait, DONE)]
        )
        (left,) = state.waits.of(SCOPE, "mig-1")
        assert isinstance(decided, Wait)
        assert left.outcome == decided.outcome == DONE
        assert (left.watched_job is not None) is amended


END = NOON + timedelta(days=1)


def names(waits: Iterable[Wait]) -> list[str]:
    return [wait.migration_id for wait in waits]


def park_at(state: State, *seconds: int) -> list[Wait]:
    """Park one migration after another, each at its second after noon; the number is its name."""
    return [state.waits.park(a_wait(migration_id=str(n), parked_at=NOON + timedelta(seconds=n))) for n in seconds]


class TestLanes:
    def test_parked_wait_is_due_at_once_and_the_oldest_first(self, state: State) -> None:
        park_at(state, 3, 1, 2)
        assert names(state.waits.in_lanes(SCOPE, DUE, due(NOON + timedelta(seconds=2)), 10)) == ["1", "2"]
        assert names(state.waits.in_lanes(SCOPE, DUE, due(END), 2)) == ["1", "2"]
        assert state.waits.in_lanes(TARGET_SCOPE, DUE, due(END), 10) == []

    def test_filed_wait_is_found_in_its_lane_and_nowhere_else(self, state: State) -> None:
        first, second = park_at(state, 1, 2)
        assert state.waits.file(first, BOOTING)
        assert names(state.waits.in_lanes(SCOPE, DUE, due(END), 10)) == ["2"]
        assert names(state.waits.in_lanes(SCOPE, BOOTING, BOOTING, 10)) == ["1"]
        assert [wait.lane for wait in state.waits.open(SCOPE)] == [BOOTING, second.lane]

    def test_lane_of_one_job_holds_none_of_another_whose_id_it_begins(self, state: State) -> None:
        for wait, job in zip(park_at(state, 1, 2), ("mgnjob-1", "mgnjob-10"), strict=True):
            state.waits.file(wait, of_job(job))
        assert names(state.waits.in_lanes(SCOPE, of_job("mgnjob-1"), of_job("mgnjob-1"), 10)) == ["1"]

    def test_lanes_in_use_are_found_one_after_another(self, state: State) -> None:
        for wait, job in zip(park_at(state, 1, 2, 3), ("mgnjob-1", "mgnjob-1", "mgnjob-2"), strict=True):
            state.waits.file(wait, of_job(job))
        last = of_job("~")
        assert state.waits.next_lane(SCOPE, OF_JOB, last) == of_job("mgnjob-1")
        assert state.waits.next_lane(SCOPE, of_job("mgnjob-1"), last) == of_job("mgnjob-2")
        assert state.waits.next_lane(SCOPE, of_job("mgnjob-2"), last) is None

    def test_what_was_changed_since_it_was_read_stays_where_that_put_it(self, state: State) -> None:
        (read,) = park_at(state, 1)
        state.waits.amend(read, {"signals": (a_signal(),), "lane": due(END)})
        assert not state.waits.file(read, BOOTING)
        assert names(state.waits.in_lanes(SCOPE, due(END), due(END), 10)) == ["1"]

    def test_closed_wait_is_in_no_lane_and_is_not_filed(self, state: State) -> None:
        (wait,) = park_at(state, 1)
        state.waits.close(wait)
        assert not state.waits.file(wait, BOOTING)
        assert state.waits.next_lane(SCOPE, "", "~") is None

    def test_wait_parked_again_is_due_again(self, state: State) -> None:
        (wait,) = park_at(state, 1)
        state.waits.file(wait, BOOTING)
        state.waits.park(wait.model_copy(update={"token": "second", "parked_at": END, "lane": None}))
        assert state.waits.in_lanes(SCOPE, BOOTING, BOOTING, 10) == []
        assert names(state.waits.in_lanes(SCOPE, due(END), due(END), 10)) == ["1"]

    def test_wait_is_parked_in_the_lane_it_names(self, state: State) -> None:
        state.waits.park(a_wait(lane=BOOTING))
        assert len(state.waits.in_lanes(SCOPE, BOOTING, BOOTING, 10)) == 1
        assert state.waits.in_lanes(SCOPE, DUE, due(END), 10) == []

    def test_of_rivals_that_file_a_wait_one_does_and_it_is_in_one_lane(self, state: State) -> None:
        (wait,) = park_at(state, 1)
        filed = at_once([lambda n=n: state.waits.file(wait, of_job(str(n))) for n in range(5)])  # type: ignore[misc]
        assert filed.count(True) == 1
        assert len(state.waits.in_lanes(SCOPE, "", "~", 10)) == 1


class TestPages:
    def test_pages_hold_every_wait_once(self, state: State) -> None:
        park_at(state, *range(5))
        first, start = state.waits.page(SCOPE, None, 2)
        second, start = state.waits.page(SCOPE, start, 2)
        third, start = state.waits.page(SCOPE, start, 2)
        assert [names(first), names(second), names(third), start] == [["0", "1"], ["2", "3"], ["4"], None]

    def test_page_goes_on_although_the_wait_it_would_begin_with_was_closed(self, state: State) -> None:
        waits = park_at(state, 1, 2, 3)
        _, start = state.waits.page(SCOPE, None, 1)
        state.waits.close(waits[1])
        assert names(state.waits.page(SCOPE, start, 5)[0]) == ["3"]

    def test_waits_are_read_by_name_and_unknown_ones_left_out(self, state: State) -> None:
        waits = park_at(state, 1, 2, 3)
        asked = [("1", waits[0].name), ("3", waits[2].name), ("4", "none"), ("1", waits[0].name)]
        assert state.waits.those(SCOPE, asked) == {("1", waits[0].name): waits[0], ("3", waits[2].name): waits[2]}
