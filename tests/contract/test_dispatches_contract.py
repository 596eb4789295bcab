"""What every Dispatches does: the fake and the DynamoDB adapter."""

from datetime import timedelta

import pytest

from runtime.errors import RecordChangedError
from runtime.logic.ports import State
from runtime.models.dispatch import Batch, Dispatch, Looked, Member, StartedJob
from runtime.models.record import LaunchKind
from tests.builders import JOB_ID, NOON, SCOPE, SERVER_ID, TARGET_SCOPE
from tests.contract.rivals import at_once

FRESH = Dispatch(scope=SCOPE)
MEMBER = Member(migration_id="mig-1", wait="launch-test", source_server_id=SERVER_ID)
BATCH = Batch(launch_id="launch-1", kind=LaunchKind.TEST, members=(MEMBER,), attempted_at=NOON)


class TestBeginnings:
    def test_sender_has_as_many_in_a_minute_as_it_may_and_others_have_theirs(self, state: State) -> None:
        begun = [state.dispatches.begins("AROA1:eve", 7, below=2) for _ in range(3)]
        assert begun == [True, True, False]
        assert state.dispatches.begins("AROA1:ada", 7, below=2)
        assert state.dispatches.begins("AROA1:eve", 8, below=2)

    def test_ten_at_once_get_no_more_turns_than_there_are(self, state: State) -> None:
        begun = at_once([lambda: state.dispatches.begins("AROA1:eve", 7, below=4) for _ in range(10)])
        assert begun.count(True) == 4


class TestDispatch:
    def test_scope_never_dispatched_has_a_fresh_state(self, state: State) -> None:
        assert state.dispatches.state(SCOPE) == FRESH

    def test_what_was_saved_is_read_back_with_the_next_version(self, state: State) -> None:
        recent = StartedJob(job_id=JOB_ID, servers=3, started_at=NOON)
        wanted = Dispatch(scope=SCOPE, in_flight=BATCH, recent=(recent,), job_seconds=600.5)
        saved = state.dispatches.save(wanted)
        assert saved == wanted.model_copy(update={"version": 1})
        assert state.dispatches.state(SCOPE) == saved

    def test_batch_is_taken_out_again(self, state: State) -> None:
        saved = state.dispatches.save(FRESH.model_copy(update={"in_flight": BATCH}))
        state.dispatches.save(saved.model_copy(update={"in_flight": None}))
        assert state.dispatches.state(SCOPE) == Dispatch(scope=SCOPE, version=2)

    def test_scopes_stand_apart(self, state: State) -> None:
        state.dispatches.save(FRESH.model_copy(update={"in_flight": BATCH}))
        assert state.dispatches.state(TARGET_SCOPE) == Dispatch(scope=TARGET_SCOPE)
        assert state.dispatches.save(Dispatch(scope=TARGET_SCOPE)).version == 1

    @pytest.mark.parametrize("saves", [1, 2])
    def test_older_reading_is_refused_and_changes_nothing(self, state: State, saves: int) -> None:
        old = latest = state.dispatches.state(SCOPE)
        for _ in range(saves):
            latest = state.dispatches.save(latest)
        with pytest.raises(RecordChangedError, match="another dispatcher is at work"):
            state.dispatches.save(old.model_copy(update={"in_flight": BATCH}))
        assert state.dispatches.state(SCOPE) == latest

    def test_reading_from_the_future_is_refused(self, state: State) -> None:
        with pytest.raises(RecordChangedError):
            state.dispatches.save(FRESH.model_copy(update={"version": 1}))
        assert state.dispatches.state(SCOPE) == FRESH

    @pytest.mark.parametrize("version", [0, 1])
    def test_of_ten_dispatchers_one_goes_on(self, state: State, version: int) -> None:
        read = state.dispatches.save(FRESH) if version else FRESH
        batches = [BATCH.model_copy(update={"launch_id": f"launch-{n}"}) for n in range(10)]
        rivals = [read.model_copy(update={"in_flight": batch}) for batch in batches]
        results = at_once([lambda rival=rival: state.dispatches.save(rival) for rival in rivals])  # type: ignore[misc]
        (winner,) = [result for result in results if isinstance(result, Dispatch)]
        assert state.dispatches.state(SCOPE) == winner


class TestLooks:
    def test_scope_never_looked_at_has_no_last_look(self, state: State) -> None:
        assert state.dispatches.last_look(SCOPE) == Looked()

    def test_last_look_is_remembered_to_the_microsecond(self, state: State) -> None:
        state.dispatches.looked(SCOPE, Looked(at=NOON))
        later = Looked(at=NOON + timedelta(microseconds=1), page="mig-1#boot", turns={"a": 7}, is_behind=True)
        state.dispatches.looked(SCOPE, later)
        assert state.dispatches.last_look(SCOPE) == later
        assert state.dispatches.last_look(TARGET_SCOPE) == Looked()

    def test_looks_are_no_waits_and_no_dispatch(self, state: State) -> None:
        state.dispatches.looked(SCOPE, Looked(at=NOON))
        state.dispatches.save(FRESH)
        assert list(state.waits.open(SCOPE)) == []
        assert state.dispatches.last_look(SCOPE) == Looked(at=NOON)


class TestSweeps:
    def test_sweeps_are_counted_from_one(self, state: State) -> None:
        assert [state.dispatches.count_sweep() for _ in range(3)] == [1, 2, 3]

    def test_of_ten_sweeps_at_once_each_has_its_number(self, state: State) -> None:
        assert sorted(at_once([state.dispatches.count_sweep] * 10)) == list(range(1, 11))  # type: ignore[type-var]
