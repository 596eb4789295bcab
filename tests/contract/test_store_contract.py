"""What every MigrationStore does: the fake and the DynamoDB adapter pass the same suite."""

from datetime import timedelta

import pytest

from runtime.errors import RecordChangedError
from runtime.logic.ports import MigrationStore
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


def accept(store: MigrationStore, record: MigrationRecord | None = None) -> MigrationRecord:
    record = record or a_record()
    store.append(record, an_entry(record))
    return record


def after(record: MigrationRecord, status: MigrationStatus, **changes: object) -> MigrationRecord:
    return record.model_copy(update={"status": status, "sequence": record.sequence + 1, "updated_at": LATER, **changes})


class TestRecordAndJournal:
    def test_unknown_migration_has_neither_record_nor_journal(self, store: MigrationStore) -> None:
        assert store.record("mig-1") is None
        assert store.journal("mig-1") == ()

    def test_what_was_appended_is_read_back(self, store: MigrationStore) -> None:
        record = accept(store)
        assert store.record("mig-1") == record
        assert store.journal("mig-1") == (an_entry(record),)

    def test_journal_keeps_its_order_beyond_nine_entries(self, store: MigrationStore) -> None:
        record = accept(store)
        for _ in range(11):
            record = after(record, MigrationStatus.VALIDATING)
            store.append(record, an_entry(record))
        assert [entry.sequence for entry in store.journal("mig-1")] == list(range(1, 13))

    def test_second_first_entry_is_refused(self, store: MigrationStore) -> None:
        accept(store)
        with pytest.raises(RecordChangedError):
            accept(store)

    def test_entry_that_skips_one_is_refused_and_leaves_nothing(self, store: MigrationStore) -> None:
        record = accept(store)
        ahead = record.model_copy(update={"sequence": 3})
        with pytest.raises(RecordChangedError):
            store.append(ahead, an_entry(ahead))
        assert store.record("mig-1") == record
        assert len(store.journal("mig-1")) == 1

    def test_ten_writers_of_one_sequence_have_one_winner(self, store: MigrationStore) -> None:
        record = accept(store)
        rivals = [after(record, MigrationStatus.VALIDATING, reason=f"writer {n}") for n in range(10)]
        results = at_once([lambda rival=rival: store.append(rival, an_entry(rival)) for rival in rivals])  # type: ignore[misc]
        assert sum(result is None for result in results) == 1
        winner = rivals[[result is None for result in results].index(True)]
        assert store.record("mig-1") == winner
        assert [entry.reason for entry in store.journal("mig-1")] == ["accepted", winner.reason]

    def test_last_entry_drops_the_lock_with_it(self, store: MigrationStore) -> None:
        record = accept(store)
        store.lock(a_lock())
        end = after(record, MigrationStatus.REJECTED)
        store.append(end, an_entry(end), unlock=a_lock())
        assert store.lock_of(SCOPE, SERVER_ID) is None

    def test_refused_entry_keeps_the_lock(self, store: MigrationStore) -> None:
        record = accept(store)
        store.lock(a_lock())
        with pytest.raises(RecordChangedError):
            store.append(record, an_entry(record), unlock=a_lock())
        assert store.lock_of(SCOPE, SERVER_ID) == a_lock()

    @pytest.mark.parametrize("holder", [None, "mig-2"])
    def test_end_is_written_even_when_the_lock_is_not_ours(self, store: MigrationStore, holder: str | None) -> None:
        record = accept(store)
        if holder:
            store.lock(a_lock(holder))
        end = after(record, MigrationStatus.FROZEN)
        store.append(end, an_entry(end), unlock=a_lock())
        assert store.record("mig-1") == end
        held = store.lock_of(SCOPE, SERVER_ID)
        assert (held.owner if held else None) == holder


