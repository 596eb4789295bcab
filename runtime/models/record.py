"""What the state table keeps of a migration: its record, its journal, the lock on its server; and rejections."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runtime.models.base import Moment, Reason, Stored
from runtime.models.decisions import SenderId, Signal
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.request import CorrelationId, Gate, MigrationId, MigrationRequest, Phase
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus


class LaunchKind(StrEnum):
    """The MGN calls that start a job."""

    TEST = "test"
    CUTOVER = "cutover"
    TERMINATE = "terminate"

    @property
    def phase(self) -> Phase:
        """The phase a launch belongs to; raises ValueError for a terminate."""
        return Phase(self.value)


RELEASED_BY = "released by "
"""How the reason of a release begins."""

LAUNCHING_STATUS = {
    LaunchKind.TEST: MigrationStatus.TEST_LAUNCHING,
    LaunchKind.CUTOVER: MigrationStatus.CUTOVER_LAUNCHING,
}
"""The only status in which a launch may be started."""


class Launch(Stored):
    """One launch of one server. `launch_id` tags the MGN job, which may hold other migrations' servers too."""

    launch_id: str
    job_id: str
    instance_id: str | None = None
    verified: bool = False


class Patience(StrEnum):
    """Which budget a step that tries again and again uses up."""

    CHECKS = "checks"
    COMMANDS = "commands"


class Pending(Stored):
    """What keeps a step from going on, and since when. It says so once for each status and budget."""

    status: MigrationStatus
    patience: Patience
    since: Moment


class Facts(Stored):
    """What was learned of a migration: a journal entry adds to the record, and absent fields change nothing."""

    request: MigrationRequest | None = None
    requester: SenderId | None = Field(default=None, description="Who AWS says sent the request.")
    required_gates: tuple[Gate, ...] | None = Field(
        default=None, description="Gates the stage required when the route was chosen, whatever the request asks for."
    )
    approvals: tuple[Signal, ...] | None = Field(default=None, description="The decisions that opened gates so far.")
    execution: str | None = None
    scope: Scope | None = None
    source_server_id: str | None = None
    lifecycle_before: str | None = None
    launch_template: LaunchTemplateRef | None = None
    test_launch: Launch | None = None
    cutover_launch: Launch | None = None
    undo_launch: Launch | None = None
    undo_rounds: int | None = None
    commands: dict[str, str] | None = Field(default=None, description="SSM command ids by what they are for.")
    commands_intended: dict[str, Moment] | None = Field(
        default=None, description="When each SSM command was about to be sent, written before it is."
    )
    pending: Pending | None = None
    extended_until: Moment | None = Field(
        default=None, description="The deadline of what it waits for, once it moved because nobody had looked."
    )
    failure: Reason | None = None
    released_at: Moment | None = Field(default=None, description="When a person gave a frozen migration's server back.")
    expires_at: int | None = Field(default=None, description="Epoch second after which DynamoDB may delete the item.")

    @classmethod
    def of_launch(cls, kind: LaunchKind, launch: Launch) -> "Facts":
        """The fact that this launch was started."""
        match kind:
            case LaunchKind.TEST:
                return Facts(test_launch=launch)
            case LaunchKind.CUTOVER:
                return Facts(cutover_launch=launch)
            case LaunchKind.TERMINATE:
                return Facts(undo_launch=launch)


class JournalEntry(Stored):
    """One append-only line of a migration's history (I8). The record is the fold of its entries."""

    migration_id: MigrationId
    sequence: Annotated[int, Field(ge=1)]
    correlation_id: CorrelationId
    from_status: MigrationStatus | None = None
    to_status: MigrationStatus
    at: Moment
    actor: str
    reason: Reason
    facts: Facts = Field(default_factory=Facts)

    @property
    def changes_status(self) -> bool:
        return self.from_status is not self.to_status


class MigrationRecord(Facts):
    """The current state of one migration; always equal to the fold of its journal."""

    migration_id: MigrationId
    correlation_id: CorrelationId
    status: MigrationStatus
    sequence: int
    request: MigrationRequest
    created_at: Moment
    updated_at: Moment
    reason: Reason = ""

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates of this migration: those its request asks for and those its stage requires."""
        approval = self.request.approval
        asked = {Gate.CUTOVER: approval.cutover, Gate.FINALIZE: approval.finalize}
        return tuple(gate for gate in Gate if asked[gate] or gate in (self.required_gates or ()))

    @property
    def is_released(self) -> bool:
        """Frozen, and settled by a person since; 0.1.0 told so in the reason alone."""
        told = self.released_at is not None or self.reason.startswith(RELEASED_BY)
        return self.status is MigrationStatus.FROZEN and told

    def launch(self, kind: LaunchKind | Phase) -> Launch | None:
        """The launch of this kind that was started for the migration."""
        match LaunchKind(kind):
            case LaunchKind.TEST:
                return self.test_launch
            case LaunchKind.CUTOVER:
                return self.cutover_launch
            case LaunchKind.TERMINATE:
                return self.undo_launch


class Position(Stored):
    """A place in a list of migrations: that of this one as it was then."""

    migration_id: MigrationId
    status: MigrationStatus
    updated_at: Moment

    @classmethod
    def of(cls, record: MigrationRecord) -> "Position":
        """The place of a record now."""
        return cls(migration_id=record.migration_id, status=record.status, updated_at=record.updated_at)


class Lock(Stored):
    """One active migration per source server (I2)."""

    scope: Scope
    source_server_id: str
    owner: MigrationId
    since: Moment
    reason: str


class Rejection(Stored):
    """A message that could not become a migration; the body itself stays in the dead-letter queue."""

    message_id: str
    at: Moment
    reason: Reason
    migration_id: str | None = None
    correlation_id: str | None = None
    sender: SenderId | None = Field(default=None, description="Who AWS says sent it.")
    body_digest: str
    body_excerpt: str
    expires_at: int
