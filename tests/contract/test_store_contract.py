"""What every MigrationStore does: the fake and the DynamoDB adapter pass the same suite."""

from datetime import timedelta

import pytest

from runtime.errors import RecordChangedError
from runtime.logic.ports import State
from runtime.models.record import MigrationRecord
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


def accept(store: State, record: MigrationRecord | None = None) -> MigrationRecord:
    record = record or a_record()
    store.migrations.append(record, an_entry(record))
    return record


def after(record: MigrationRecord, status: MigrationStatus, **changes: object) -> MigrationRecord:
    return record.model_copy(update={"status": status, "sequence": record.sequence + 1, "updated_at": LATER, **changes})


class TestRecordAndJournal:
    def test_unknown_migration_has_neither_record_nor_journal(self, store: State) -> None:
        assert store.migrations.record("mig-1") is None
        assert store.migrations.journal("mig-1") == ()

    def test_what_was_appended_is_read_back(self, store: State) -> None:
        record = accept(store)
        assert store.migrations.record("mig-1") == record
        assert store.migrations.journal("mig-1") == (an_entry(record),)

    def test_journal_keeps_its_order_beyond_nine_entries(self, store: State) -> None:
        record = accept(store)
        for _ in range(11):
            record = after(record, MigrationStatus.VALIDATING)
            store.migrations.append(record, an_entry(record))
        assert [entry.sequence for entry in store.migrations.journal("mig-1")] == list(range(1, 13))

    def test_second_first_entry_is_refused(self, store: State) -> None:
        accept(store)
        with pytest.raises(RecordChangedError):
            accept(store)

    def test_entry_that_skips_one_is_refused_and_leaves_nothing(self, store: State) -> None:
        record = accept(store)
        ahead = record.model_copy(update={"sequence": 3})
        with pytest.raises(RecordChangedError):
            store.migrations.append(ahead, an_entry(ahead))
        assert store.migrations.record("mig-1") == record
        assert len(store.migrations.journal("mig-1")) == 1

    def test_ten_writers_of_one_sequence_have_one_winner(self, store: State) -> None:
        record = accept(store)
        rivals = [after(record, MigrationStatus.VALIDATING, reason=f"writer {n}") for n in range(10)]
        results = at_once([lambda rival=rival: store.migrations.append(rival, an_entry(rival)) for rival in rivals])  # type: ignore[misc]
        assert sum(result is None for result in results) == 1
        winner = rivals[[result is None for result in results].index(True)]
        assert store.migrations.record("mig-1") == winner
        assert [entry.reason for entry in store.migrations.journal("mig-1")] == ["accepted", winner.reason]

    def test_last_entry_drops_the_lock_with_it(self, store: State) -> None:
        record = accept(store)
        store.migrations.lock(a_lock())
        end = after(record, MigrationStatus.REJECTED)
        store.migrations.append(end, an_entry(end), unlock=a_lock())
        assert store.migrations.lock_of(SCOPE, SERVER_ID) is None

    def test_refused_entry_keeps_the_lock(self, store: State) -> None:
        record = accept(store)
        store.migrations.lock(a_lock())
        with pytest.raises(RecordChangedError):
            store.migrations.append(record, an_entry(record), unlock=a_lock())
        assert store.migrations.lock_of(SCOPE, SERVER_ID) == a_lock()

    @pytest.mark.parametrize("holder", [None, "mig-2"])
    def test_end_is_written_even_when_the_lock_is_not_ours(self, store: State, holder: str | None) -> None:
        record = accept(store)
        if holder:
            store.migrations.lock(a_lock(holder))
        end = after(record, MigrationStatus.FROZEN)
        store.migrations.append(end, an_entry(end), unlock=a_lock())
        assert store.migrations.record("mig-1") == end
        held = store.migrations.lock_of(SCOPE, SERVER_ID)
        assert (held.owner if held else None) == holder


