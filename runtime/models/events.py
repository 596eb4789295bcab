"""Events on the migration bus. `detail_type` is used by the publisher and by the rules alike."""

from typing import Annotated, ClassVar

from pydantic import Field

from runtime.models.base import Moment, Payload, Reason, Stored
from runtime.models.decisions import Decision
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.models.request import CorrelationId, Gate, MigrationId
from runtime.models.status import MigrationStatus
from runtime.models.text import OneLine

SOURCE = "migration.orchestrator"
"""The `source` of every event the pipeline publishes."""

REQUEST_DETAIL_TYPE = "MigrationRequest"
"""Detail type under which producers put a MigrationRequest on the bus, from any source but ours."""


class BusEvent(Payload):
    """A fact on the migration bus."""

    detail_type: ClassVar[str]

    migration_id: MigrationId
    correlation_id: CorrelationId


class MigrationRequested(BusEvent):
    """An accepted request; starts one execution."""

    detail_type = "MigrationRequested"

    app_name: str
    wave: str


class StatusEvent(BusEvent):
    """A change of status; also the body of callbacks."""

    sequence: int = Field(description="Position in the migration's journal; orders events and names them for dedup.")
    app_name: str
    wave: str
    environment: str
    source_server_id: str | None = None
    from_status: MigrationStatus | None = None
    to_status: MigrationStatus
    at: Moment
    actor: str
    reason: Reason


class MigrationStatusChanged(StatusEvent):
    """Every change of status."""

    detail_type = "MigrationStatusChanged"


class ChangeRef(Stored):
    """What is believed of a change of status that comes from a queue: which journal entry tells of it."""

    migration_id: MigrationId
    sequence: int


class MigrationCompleted(StatusEvent):
    """The end COMPLETED."""

    detail_type = "MigrationCompleted"


class MigrationFailed(StatusEvent):
    """Any other end."""

    detail_type = "MigrationFailed"


class ApprovalRequested(StatusEvent):
    """A person has to open a gate."""

    detail_type = "ApprovalRequested"


class MigrationSignal(Payload):
    """A decision sent to a migration by a person or a system; arrives from any source but ours."""

    detail_type: ClassVar[str] = "MigrationSignal"

    migration_id: MigrationId
    decision: Decision
    gate: Gate | None = None
    by: Annotated[str, Field(min_length=1, max_length=256), OneLine()]
    reason: Annotated[Reason, OneLine()] = ""


def status_events(record: MigrationRecord, entry: JournalEntry) -> tuple[StatusEvent, ...]:
    """The events one journal entry gives rise to; none when the status stayed."""
    if not entry.changes_status:
        return ()
    kinds: list[type[StatusEvent]] = [MigrationStatusChanged]
    if entry.to_status is MigrationStatus.COMPLETED:
        kinds.append(MigrationCompleted)
    elif entry.to_status.is_terminal:
        kinds.append(MigrationFailed)
    elif entry.to_status is MigrationStatus.AWAITING_APPROVAL:
        kinds.append(ApprovalRequested)
    return tuple(
        kind(
            migration_id=entry.migration_id,
            correlation_id=entry.correlation_id,
            sequence=entry.sequence,
            app_name=record.request.app_name,
            wave=record.request.wave,
            environment=record.request.environment,
            source_server_id=record.source_server_id,
            from_status=entry.from_status,
            to_status=entry.to_status,
            at=entry.at,
            actor=entry.actor,
            reason=entry.reason,
        )
        for kind in kinds
    )
