"""Migrations in the state table: records, journals, locks on servers, rejections."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from runtime.adapters.state import items
from runtime.adapters.state.documents import Report, read, readable
from runtime.adapters.state.table import (
    ABSENT,
    CONDITION_FAILED,
    ROUNDS,
    Condition,
    StateTable,
    TransactionRefusedError,
    absent_or,
    equals,
)
from runtime.errors import RecordChangedError
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Position, Rejection
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.models.table import JOURNAL_PREFIX, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, Index

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class DynamoDbMigrations:
    """A record and its journal are written in one transaction."""

    def __init__(self, table: StateTable, report: Report) -> None:
        self._table = table
        self._report = report

    def record(self, migration_id: str) -> MigrationRecord | None:
        item = self._table.get(items.key(items.migration_key(migration_id), items.RECORD))
        return read(item, MigrationRecord.from_json) if item else None

    def journal(self, migration_id: str) -> tuple[JournalEntry, ...]:
        found = self._table.partition(items.migration_key(migration_id), JOURNAL_PREFIX)
        return tuple(read(item, JournalEntry.from_json) for item in found)

    def entry(self, migration_id: str, sequence: int) -> JournalEntry | None:
        item = self._table.get(items.key(items.migration_key(migration_id), items.journal_key(sequence)))
        return read(item, JournalEntry.from_json) if item else None

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

    def find(
        self,
        *,
        status: MigrationStatus | None = None,
        wave: str | None = None,
        application: str | None = None,
        after: Position | None = None,
        since: datetime | None = None,
    ) -> Iterable[MigrationRecord]:
        if wave is None and application is None:
            if status is not None:
                return self._records(Index.STATUS_TIME, status, after=after, since=since)
            return self._every_record(since)
        if wave is not None:
            found = self._records(Index.WAVE_STATUS, wave, status, after)
        else:
            found = self._records(Index.APPLICATION_STATUS, application or "", status, after)
        return (
            record
            for record in found
            if application in (None, record.request.app_name) and (since is None or record.updated_at >= since)
        )

    def records_of(self, migration_ids: Sequence[str]) -> dict[str, MigrationRecord]:
        keys = [items.key(items.migration_key(id_), items.RECORD) for id_ in dict.fromkeys(migration_ids)]
        found = readable(self._table.get_all(keys), MigrationRecord.from_json, self._report)
        return {record.migration_id: record for record in found}

    def reject(self, rejection: Rejection) -> bool:
        return self._table.put(items.rejection_item(rejection), ABSENT)

    def rejections(self, *, since: datetime | None = None) -> Iterable[Rejection]:
        found = self._table.index(Index.STATUS_TIME, items.REJECTED_MESSAGE, since=_sort_key(since))
        return readable(found, Rejection.from_json, self._report)

    def rejections_of(self, message_ids: Sequence[str]) -> Iterable[Rejection]:
        keys = [items.key(items.rejection_key(id_), items.RECORD) for id_ in dict.fromkeys(message_ids)]
        return readable(self._table.get_all(keys), Rejection.from_json, self._report)

    def lock(self, lock: Lock) -> Lock:
        for _ in range(ROUNDS):
            if self._table.put(items.lock_item(lock), absent_or(equals(items.OWNER, lock.owner))):
                return lock
            if held := self.lock_of(lock.scope, lock.source_server_id):
                return held
        raise RecordChangedError(f"the lock of {lock.source_server_id} changes hands too fast")

    def lock_of(self, scope: Scope, source_server_id: str) -> Lock | None:
        item = self._table.get(items.key(items.lock_key(scope, source_server_id), items.LOCK))
        return read(item, Lock.from_json) if item else None

    def unlock(self, lock: Lock) -> None:
        self._table.delete(_lock_key(lock), equals(items.OWNER, lock.owner))

    def _records(
        self,
        index: Index,
        partition: str,
        sort: str | None = None,
        after: Position | None = None,
        since: datetime | None = None,
    ) -> Iterator[MigrationRecord]:
        start = items.index_key(index, partition, after) if after else None
        found = self._table.index(index, partition, sort, start, since=_sort_key(since))
        return readable(found, MigrationRecord.from_json, self._report)

    def _every_record(self, since: datetime | None) -> Iterator[MigrationRecord]:
        # In the order migrations move, so that one moving meanwhile is met twice rather than missed.
        seen: set[str] = set()
        for status in MigrationStatus:
            for record in self._records(Index.STATUS_TIME, status, since=since):
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
            for prefix in (items.SIGNAL_PREFIX, items.REFUSED_PREFIX)
            for item in self._table.partition(partition, prefix)
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


def _sort_key(moment: datetime | None) -> str | None:
    return None if moment is None else items.sortable(moment)


def _lock_key(lock: Lock) -> "items.Item":
    return items.key(items.lock_key(lock.scope, lock.source_server_id), items.LOCK)