class TestLists:
    def test_by_status_oldest_change_first(self, store: MigrationStore) -> None:
        for name, minute in (("mig-b", 2), ("mig-a", 1), ("mig-c", 3)):
            accept(store, a_record(name, updated_at=NOON + timedelta(minutes=minute)))
        accept(store, a_record("mig-d", status=MigrationStatus.COMPLETED))
        found = store.migrations(status=MigrationStatus.RECEIVED)
        assert [record.migration_id for record in found] == ["mig-a", "mig-b", "mig-c"]

    def test_whole_seconds_sort_before_their_fractions(self, store: MigrationStore) -> None:
        accept(store, a_record("mig-later", updated_at=NOON + timedelta(milliseconds=500)))
        accept(store, a_record("mig-sooner", updated_at=NOON))
        found = store.migrations(status=MigrationStatus.RECEIVED)
        assert [record.migration_id for record in found] == ["mig-sooner", "mig-later"]

    def test_by_wave_application_and_status(self, store: MigrationStore) -> None:
        for name, wave, application, status in (
            ("mig-1", "w1", "billing", MigrationStatus.RECEIVED),
            ("mig-2", "w1", "crm", MigrationStatus.COMPLETED),
            ("mig-3", "w2", "billing", MigrationStatus.COMPLETED),
        ):
            accept(store, a_record(name, request=a_request(name, wave=wave, app_name=application), status=status))

        def ids(**filters: object) -> set[str]:
            return {record.migration_id for record in store.migrations(**filters)}  # type: ignore[arg-type]

        assert ids() == {"mig-1", "mig-2", "mig-3"}
        assert ids(wave="w1") == {"mig-1", "mig-2"}
        assert ids(application="billing") == {"mig-1", "mig-3"}
        assert ids(wave="w1", application="crm") == {"mig-2"}
        assert ids(wave="w1", status=MigrationStatus.RECEIVED) == {"mig-1"}
        assert ids(application="billing", status=MigrationStatus.COMPLETED) == {"mig-3"}
        assert ids(wave="w3") == set()

    def test_a_move_leaves_the_old_status(self, store: MigrationStore) -> None:
        moved = after(accept(store), MigrationStatus.VALIDATING)
        store.append(moved, an_entry(moved))
        assert list(store.migrations(status=MigrationStatus.RECEIVED)) == []
        assert list(store.migrations(status=MigrationStatus.VALIDATING)) == [moved]

    def test_message_is_rejected_once(self, store: MigrationStore) -> None:
        assert store.reject(a_rejection())
        assert not store.reject(a_rejection(reason="other"))
        assert list(store.rejections()) == [a_rejection()]

    def test_rejections_are_no_migrations(self, store: MigrationStore) -> None:
        record = accept(store)
        store.reject(a_rejection())
        assert list(store.migrations()) == [record]
        assert list(store.rejections()) == [a_rejection()]


class TestLocks:
    def test_first_owner_holds_the_server(self, store: MigrationStore) -> None:
        assert store.lock(a_lock("mig-1")) == a_lock("mig-1")
        assert store.lock(a_lock("mig-2")) == a_lock("mig-1")
        assert store.lock_of(SCOPE, SERVER_ID) == a_lock("mig-1")

    def test_owner_may_lock_again(self, store: MigrationStore) -> None:
        store.lock(a_lock())
        assert store.lock(a_lock(reason="frozen")) == a_lock(reason="frozen")
        assert store.lock_of(SCOPE, SERVER_ID) == a_lock(reason="frozen")

    def test_other_servers_and_scopes_are_free(self, store: MigrationStore) -> None:
        store.lock(a_lock("mig-1"))
        elsewhere = a_lock("mig-2", scope="111122223333#eu-west-1")
        assert store.lock(a_lock("mig-2", OTHER_SERVER_ID)).owner == "mig-2"
        assert store.lock(elsewhere) == elsewhere

    def test_only_the_owner_unlocks(self, store: MigrationStore) -> None:
        store.lock(a_lock("mig-1"))
        store.unlock(a_lock("mig-2"))
        assert store.lock_of(SCOPE, SERVER_ID) == a_lock("mig-1")
        store.unlock(a_lock("mig-1"))
        assert store.lock_of(SCOPE, SERVER_ID) is None
        store.unlock(a_lock("mig-1"))

    def test_ten_migrations_of_one_server_agree_on_one(self, store: MigrationStore) -> None:
        locks = [a_lock(f"mig-{n}") for n in range(10)]
        held = at_once([lambda lock=lock: store.lock(lock) for lock in locks])  # type: ignore[misc]
        assert len({lock.owner for lock in held if not isinstance(lock, Exception)}) == 1
