"""The waits of parked steps: what each kind waits for, and what it needs to be read before it can end."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from runtime.models.base import Moment, Reason, Stored
from runtime.models.decisions import Signal, cancellation
from runtime.models.mgn import Truth
from runtime.models.record import LaunchKind
from runtime.models.request import Gate, MigrationId, Phase
from runtime.models.scope import Scope
from runtime.models.text import STORED

EARLIER_KEYS = 4
"""A step that is tried for hours leaves hundreds of tokens. Only a try that is under way can still come late."""


class WaitKind(StrEnum):
    """What a parked step waits for."""

    REPLICATION = "replication"
    LAUNCH = "launch"
    BOOT = "boot"
    CHECK = "check"
    APPROVAL = "approval"
    WINDOW = "window"
    SOAK = "soak"
    UNDO = "undo"


BOOTING = "BOOT"
"""The lane of those whose job is over and whose instance is looked at until it is up."""

QUEUE = "QUEUE#"
DUE = "DUE#"
OF_JOB = "JOB#"
"""How the other lanes begin."""


def due(moment: datetime) -> str:
    """The lane of those whom the first look from this moment on shall see; in order of their moments."""
    return f"{DUE}{moment.astimezone(UTC).isoformat(timespec='microseconds')}"


def queued(rank: int, not_after: datetime, turn: int, parked_at: datetime) -> str:
    """The lane of those who wait for a launch; in the order in which they are launched."""
    last, since = (moment.isoformat(timespec="microseconds") for moment in (not_after, parked_at))
    return f"{QUEUE}{rank}#{last}#{turn:08d}#{since}"


def of_job(job_id: str) -> str:
    """The lane of those who wait for an MGN job to end."""
    return f"{OF_JOB}{job_id}"


class LaunchIntent(Stored):
    """What a wait asks the dispatcher for. MGN's job quotas are shared, so no step starts a job by itself."""

    kind: LaunchKind
    wave: str
    not_after: Moment | None = Field(default=None, description="The end of the cutover window.")


class Progress(StrEnum):
    """How one round of the undo ended."""

    DONE = "done"
    AGAIN = "again"
    FROZEN = "frozen"


class Outcome(Stored):
    """How a wait ended. `error` is the class name Step Functions catches; None means it may go on."""

    error: str | None = None
    reason: Reason = ""
    progress: Progress | None = Field(default=None, description="Of an undo round.")


class ParkedStep(Stored):
    """What every wait has: who waits, until when, and what was said meanwhile."""

    migration_id: MigrationId
    name: str
    scope: Scope
    source_server_id: str
    parked_at: Moment
    deadline: Moment
    token: str | None = Field(default=None, repr=False, description="The task token itself, as 0.1.0 kept it.")
    token_key: str | None = Field(default=None, description="What the task token is kept under: it counts as a secret.")
    earlier_keys: tuple[str, ...] = Field(
        default=(), description="What the tokens of the tries before are kept under, the latest last."
    )
    signals: tuple[Signal, ...] = ()
    outcome: Outcome | None = None
    lane: str | None = Field(
        default=None, description="Where looks find it; without one, as earlier releases parked, only a round does."
    )
    extended: int = Field(default=0, description="How often its deadline moved because nobody had looked.")

    def after(self, earlier: "ParkedStep") -> Self:
        """This wait in the place of the one another try of its step parked: what became of that one still counts.

        So does its token: of two tries the first may come late, and Step Functions alone knows which it waits for.
        """
        keys = dict.fromkeys(key for key in (*earlier.earlier_keys, earlier.token_key) if key)
        keys.pop(self.token_key or "", None)
        return self.model_copy(update={"outcome": earlier.outcome, "earlier_keys": tuple(keys)[-EARLIER_KEYS:]})

    def is_of_the_step_of(self, other: "ParkedStep") -> bool:
        """Whether both were parked with one token: a step that is tried again has another."""
        return (self.token, self.token_key) == (other.token, other.token_key)

    @property
    def token_keys(self) -> tuple[str, ...]:
        """What the tokens are kept under, one of which the step waits with."""
        return (*self.earlier_keys, self.token_key) if self.token_key else self.earlier_keys

    @property
    def cancel(self) -> Signal | None:
        """The decision that ends this wait whatever else holds."""
        return cancellation(self.signals)

    @property
    def begins_at(self) -> datetime | None:
        """The moment at which the clock alone may end it, when there is one before the deadline."""
        return None

    @property
    def watched_job(self) -> str | None:
        """The MGN job whose state may end it."""
        return None

    def watched_instance(self, truth: Truth, now: datetime) -> str | None:
        """The instance whose state may end it now, given the jobs read so far."""
        return None

    def needs_server(self, truth: Truth, now: datetime) -> bool:
        """Whether the server's state may end it now, given the jobs and instances read so far."""
        return True


class ReplicationWait(ParkedStep):
    """Until the server is launchable for the first time."""

    kind: Literal[WaitKind.REPLICATION] = WaitKind.REPLICATION
    name: str = "replication"