class TestLists:
    def test_by_status_oldest_change_first(self, store: State) -> None:
        for name, minute in (("mig-b", 2), ("mig-a", 1), ("mig-c", 3)):
            accept(store, a_record(name, updated_at=NOON + timedelta(minutes=minute)))
        accept(store, a_record("mig-d", status=MigrationStatus.COMPLETED))
        found = store.migrations.find(status=MigrationStatus.RECEIVED)
        assert [record.migration_id for record in found] == ["mig-a", "mig-b", "mig-c"]

    def test_whole_seconds_sort_before_their_fractions(self, store: State) -> None:
        accept(store, a_record("mig-later", updated_at=NOON + timedelta(milliseconds=500)))
        accept(store, a_record("mig-sooner", updated_at=NOON))
        found = store.migrations.find(status=MigrationStatus.RECEIVED)
        assert [record.migration_id for record in found] == ["mig-sooner", "mig-later"]

    def test_by_wave_application_and_status(self, store: State) -> None:
        for name, wave, application, status in (
            ("mig-1", "w1", "billing", MigrationStatus.RECEIVED),
            ("mig-2", "w1", "crm", MigrationStatus.COMPLETED),
            ("mig-3", "w2", "billing", MigrationStatus.COMPLETED),
        ):
            accept(store, a_record(name, request=a_request(name, wave=wave, app_name=application), status=status))

        def ids(**filters: object) -> set[str]:
            return {record.migration_id for record in store.migrations.find(**filters)}  # type: ignore[arg-type]

        assert ids() == {"mig-1", "mig-2", "mig-3"}
        assert ids(wave="w1") == {"mig-1", "mig-2"}
        assert ids(application="billing") == {"mig-1", "mig-3"}
        assert ids(wave="w1", application="crm") == {"mig-2"}
        assert ids(wave="w1", status=MigrationStatus.RECEIVED) == {"mig-1"}
        assert ids(application="billing", status=MigrationStatus.COMPLETED) == {"mig-3"}
        assert ids(wave="w3") == set()

    def test_a_move_leaves_the_old_status(self, store: State) -> None:
        moved = after(accept(store), MigrationStatus.VALIDATING)
        store.migrations.append(moved, an_entry(moved))
        assert list(store.migrations.find(status=MigrationStatus.RECEIVED)) == []
        assert list(store.migrations.find(status=MigrationStatus.VALIDATING)) == [moved]

    def test_message_is_rejected_once(self, store: State) -> None:
        assert store.migrations.reject(a_rejection())
        assert not store.migrations.reject(a_rejection(reason="other"))
        assert list(store.migrations.rejections()) == [a_rejection()]

    def test_rejections_are_no_migrations(self, store: State) -> None:
        record = accept(store)
        store.migrations.reject(a_rejection())
        assert list(store.migrations.find()) == [record]
        assert list(store.migrations.rejections()) == [a_rejection()]


class TestLocks:
    def test_first_owner_holds_the_server(self, store: State) -> None:
        assert store.migrations.lock(a_lock("mig-1")) == a_lock("mig-1")
        assert store.migrations.lock(a_lock("mig-2")) == a_lock("mig-1")
        assert store.migrations.lock_of(SCOPE, SERVER_ID) == a_lock("mig-1")

    def test_owner_may_lock_again(self, store: State) -> None:
        store.migrations.lock(a_lock())
        assert store.migrations.lock(a_lock(reason="frozen")) == a_lock(reason="frozen")
        assert store.migrations.lock_of(SCOPE, SERVER_ID) == a_lock(reason="frozen")

    def test_other_servers_and_scopes_are_free(self, store: State) -> None:
        store.migrations.lock(a_lock("mig-1"))
        elsewhere = a_lock("mig-2", scope="111122223333#eu-west-1")
        assert store.migrations.lock(a_lock("mig-2", OTHER_SERVER_ID)).owner == "mig-2"
        assert store.migrations.lock(elsewhere) == elsewhere

    def test_only_the_owner_unlocks(self, store: State) -> None:
        store.migrations.lock(a_lock("mig-1"))
        store.migrations.unlock(a_lock("mig-2"))
        assert store.migrations.lock_of(SCOPE, SERVER_ID) == a_lock("mig-1")
        store.migrations.unlock(a_lock("mig-1"))
        assert store.migrations.lock_of(SCOPE, SERVER_ID) is None
        store.migrations.unlock(a_lock("mig-1"))

    def test_ten_migrations_of_one_server_agree_on_one(self, store: State) -> None:
        locks = [a_lock(f"mig-{n}") for n in range(10)]
        held = at_once([lambda lock=lock: store.migrations.lock(lock) for lock in locks])  # type: ignore[misc]
        assert len({lock.owner for lock in held if not isinstance(lock, Exception)}) == 1
