"""Moves of a migration: each is one journal entry, and the record is the fold of its entries (I8)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from runtime.errors import IllegalMoveError
from runtime.logic.ports import Ports
from runtime.models.record import Facts, JournalEntry, Lock, MigrationRecord
from runtime.models.request import MigrationRequest
from runtime.models.status import MOVES, MigrationStatus

REASON_LIMIT = 2048


def begin(
    request: MigrationRequest, *, correlation_id: str, at: datetime, requester: str | None = None
) -> tuple[MigrationRecord, JournalEntry]:
    """The first entry of a migration and the record it makes."""
    entry = JournalEntry(
        migration_id=request.migration_id,
        sequence=1,
        correlation_id=correlation_id,
        from_status=None,
        to_status=MigrationStatus.RECEIVED,
        at=at,
        actor="ingress_handler",
        reason="accepted",
        facts=Facts(request=request, requester=requester),
    )
    return apply(None, entry), entry


def apply(record: MigrationRecord | None, entry: JournalEntry) -> MigrationRecord:
    """The record after `entry`."""
    facts = _told(entry.facts)
    changes = {"status": entry.to_status, "sequence": entry.sequence, "updated_at": entry.at, "reason": entry.reason}
    if record is not None:
        return record.model_copy(update={**facts, **changes})
    return MigrationRecord.model_validate(
        {
            "migration_id": entry.migration_id,
            "correlation_id": entry.correlation_id,
            "created_at": entry.at,
            **facts,
            **changes,
        }
    )


def rebuild(entries: Iterable[JournalEntry]) -> MigrationRecord | None:
    """The record its journal adds up to; None for an empty journal."""
    record: MigrationRecord | None = None
    for entry in entries:
        record = apply(record, entry)
    return record


def move(
    ports: Ports,
    record: MigrationRecord,
    to_status: MigrationStatus,
    *,
    actor: str,
    reason: str,
    facts: Facts | None = None,
    unlock: Lock | None = None,
) -> MigrationRecord:
    """Write one move and give back the record after it. A step that runs again moves nothing twice.

    Raises IllegalMoveError, and RecordChangedError when another writer was first.
    """
    facts = facts or Facts()
    if record.status is to_status and not _is_news(record, facts):
        return record
    if record.status is not to_status and to_status not in MOVES[record.status]:
        raise IllegalMoveError(f"{record.migration_id}: {record.status} may not become {to_status} ({reason})")
    at = ports.now()
    if to_status.is_terminal:
        facts = facts.model_copy(
            update={"expires_at": int((at + timedelta(days=ports.budgets.retention_days)).timestamp())}
        )
    entry = JournalEntry(
        migration_id=record.migration_id,
        sequence=record.sequence + 1,
        correlation_id=record.correlation_id,
        from_status=record.status,
        to_status=to_status,
        at=at,
        actor=actor,
        reason=reason[:REASON_LIMIT],
        facts=facts,
    )
    after = apply(record, entry)
    ports.migrations.append(after, entry, unlock=unlock)
    return after


def note(ports: Ports, record: MigrationRecord, facts: Facts, *, actor: str, reason: str) -> MigrationRecord:
    """Journal facts without a change of status."""
    return move(ports, record, record.status, actor=actor, reason=reason, facts=facts)


def lock_held_by(record: MigrationRecord, *, at: datetime) -> Lock | None:
    """The lock this migration holds on its server, to be dropped with its last move."""
    if record.scope is None or record.source_server_id is None:
        return None
    return Lock(
        scope=record.scope,
        source_server_id=record.source_server_id,
        owner=record.migration_id,
        since=at,
        reason="ended",
    )


def is_needed(lock: Lock, owner: MigrationRecord | None) -> bool:
    """Whether a lock still keeps its server for its owner, whose record is None once it has expired.

    A lock is taken before the journal names its server: a migration that ends in between, even FROZEN, has touched
    nothing and cannot drop it.
    """
    if owner is None:
        return False
    is_frozen_with_it = owner.status is MigrationStatus.FROZEN and owner.source_server_id == lock.source_server_id
    return is_frozen_with_it or not owner.status.is_terminal


def _is_news(record: MigrationRecord, facts: Facts) -> bool:
    return any(value != getattr(record, name) for name, value in _told(facts).items())


def _told(facts: Facts) -> dict[str, object]:
    return {name: value for name in facts.model_fields_set if (value := getattr(facts, name)) is not None}