class _LaunchingWait(ParkedStep):
    """A wait for a job that the dispatcher starts, or that is known."""

    intent: LaunchIntent | None = None
    job_id: str | None = None

    def after(self, earlier: ParkedStep) -> Self:
        kept = super().after(earlier)
        if isinstance(earlier, _LaunchingWait) and kept.job_id is None and earlier.job_id is not None:
            return kept.model_copy(update={"job_id": earlier.job_id, "deadline": earlier.deadline})
        return kept

    @property
    def asked(self) -> LaunchIntent:
        """What the dispatcher is asked for; raises ValueError when that is nothing."""
        if self.intent is None:
            raise ValueError(f"{self.migration_id}: the wait {self.name} asks for no launch")
        return self.intent

    @property
    def turn(self) -> int | None:
        """Its turn among the launches of its wave; None before it stands in the queue."""
        return int(self.lane.split("#")[3]) if self.lane and self.lane.startswith(QUEUE) else None

    @property
    def asks_for_launch(self) -> bool:
        """The dispatcher still owes this wait an MGN job."""
        return self.intent is not None and self.job_id is None and self.outcome is None and self.cancel is None

    @property
    def watched_job(self) -> str | None:
        return self.job_id

    def needs_server(self, truth: Truth, now: datetime) -> bool:
        # The job says what became of the server's launch.
        return False


class LaunchWait(_LaunchingWait):
    """Until MGN tells this server's launch result."""

    kind: Literal[WaitKind.LAUNCH] = WaitKind.LAUNCH
    phase: Phase
    intent: LaunchIntent


class UndoWait(_LaunchingWait):
    """Until a job that holds the server has ended, be it one that the undo asks for."""

    kind: Literal[WaitKind.UNDO] = WaitKind.UNDO
    name: str = "undo"

    @property
    def cancel(self) -> Signal | None:
        """None: an undo that runs is not cancelled (I6)."""
        return None


class BootWait(ParkedStep):
    """Until this job's instance is up."""

    kind: Literal[WaitKind.BOOT] = WaitKind.BOOT
    phase: Phase
    job_id: str
    instance_id: str

    @property
    def watched_job(self) -> str | None:
        # What is over is not asked about again.
        return None if self.lane == BOOTING else self.job_id

    def watched_instance(self, truth: Truth, now: datetime) -> str | None:
        return self.instance_id if self._may_end(truth, now) else None

    def needs_server(self, truth: Truth, now: datetime) -> bool:
        # Asked for once the instance is up, or gone.
        instance = truth.instances.get(self.instance_id)
        is_decisive = instance is not None and (instance.is_gone or instance.passes_status_checks)
        return self._may_end(truth, now) and (is_decisive or now >= self.deadline)

    def _may_end(self, truth: Truth, now: datetime) -> bool:
        # MGN changes nothing on the servers of a job before it is done with it.
        return self.lane == BOOTING or truth.is_over(self.job_id) or now >= self.deadline


class CheckWait(ParkedStep):
    """Until a pending check, command or post-launch action is worth another try, which its own step makes."""

    kind: Literal[WaitKind.CHECK] = WaitKind.CHECK
    name: str = "check"
    not_before: Moment

    @property
    def begins_at(self) -> datetime | None:
        return self.not_before

    def needs_server(self, truth: Truth, now: datetime) -> bool:
        # The step reads all it needs when it tries.
        return False


class ApprovalWait(ParkedStep):
    """Until a person opens the gate."""

    kind: Literal[WaitKind.APPROVAL] = WaitKind.APPROVAL
    gate: Gate
    instance_id: str | None = Field(default=None, description="The cutover instance, once there is one.")

    def watched_instance(self, truth: Truth, now: datetime) -> str | None:
        return self.instance_id


class WindowWait(ParkedStep):
    """Until the cutover window opens and the server is launchable."""

    kind: Literal[WaitKind.WINDOW] = WaitKind.WINDOW
    name: str = "window"
    not_before: Moment | None = None

    @property
    def begins_at(self) -> datetime | None:
        return self.not_before


class SoakWait(ParkedStep):
    """Until the cutover instance has stayed healthy for long enough."""

    kind: Literal[WaitKind.SOAK] = WaitKind.SOAK
    name: str = "soak"
    not_before: Moment
    instance_id: str | None = None

    @property
    def begins_at(self) -> datetime | None:
        return self.not_before

    def watched_instance(self, truth: Truth, now: datetime) -> str | None:
        return self.instance_id


Launching = LaunchWait | UndoWait
"""The kinds that may ask the dispatcher for a job."""

Wait = ReplicationWait | LaunchWait | BootWait | CheckWait | ApprovalWait | WindowWait | SoakWait | UndoWait


@cache
def _any_wait() -> TypeAdapter[Wait]:
    return TypeAdapter(Annotated[Wait, Field(discriminator="kind")])


def wait_from_json(text: str | bytes) -> Wait:
    """The wait behind its stored form; raises pydantic's ValidationError."""
    return _any_wait().validate_json(text, extra="ignore", context=STORED)
