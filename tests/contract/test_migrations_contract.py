"""What every Migrations does: the fake and the DynamoDB adapter pass the same suite."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.errors import RecordChangedError
from runtime.logic.ports import State
from runtime.models.record import MigrationRecord, Position
from runtime.models.status import MigrationStatus
from tests.builders import (
    NOON,
    OTHER_SERVER_ID,
    SCOPE,
    SERVER_ID,
    a_lock,
    a_record,
    a_rejection,
    a_request,
    an_entry,
)
from tests.contract.rivals import at_once

LATER = NOON + timedelta(minutes=5)


def accept(state: State, record: MigrationRecord | None = None) -> MigrationRecord:
    record = record or a_record()
    state.migrations.append(record, an_entry(record))
    return record


def after(record: MigrationRecord, status: MigrationStatus, **changes: object) -> MigrationRecord:
    return record.model_copy(update={"status": status, "sequence": record.sequence + 1, "updated_at": LATER, **changes})


class TestRecordAndJournal:
    def test_unknown_migration_has_neither_record_nor_journal(self, state: State) -> None:
        assert state.migrations.record("mig-1") is None
        assert state.migrations.journal("mig-1") == ()
        assert state.migrations.entry("mig-1", 1) is None

    def test_what_was_appended_is_read_back(self, state: State) -> None:
        record = accept(state)
        assert state.migrations.record("mig-1") == record
        assert state.migrations.journal("mig-1") == (an_entry(record),)

    def test_journal_keeps_its_order_beyond_nine_entries(self, state: State) -> None:
        record = accept(state)
        for _ in range(11):
            record = after(record, MigrationStatus.VALIDATING)
            state.migrations.append(record, an_entry(record))
        assert [entry.sequence for entry in state.migrations.journal("mig-1")] == list(range(1, 13))

    def test_entry_is_found_by_its_number_and_only_what_was_appended(self, state: State) -> None:
        record = accept(state)
        later = after(record, MigrationStatus.VALIDATING)
        state.migrations.append(later, an_entry(later))
        assert state.migrations.entry("mig-1", 2) == an_entry(later)
        assert [state.migrations.entry("mig-1", number) for number in (-1, 0, 3)] == [None] * 3

    def test_second_first_entry_is_refused(self, state: State) -> None:
        accept(state)
        with pytest.raises(RecordChangedError):
            accept(state)

    def test_entry_that_skips_one_is_refused_and_leaves_nothing(self, state: State) -> None:
        record = accept(state)
        ahead = record.model_copy(update={"sequence": 3})
        with pytest.raises(RecordChangedError):
            state.migrations.append(ahead, an_entry(ahead))
        assert state.migrations.record("mig-1") == record
        assert len(state.migrations.journal("mig-1")) == 1

    def test_ten_writers_of_one_sequence_have_one_winner(self, state: State) -> None:
        record = accept(state)
        rivals = [after(record, MigrationStatus.VALIDATING, reason=f"writer {n}") for n in range(10)]
        results = at_once([lambda rival=rival: state.migrations.append(rival, an_entry(rival)) for rival in rivals])  # type: ignore[misc]
        assert sum(result is None for result in results) == 1
        winner = rivals[[result is None for result in results].index(True)]
        assert state.migrations.record("mig-1") == winner
        assert [entry.reason for entry in state.migrations.journal("mig-1")] == ["accepted", winner.reason]

    def test_last_entry_drops_the_lock_with_it(self, state: State) -> None:
        record = accept(state)
        state.migrations.lock(a_lock())
        end = after(record, MigrationStatus.REJECTED)
        state.migrations.append(end, an_entry(end), unlock=a_lock())
        assert state.migrations.lock_of(SCOPE, SERVER_ID) is None

    def test_refused_entry_keeps_the_lock(self, state: State) -> None:
        record = accept(state)
        state.migrations.lock(a_lock())
        with pytest.raises(RecordChangedError):
            state.migrations.append(record, an_entry(record), unlock=a_lock())
        assert state.migrations.lock_of(SCOPE, SERVER_ID) == a_lock()

    @pytest.mark.parametrize("holder", [None, "mig-2"])
    def test_end_is_written_even_when_the_lock_is_not_ours(self, state: State, holder: str | None) -> None:
        record = accept(state)
        if holder:
            state.migrations.lock(a_lock(holder))
        end = after(record, MigrationStatus.FROZEN)
        state.migrations.append(end, an_entry(end), unlock=a_lock())
        assert state.migrations.record("mig-1") == end
        held = state.migrations.lock_of(SCOPE, SERVER_ID)
        assert (held.owner if held else None) == holder


class TestLists:
    def test_by_status_oldest_change_first(self, state: State) -> None:
        for name, minute in (("mig-b", 2), ("mig-a", 1), ("mig-c", 3)):
            accept(state, a_record(name, updated_at=NOON + timedelta(minutes=minute)))
        accept(state, a_record("mig-d", status=MigrationStatus.COMPLETED))
        found = state.migrations.find(status=MigrationStatus.RECEIVED)
        assert [record.migration_id for record in found] == ["mig-a", "mig-b", "mig-c"]

    def test_whole_seconds_sort_before_their_fractions(self, state: State) -> None:
        accept(state, a_record("mig-later", updated_at=NOON + timedelta(milliseconds=500)))
        accept(state, a_record("mig-sooner", updated_at=NOON))
        found = state.migrations.find(status=MigrationStatus.RECEIVED)
        assert [record.migration_id for record in found] == ["mig-sooner", "mig-later"]

    def test_by_wave_application_and_status(self, state: State) -> None:
        for name, wave, application, status in (
            ("mig-1", "w1", "billing", MigrationStatus.RECEIVED),
            ("mig-2", "w1", "crm", MigrationStatus.COMPLETED),
            ("mig-3", "w2", "billing", MigrationStatus.COMPLETED),
        ):
            accept(state, a_record(name, request=a_request(name, wave=wave, app_name=application), status=status))

        def ids(**filters: object) -> set[str]:
            return {record.migration_id for record in state.migrations.find(**filters)}  # type: ignore[arg-type]

        assert ids() == {"mig-1", "mig-2", "mig-3"}
        assert ids(wave="w1") == {"mig-1", "mig-2"}
        assert ids(application="billing") == {"mig-1", "mig-3"}
        assert ids(wave="w1", application="crm") == {"mig-2"}
        assert ids(wave="w1", status=MigrationStatus.RECEIVED) == {"mig-1"}
        assert ids(application="billing", status=MigrationStatus.COMPLETED) == {"mig-3"}
        assert ids(wave="w3") == set()

    @pytest.mark.parametrize(
        "filters",
        [
            {"wave": "1"},
            {"application": "billing"},
            {"status": MigrationStatus.RECEIVED},
            {"wave": "1", "status": MigrationStatus.RECEIVED},
        ],
        ids=str,
    )
    def test_goes_on_after_a_place_in_the_list(self, state: State, filters: dict[str, Any]) -> None:
        for number in range(4):
            accept(state, a_record(f"mig-{number}", updated_at=NOON + timedelta(minutes=number)))
        every = list(state.migrations.find(**filters))
        assert len(every) == 4
        for number, record in enumerate(every, start=1):
            assert list(state.migrations.find(**filters, after=Position.of(record))) == every[number:]

    @pytest.mark.parametrize(
        "filters", [{}, {"status": MigrationStatus.VALIDATING}, {"wave": "1"}, {"application": "billing"}], ids=str
    )
    def test_those_that_changed_since_a_moment(self, state: State, filters: dict[str, Any]) -> None:
        for number, at in enumerate((NOON, LATER)):
            accept(state, a_record(f"mig-{number}", status=MigrationStatus.VALIDATING, updated_at=at))
        found = state.migrations.find(since=LATER, **filters)
        assert [record.migration_id for record in found] == ["mig-1"]
        assert len(list(state.migrations.find(since=NOON, **filters))) == 2

    def test_a_move_leaves_the_old_status(self, state: State) -> None:
        moved = after(accept(state), MigrationStatus.VALIDATING)
        state.migrations.append(moved, an_entry(moved))
        assert list(state.migrations.find(status=MigrationStatus.RECEIVED)) == []
        assert list(state.migrations.find(status=MigrationStatus.VALIDATING)) == [moved]

    def test_message_is_rejected_once(self, state: State) -> None:
        assert state.migrations.reject(a_rejection())
        assert not state.migrations.reject(a_rejection(reason="other"))
        assert list(state.migrations.rejections()) == [a_rejection()]

    def test_rejections_are_found_by_their_messages(self, state: State) -> None:
        rejections = [a_rejection(f"m-{n}") for n in range(3)]
        for rejection in rejections:
            state.migrations.reject(rejection)
        found = state.migrations.rejections_of(["m-0", "m-2", "m-9", "m-0"])
        assert {one.message_id for one in found} == {"m-0", "m-2"}
        assert list(state.migrations.rejections_of([])) == []

    def test_rejections_since_a_moment(self, state: State) -> None:
        for name, at in (("m-0", NOON), ("m-1", LATER)):
            state.migrations.reject(a_rejection(name, at=at))
        assert [one.message_id for one in state.migrations.rejections(since=LATER)] == ["m-1"]
        assert len(list(state.migrations.rejections(since=NOON))) == 2

    def test_rejections_are_no_migrations(self, state: State) -> None:
        record = accept(state)
        state.migrations.reject(a_rejection())
        assert list(state.migrations.find()) == [record]
        assert list(state.migrations.rejections()) == [a_rejection()]


class TestLocks:
    def test_first_owner_holds_the_server(self, state: State) -> None:
        assert state.migrations.lock(a_lock("mig-1")) == a_lock("mig-1")
        assert state.migrations.lock(a_lock("mig-2")) == a_lock("mig-1")
        assert state.migrations.lock_of(SCOPE, SERVER_ID) == a_lock("mig-1")

    def test_owner_may_lock_again(self, state: State) -> None:
        state.migrations.lock(a_lock())
        assert state.migrations.lock(a_lock(reason="frozen")) == a_lock(reason="frozen")
        assert state.migrations.lock_of(SCOPE, SERVER_ID) == a_lock(reason="frozen")

    def test_other_servers_and_scopes_are_free(self, state: State) -> None:
        state.migrations.lock(a_lock("mig-1"))
        elsewhere = a_lock("mig-2", scope="111122223333#eu-west-1")
        assert state.migrations.lock(a_lock("mig-2", OTHER_SERVER_ID)).owner == "mig-2"
        assert state.migrations.lock(elsewhere) == elsewhere

    def test_only_the_owner_unlocks(self, state: State) -> None:
        state.migrations.lock(a_lock("mig-1"))
        state.migrations.unlock(a_lock("mig-2"))
        assert state.migrations.lock_of(SCOPE, SERVER_ID) == a_lock("mig-1")
        state.migrations.unlock(a_lock("mig-1"))
        assert state.migrations.lock_of(SCOPE, SERVER_ID) is None
        state.migrations.unlock(a_lock("mig-1"))

    def test_ten_migrations_of_one_server_agree_on_one(self, state: State) -> None:
        locks = [a_lock(f"mig-{n}") for n in range(10)]
        held = at_once([lambda lock=lock: state.migrations.lock(lock) for lock in locks])  # type: ignore[misc]
        assert len({lock.owner for lock in held if not isinstance(lock, Exception)}) == 1


class TestManyRecords:
    def test_known_ones_are_found_and_unknown_ones_left_out(self, state: State) -> None:
        records = {name: a_record(name) for name in ("mig-1", "mig-2", "mig-3")}
        for record in records.values():
            state.migrations.append(record, an_entry(record))
        assert state.migrations.records_of(["mig-3", "mig-9", "mig-1"]) == {n: records[n] for n in ("mig-1", "mig-3")}

    def test_one_named_twice_is_found_once(self, state: State) -> None:
        state.migrations.append(a_record(), an_entry(a_record()))
        assert state.migrations.records_of(["mig-1", "mig-1"]) == {"mig-1": a_record()}

    def test_none_asked_is_none_found(self, state: State) -> None:
        assert state.migrations.records_of([]) == {}

    def test_two_hundred_and_five_are_found_at_once(self, state: State) -> None:
        names = [f"mig-{number}" for number in range(205)]
        for name in names:
            state.migrations.append(a_record(name), an_entry(a_record(name)))
        assert list(sorted(state.migrations.records_of(names))) == sorted(names)
