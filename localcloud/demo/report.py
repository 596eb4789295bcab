"""The demo's report: what became of every message, and whether the invariants held."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from runtime.models.record import JournalEntry, MigrationRecord, Rejection
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True
    )


class PhaseReport(_Part):
    """One status and how long it lasted."""

    status: MigrationStatus
    started: datetime
    ended: datetime | None
    seconds: float


class MigrationReport(_Part):
    """One migration's end and how it came to it."""

    id: str
    status: MigrationStatus
    expected: str | None
    reason: str
    correlation_id: str
    app_name: str
    wave: str
    scope: Scope | None
    source_server_id: str | None
    phases: tuple[PhaseReport, ...]


class RejectionReport(_Part):
    """One message that could not become a migration."""

    message_id: str
    reason: str


class Invariant(_Part):
    """Whether an invariant of the design held, and how that was seen."""

    held: bool
    how: str


class Report(_Part):
    """Everything `make demo` writes to report.json."""

    started: datetime
    seconds: float
    auth: bool
    steps: dict[str, float]
    migrations: tuple[MigrationReport, ...]
    rejections: tuple[RejectionReport, ...]
    invariants: dict[str, Invariant]

    @property
    def surprises(self) -> tuple[str, ...]:
        """Migrations that did not end as their sender expected."""
        return tuple(f"{m.id}: {m.status}, not {m.expected}" for m in self.migrations if m.status != m.expected)

    @property
    def broken(self) -> tuple[str, ...]:
        """Invariants that did not hold."""
        return tuple(f"{name}: {invariant.how}" for name, invariant in self.invariants.items() if not invariant.held)


def migration_report(record: MigrationRecord, journal: Sequence[JournalEntry], expected: str | None) -> MigrationReport:
    """One migration, its phases read off its journal."""
    return MigrationReport(
        id=record.migration_id,
        status=record.status,
        expected=expected,
        reason=record.reason,
        correlation_id=record.correlation_id,
        app_name=record.request.app_name,
        wave=record.request.wave,
        scope=record.scope,
        source_server_id=record.source_server_id,
        phases=_phases(journal),
    )


def rejection_report(rejection: Rejection) -> RejectionReport:
    """One stored rejection."""
    return RejectionReport(message_id=rejection.message_id, reason=rejection.reason)


def _phases(journal: Sequence[JournalEntry]) -> tuple[PhaseReport, ...]:
    changes = [entry for entry in journal if entry.changes_status]
    ends: list[datetime | None] = [entry.at for entry in changes[1:]]
    return tuple(
        PhaseReport(
            status=entry.to_status,
            started=entry.at,
            ended=end,
            seconds=round((end - entry.at).total_seconds(), 3) if end else 0.0,
        )
        for entry, end in zip(changes, [*ends, None], strict=True)
    )
