"""What every MigrationStore does with the dispatcher's state of an account and Region, and many records at once."""

from datetime import timedelta

import pytest

from runtime.errors import RecordChangedError
from runtime.logic.ports import State
from runtime.models.dispatch import Batch, Dispatch, Member, StartedJob
from runtime.models.record import LaunchKind
from tests.builders import JOB_ID, NOON, SCOPE, SERVER_ID, TARGET_SCOPE, a_record, an_entry
from tests.contract.rivals import at_once

FRESH = Dispatch(scope=SCOPE)
MEMBER = Member(migration_id="mig-1", wait="launch-test", source_server_id=SERVER_ID)
BATCH = Batch(launch_id="launch-1", kind=LaunchKind.TEST, members=(MEMBER,), attempted_at=NOON)


class TestDispatch:
    def test_scope_never_dispatched_has_a_fresh_state(self, store: State) -> None:
        assert store.dispatches.state(SCOPE) == FRESH

    def test_what_was_saved_is_read_back_with_the_next_version(self, store: State) -> None:
        recent = StartedJob(job_id=JOB_ID, servers=3, started_at=NOON)
        wanted = Dispatch(scope=SCOPE, in_flight=BATCH, recent=(recent,), job_seconds=600.5)
        saved = store.dispatches.save(wanted)
        assert saved == wanted.model_copy(update={"version": 1})
        assert store.dispatches.state(SCOPE) == saved

    def test_batch_is_taken_out_again(self, store: State) -> None:
        saved = store.dispatches.save(FRESH.model_copy(update={"in_flight": BATCH}))
        store.dispatches.save(saved.model_copy(update={"in_flight": None}))
        assert store.dispatches.state(SCOPE) == Dispatch(scope=SCOPE, version=2)

    def test_scopes_stand_apart(self, store: State) -> None:
        store.dispatches.save(FRESH.model_copy(update={"in_flight": BATCH}))
        assert store.dispatches.state(TARGET_SCOPE) == Dispatch(scope=TARGET_SCOPE)
        assert store.dispatches.save(Dispatch(scope=TARGET_SCOPE)).version == 1

    @pytest.mark.parametrize("saves", [1, 2])
    def test_older_reading_is_refused_and_changes_nothing(self, store: State, saves: int) -> None:
        old = latest = store.dispatches.state(SCOPE)
        for _ in range(saves):
            latest = store.dispatches.save(latest)
        with pytest.raises(RecordChangedError, match="another dispatcher is at work"):
            store.dispatches.save(old.model_copy(update={"in_flight": BATCH}))
        assert store.dispatches.state(SCOPE) == latest

    def test_reading_from_the_future_is_refused(self, store: State) -> None:
        with pytest.raises(RecordChangedError):
            store.dispatches.save(FRESH.model_copy(update={"version": 1}))
        assert store.dispatches.state(SCOPE) == FRESH

    @pytest.mark.parametrize("version", [0, 1])
    def test_of_ten_dispatchers_one_goes_on(self, store: State, version: int) -> None:
        read = store.dispatches.save(FRESH) if version else FRESH
        batches = [BATCH.model_copy(update={"launch_id": f"launch-{n}"}) for n in range(10)]
        rivals = [read.model_copy(update={"in_flight": batch}) for batch in batches]
        results = at_once([lambda rival=rival: store.dispatches.save(rival) for rival in rivals])  # type: ignore[misc]
        (winner,) = [result for result in results if isinstance(result, Dispatch)]
        assert store.dispatches.state(SCOPE) == winner


class TestLooks:
    def test_scope_never_looked_at_has_no_last_look(self, store: State) -> None:
        assert store.dispatches.last_look(SCOPE) is None

    def test_last_look_is_remembered_to_the_microsecond(self, store: State) -> None:
        store.dispatches.looked(SCOPE, NOON)
        later = NOON + timedelta(microseconds=1)
        store.dispatches.looked(SCOPE, later)
        assert store.dispatches.last_look(SCOPE) == later
        assert store.dispatches.last_look(TARGET_SCOPE) is None

    def test_looks_are_no_waits_and_no_dispatch(self, store: State) -> None:
        store.dispatches.looked(SCOPE, NOON)
        store.dispatches.save(FRESH)
        assert list(store.waits.open(SCOPE)) == []
        assert store.dispatches.last_look(SCOPE) == NOON


class TestSweeps:
    def test_sweeps_are_counted_from_one(self, store: State) -> None:
        assert [store.dispatches.count_sweep() for _ in range(3)] == [1, 2, 3]

    def test_of_ten_sweeps_at_once_each_has_its_number(self, store: State) -> None:
        assert sorted(at_once([store.dispatches.count_sweep] * 10)) == list(range(1, 11))  # type: ignore[type-var]


class TestManyRecords:
    def test_known_ones_are_found_and_unknown_ones_left_out(self, store: State) -> None:
        records = {name: a_record(name) for name in ("mig-1", "mig-2", "mig-3")}
        for record in records.values():
            store.migrations.append(record, an_entry(record))
        assert store.migrations.records_of(["mig-3", "mig-9", "mig-1"]) == {n: records[n] for n in ("mig-1", "mig-3")}

    def test_one_named_twice_is_found_once(self, store: State) -> None:
        store.migrations.append(a_record(), an_entry(a_record()))
        assert store.migrations.records_of(["mig-1", "mig-1"]) == {"mig-1": a_record()}

    def test_none_asked_is_none_found(self, store: State) -> None:
        assert store.migrations.records_of([]) == {}

    def test_two_hundred_and_five_are_found_at_once(self, store: State) -> None:
        names = [f"mig-{number}" for number in range(205)]
        for name in names:
            store.migrations.append(a_record(name), an_entry(a_record(name)))
        assert list(sorted(store.migrations.records_of(names))) == sorted(names)
