"""What the state table keeps: migrations, their journals, waits, signals, locks and rejections."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runtime.models.base import Moment, Payload, Reason
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.request import CorrelationId, Gate, MigrationId, MigrationRequest, Phase
from runtime.models.status import MigrationStatus


class Launch(Payload):
    """One launch of one server. `launch_id` tags the MGN job, which may hold other migrations' servers too."""

    launch_id: str
    job_id: str
    instance_id: str | None = None
    verified: bool = False


class Facts(Payload):
    """What a journal entry adds to the record; absent fields change nothing."""

    request: MigrationRequest | None = None
    execution: str | None = None
    scope: str | None = None
    source_server_id: str | None = None
    lifecycle_before: str | None = None
    launch_template: LaunchTemplateRef | None = None
    test_launch: Launch | None = None
    cutover_launch: Launch | None = None
    undo_launch: Launch | None = None
    undo_rounds: int | None = None
    commands: dict[str, str] | None = Field(default=None, description="SSM command ids by what they are for.")
    failure: Reason | None = None
    expires_at: int | None = Field(default=None, description="Epoch second after which DynamoDB may delete the item.")


class JournalEntry(Payload):
    """One append-only line of a migration's history (I8). The record is the fold of its entries."""

    migration_id: MigrationId
    sequence: Annotated[int, Field(ge=1)]
    correlation_id: CorrelationId
    from_status: MigrationStatus | None = None
    to_status: MigrationStatus
    at: Moment
    actor: str
    reason: Reason
    facts: Facts = Facts()

    @property
    def changes_status(self) -> bool:
        return self.from_status is not self.to_status


class MigrationRecord(Payload):
    """The current state of one migration; always equal to the fold of its journal."""

    migration_id: MigrationId
    correlation_id: CorrelationId
    status: MigrationStatus
    sequence: int
    request: MigrationRequest
    created_at: Moment
    updated_at: Moment
    reason: Reason = ""
    execution: str | None = None
    scope: str | None = None
    source_server_id: str | None = None
    lifecycle_before: str | None = None
    launch_template: LaunchTemplateRef | None = None
    test_launch: Launch | None = None
    cutover_launch: Launch | None = None
    undo_launch: Launch | None = None
    undo_rounds: int | None = None
    commands: dict[str, str] | None = Field(default=None, description="SSM command ids by what they are for.")
    failure: Reason | None = None
    expires_at: int | None = None

    def launch(self, phase: Phase) -> Launch | None:
        return self.test_launch if phase is Phase.TEST else self.cutover_launch


class WaitKind(StrEnum):
    """What a parked step waits for."""

    REPLICATION = "replication"
    LAUNCH = "launch"
    BOOT = "boot"
    APPROVAL = "approval"
    WINDOW = "window"
    SOAK = "soak"
    UNDO = "undo"


class LaunchKind(StrEnum):
    """The MGN calls that start a job."""

    TEST = "test"
    CUTOVER = "cutover"
    TERMINATE = "terminate"

    @property
    def phase(self) -> Phase:
        """The phase a launch belongs to; raises ValueError for a terminate."""
        return Phase(self.value)


class LaunchIntent(Payload):
    """What a wait asks the dispatcher for. MGN's job quotas are shared, so no step starts a job by itself."""

    kind: LaunchKind
    wave: str
    not_after: Moment | None = Field(default=None, description="The end of the cutover window.")


class Progress(StrEnum):
    """How one round of the undo ended."""

    DONE = "done"
    AGAIN = "again"
    FROZEN = "frozen"


class Outcome(Payload):
    """How a wait ended. `error` is the class name Step Functions catches; None means it may go on."""

    error: str | None = None
    reason: Reason = ""
    progress: Progress | None = Field(default=None, description="Of an undo round.")


class Decision(StrEnum):
    """What a person or system says to a migration."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RELEASE = "release"


class Signal(Payload):
    """A decision, kept with who, when and why. A signal that comes before its wait is kept for it."""

    migration_id: MigrationId
    decision: Decision
    gate: Gate | None = None
    by: Annotated[str, Field(min_length=1, max_length=256)]
    reason: Reason = ""
    at: Moment

    @property
    def name(self) -> str:
        """Approve and reject of one gate share a name, so the first of them wins."""
        return f"{self.decision}" if self.gate is None else f"gate-{self.gate}"


class Wait(Payload):
    """A parked step: who waits, for what, until when. The task token counts as a secret."""

    migration_id: MigrationId
    name: str
    kind: WaitKind
    scope: str
    source_server_id: str
    parked_at: Moment
    deadline: Moment
    token: str = Field(repr=False)
    phase: Phase | None = None
    gate: Gate | None = None
    intent: LaunchIntent | None = None
    job_id: str | None = None
    instance_id: str | None = None
    not_before: Moment | None = None
    signals: tuple[Signal, ...] = ()
    outcome: Outcome | None = None

    def after(self, earlier: "Wait") -> "Wait":
        """This wait in the place of the one its step parked before it died: what became of that one still counts."""
        kept: dict[str, object] = {"outcome": earlier.outcome} if earlier.outcome else {}
        if self.job_id is None and earlier.job_id is not None:
            kept |= {"job_id": earlier.job_id, "deadline": earlier.deadline}
        return self.model_copy(update=kept)

    @property
    def cancel(self) -> Signal | None:
        """The decision that ends this wait whatever else holds; an undo that runs is not cancelled (I6)."""
        if self.kind is WaitKind.UNDO:
            return None
        return next((signal for signal in self.signals if signal.decision is Decision.CANCEL), None)

    @property
    def asks_for_launch(self) -> bool:
        """The dispatcher still owes this wait an MGN job."""
        return self.intent is not None and self.job_id is None and self.outcome is None and self.cancel is None


class Lock(Payload):
    """One active migration per source server (I2)."""

    scope: str
    source_server_id: str
    owner: MigrationId
    since: Moment
    reason: str


class Rejection(Payload):
    """A message that could not become a migration; the body itself stays in the dead-letter queue."""

    message_id: str
    at: Moment
    reason: Reason
    migration_id: str | None = None
    correlation_id: str | None = None
    body_digest: str
    body_excerpt: str
    expires_at: int
