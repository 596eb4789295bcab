"""The HTTP door: its routes, and what goes in and comes out beside the request itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from runtime.models.base import Moment, Payload, Reason, Stored
from runtime.models.decisions import Decision
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.models.request import CorrelationId, Gate, MigrationId, MigrationRequest
from runtime.models.status import MigrationStatus
from runtime.models.text import OneLine

PAGE = 50
LONGEST_PAGE = 200


class Accepted(Payload):
    """A request was accepted; `Location` says where the migration is found."""

    migration_id: MigrationId
    correlation_id: CorrelationId
    status: MigrationStatus


class DecisionBody(Payload):
    """A decision on the migration in the path."""

    decision: Decision
    gate: Gate | None = Field(default=None, description="Which gate approve and reject are about.")
    by: Annotated[str, Field(min_length=1, max_length=256), OneLine()] = Field(description="Name of who decides.")
    reason: Annotated[Reason, OneLine()] = ""


class Decided(Payload):
    """What became of a decision."""

    result: str


class MigrationSummary(Stored):
    """One migration in a list."""

    migration_id: MigrationId
    correlation_id: CorrelationId
    app_name: str
    environment: str
    wave: str
    source_vm_id: str
    source_server_id: str | None = None
    status: MigrationStatus
    reason: Reason = ""
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: MigrationRecord) -> "MigrationSummary":
        """The summary of a record."""
        request = record.request
        return cls(
            migration_id=record.migration_id,
            correlation_id=record.correlation_id,
            app_name=request.app_name,
            environment=request.environment,
            wave=request.wave,
            source_vm_id=request.source_vm_id,
            source_server_id=record.source_server_id,
            status=record.status,
            reason=record.reason,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )


class MigrationList(Stored):
    """Some migrations, and where the others begin."""

    migrations: tuple[MigrationSummary, ...]
    next: str | None = Field(default=None, description="Ask again with it for those that follow; None: these were all.")


class Journal(Stored):
    """Every line of a migration's history, in sequence."""

    entries: tuple[JournalEntry, ...]


class Problem(Payload):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="The field, its value and what to do, where it is one.")


class ListQuery(Payload):
    """Which migrations to list; one of wave, application and status is needed."""

    wave: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    application: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    status: MigrationStatus | None = None
    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE)] = PAGE
    next: Annotated[str, StringConstraints(max_length=512)] | None = None


class Right(StrEnum):
    """Which of the stage's policies for people lets a caller use a route."""

    SEND = "send"
    DECIDE = "decide"
    READ = "read"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation of the door: the gateway, its policies, the handler and the OpenAPI document follow from it."""

    name: str
    method: str
    path: str
    summary: str
    right: Right
    success: int
    answer: type[Accepted | Decided | MigrationRecord | MigrationList | Journal]
    body: type[MigrationRequest | DecisionBody] | None = None
    query: type[ListQuery] | None = None
    refusals: tuple[int, ...] = ()
    """Beside those any route may have: 400, 403, 429 and 5xx."""


SUBMIT = Route(
    name="submitMigration",
    method="POST",
    path="/migrations",
    summary="Migrate one server; the same request again has the same answer.",
    right=Right.SEND,
    success=202,
    answer=Accepted,
    body=MigrationRequest,
    refusals=(409,),
)
SUBMIT_TEST = Route(
    name="submitTest",
    method="POST",
    path="/migrations/test",
    summary="Migrate one server as far as a verified and cleaned-up test launch: the request's mode is test.",
    right=Right.SEND,
    success=202,
    answer=Accepted,
    body=MigrationRequest,
    refusals=(409,),
)
LIST = Route(
    name="listMigrations",
    method="GET",
    path="/migrations",
    summary="List migrations of a wave, an application or a status.",
    right=Right.READ,
    success=200,
    answer=MigrationList,
    query=ListQuery,
)
SHOW = Route(
    name="showMigration",
    method="GET",
    path="/migrations/{migrationId}",
    summary="Show one migration.",
    right=Right.READ,
    success=200,
    answer=MigrationRecord,
    refusals=(404,),
)
HISTORY = Route(
    name="showJournal",
    method="GET",
    path="/migrations/{migrationId}/journal",
    summary="Show the journal of one migration.",
    right=Right.READ,
    success=200,
    answer=Journal,
    refusals=(404,),
)
DECIDE = Route(
    name="decide",
    method="POST",
    path="/migrations/{migrationId}/decisions",
    summary="Approve, reject, cancel or release one migration.",
    right=Right.DECIDE,
    success=202,
    answer=Decided,
    body=DecisionBody,
    refusals=(404, 409),
)

ROUTES = (SUBMIT, SUBMIT_TEST, LIST, SHOW, HISTORY, DECIDE)
