"""The state table behind the MigrationStore port."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from runtime.adapters.state import items
from runtime.adapters.state.table import (
    ABSENT,
    CONDITION_FAILED,
    Condition,
    StateTable,
    TransactionRefusedError,
    absent_or,
    equals,
)
from runtime.errors import RecordChangedError
from runtime.models.dispatch import Dispatch
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Outcome, Rejection, Signal, Wait
from runtime.models.status import MigrationStatus
from runtime.models.table import DOCUMENT, JOURNAL_PREFIX, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, Index

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

ROUNDS = 10
"""How often a write lost to another writer is tried again; each round someone else got further."""


class DynamoDbMigrationStore:
    """The state table. Every list that comes through an index may lag the table by a moment."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._table = StateTable(client, table_name)

    def record(self, migration_id: str) -> MigrationRecord | None:
        item = self._table.get(items.key(items.migration_key(migration_id), items.RECORD))
        return MigrationRecord.from_json(items.document(item)) if item else None

    def journal(self, migration_id: str) -> tuple[JournalEntry, ...]:
        found = self._table.partition(items.migration_key(migration_id), JOURNAL_PREFIX)
        return tuple(JournalEntry.from_json(items.document(item)) for item in found)

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        before = ABSENT if entry.sequence == 1 else equals(items.SEQUENCE, entry.sequence - 1)
        writes = [
            self._put(items.record_item(record), before),
            self._put(items.journal_item(entry), ABSENT),
            *([self._delete_lock(unlock)] if unlock else []),
            *self._expiries(record, entry),
        ]
        try:
            self._table.write(writes)
        except TransactionRefusedError as refused:
            lost_the_lock = unlock is not None and refused.reasons[2] == CONDITION_FAILED
            others = refused.reasons[:2] + refused.reasons[3:] if unlock else refused.reasons
            if lost_the_lock and set(others) <= {"None"}:
                # The server went to another migration: nothing to drop, and the end must be written all the same (I7).
                return self.append(record, entry)
            raise RecordChangedError(
                f"{record.migration_id}: entry {entry.sequence} does not follow the stored record"
            ) from refused

    def migrations(
        self, *, status: MigrationStatus | None = None, wave: str | None = None, application: str | None = None
    ) -> Iterable[MigrationRecord]:
        if wave is not None:
            found = self._records(Index.WAVE_STATUS, wave, status)
            return (record for record in found if application in (None, record.request.app_name))
        if application is not None:
            return self._records(Index.APPLICATION_STATUS, application, status)
        if status is not None:
            return self._records(Index.STATUS_TIME, status)
        return self._every_record()

    def records_of(self, migration_ids: Sequence[str]) -> dict[str, MigrationRecord]:
        keys = [items.key(items.migration_key(id_), items.RECORD) for id_ in dict.fromkeys(migration_ids)]
        found = (MigrationRecord.from_json(items.document(item)) for item in self._table.get_all(keys))
        return {record.migration_id: record for record in found}

    def reject(self, rejection: Rejection) -> bool:
        return self._table.put(items.rejection_item(rejection), ABSENT)

    def rejections(self) -> Iterable[Rejection]:
        found = self._table.index(Index.STATUS_TIME, items.REJECTED_MESSAGE)
        return (Rejection.from_json(items.document(item)) for item in found)

    def lock(self, lock: Lock) -> Lock:
        for _ in range(ROUNDS):
            if self._table.put(items.lock_item(lock), absent_or(equals(items.OWNER, lock.owner))):
                return lock
            if held := self.lock_of(lock.scope, lock.source_server_id):
                return held
        raise RecordChangedError(f"the lock of {lock.source_server_id} changes hands too fast")

    def lock_of(self, scope: str, source_server_id: str) -> Lock | None:
        item = self._table.get(items.key(items.lock_key(scope, source_server_id), items.LOCK))
        return Lock.from_json(items.document(item)) if item else None

    def unlock(self, lock: Lock) -> None:
        self._table.delete(_lock_key(lock), equals(items.OWNER, lock.owner))

    def park(self, wait: Wait) -> Wait:
        for _ in range(ROUNDS):
            stored, text = self._stored(wait)
            parked = wait.after(stored) if stored else wait
            if self._table.put(items.wait_item(parked), equals(DOCUMENT, text) if stored else ABSENT):
                return parked
        raise _contended(wait)

    def waits(self, scope: str, migration_id: str) -> tuple[Wait, ...]:
        found = self._table.partition(items.scope_key(scope), items.wait_prefix(migration_id))
        return tuple(Wait.from_json(items.document(item)) for item in found)

    def open_waits(self, scope: str) -> Iterable[Wait]:
        found = self._table.partition(items.scope_key(scope), items.WAIT_PREFIX)
        return (Wait.from_json(items.document(item)) for item in found)

    def amend(self, wait: Wait, changes: Mapping[str, object]) -> bool:
        stored = self._change(wait, changes)
        return stored is not None and stored.outcome is None

    def decide(self, wait: Wait, outcome: Outcome) -> Wait:
        return self._change(wait, {"outcome": outcome}) or wait.model_copy(update={"outcome": outcome})

    def close(self, wait: Wait) -> None:
        stored, text = _as_read(wait)
        for _ in range(ROUNDS):
            if stored is None or stored.token != wait.token:
                return
            if self._table.delete(_wait_key(wait), equals(DOCUMENT, text)):
                return
            stored, text = self._stored(wait)
        raise _contended(wait)

    def dispatch(self, scope: str) -> Dispatch:
        item = self._table.get(items.key(items.scope_key(scope), items.DISPATCH))
        return Dispatch.from_json(items.document(item)) if item else Dispatch(scope=scope)

    def save_dispatch(self, state: Dispatch) -> Dispatch:
        written = state.model_copy(update={"version": state.version + 1})
        before = equals(items.VERSION, state.version) if state.version else ABSENT
        if not self._table.put(items.dispatch_item(written), before):
            raise RecordChangedError(f"another dispatcher is at work in {state.scope}")
        return written

    def looked(self, scope: str, at: datetime) -> None:
        self._table.put(items.look_item(scope, at), {})

    def last_look(self, scope: str) -> datetime | None:
        item = self._table.get(items.key(items.scope_key(scope), items.LAST_LOOK))
        return datetime.fromisoformat(items.document(item)) if item else None

    def count_sweep(self) -> int:
        return self._table.count(items.key(items.SWEEPS, items.COUNT), items.NUMBER)

    def signal(self, signal: Signal) -> bool:
        return self._table.put(items.signal_item(signal), ABSENT)

    def signals(self, migration_id: str) -> tuple[Signal, ...]:
        found = self._table.partition(items.migration_key(migration_id), items.SIGNAL_PREFIX)
        signals = (Signal.from_json(items.document(item)) for item in found)
        return tuple(sorted(signals, key=lambda signal: signal.at))

    def _records(self, index: Index, partition: str, sort: str | None = None) -> Iterator[MigrationRecord]:
        found = self._table.index(index, partition, sort)
        return (MigrationRecord.from_json(items.document(item)) for item in found)

    def _every_record(self) -> Iterator[MigrationRecord]:
        # In the order migrations move, so that one moving meanwhile is met twice rather than missed.
        seen: set[str] = set()
        for status in MigrationStatus:
            for record in self._records(Index.STATUS_TIME, status):
                if record.migration_id not in seen:
                    seen.add(record.migration_id)
                    yield record

    def _expiries(self, record: MigrationRecord, entry: JournalEntry) -> "Iterator[TransactWriteItemTypeDef]":
        """Once a migration has its end, everything it left goes with its record."""
        if record.expires_at is None:
            return
        partition = items.migration_key(record.migration_id)
        left = [items.key(partition, items.journal_key(sequence)) for sequence in range(1, entry.sequence)]
        left += [
            {PARTITION_KEY: item[PARTITION_KEY], SORT_KEY: item[SORT_KEY]}
            for item in self._table.partition(partition, items.SIGNAL_PREFIX)
        ]
        for key in left:
            yield {
                "Update": {
                    "TableName": self._table.name,
                    "Key": key,
                    "UpdateExpression": "SET #t = :t",
                    "ExpressionAttributeNames": {"#t": TTL_ATTRIBUTE},
                    "ExpressionAttributeValues": {":t": {"N": str(record.expires_at)}},
                }
            }

    def _put(self, item: "items.Item", condition: Condition) -> "TransactWriteItemTypeDef":
        return {"Put": {"TableName": self._table.name, "Item": item, **condition}}

    def _delete_lock(self, lock: Lock) -> "TransactWriteItemTypeDef":
        unowned = absent_or(equals(items.OWNER, lock.owner))
        return {"Delete": {"TableName": self._table.name, "Key": _lock_key(lock), **unowned}}

    def _change(self, wait: Wait, changes: Mapping[str, object]) -> Wait | None:
        """The undecided wait with these changes, or the decided one that stands; None when its step went on."""
        stored, text = _as_read(wait)
        for _ in range(ROUNDS):
            if stored is None or stored.token != wait.token:
                return None
            if stored.outcome is not None:
                return stored
            changed = stored.model_copy(update=changes)
            if self._table.put(items.wait_item(changed), equals(DOCUMENT, text)):
                return changed
            stored, text = self._stored(wait)
        raise _contended(wait)

    def _stored(self, wait: Wait) -> tuple[Wait | None, str]:
        """The wait as it is stored, and its text: one that an older release wrote may lack what this one would add."""
        item = self._table.get(_wait_key(wait))
        return (Wait.from_json(items.document(item)), items.document(item)) if item else (None, "")


def _as_read(wait: Wait) -> tuple[Wait | None, str]:
    # Usually the caller's wait is the stored one, word for word, so a first write needs no read before it.
    return wait, wait.to_json()


def _wait_key(wait: Wait) -> "items.Item":
    return items.key(items.scope_key(wait.scope), items.wait_key(wait))


def _lock_key(lock: Lock) -> "items.Item":
    return items.key(items.lock_key(lock.scope, lock.source_server_id), items.LOCK)


def _contended(wait: Wait) -> RecordChangedError:
    return RecordChangedError(f"{wait.migration_id}: others keep writing the wait {wait.name}")
