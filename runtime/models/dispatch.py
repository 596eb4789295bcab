"""What the dispatcher keeps for each account and Region."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from runtime.models.base import Moment, Stored
from runtime.models.record import LaunchKind
from runtime.models.request import MigrationId
from runtime.models.scope import Scope

VISIBLE_AFTER = timedelta(minutes=5)
"""A job of ours that DescribeJobs has not shown for this long is counted no more."""


class Member(Stored):
    """One server of a batch, and the wait that asked for it."""

    migration_id: MigrationId
    wait: str
    source_server_id: str


class Batch(Stored):
    """One call that starts an MGN job. It is written before the call, and the job carries its launch id (I3)."""

    launch_id: str
    kind: LaunchKind
    members: tuple[Member, ...]
    attempted_at: Moment
    job_id: str | None = Field(default=None, description="Absent while the call's answer is unknown.")


class StartedJob(Stored):
    """A job of ours that DescribeJobs may not show yet."""

    job_id: str
    servers: int
    started_at: Moment


class Looked(Stored):
    """What one look leaves to the next. Of two that end at once the later stands: at worst something is read again."""

    at: Moment | None = Field(default=None, description="Everything sent before has been seen.")
    round_at: Moment | None = Field(default=None, description="So has every round asked for before.")
    page: str | None = Field(default=None, description="Where the next round goes on; absent at the start.")
    parked_at: Moment | None = Field(default=None, description="When the latest wait was parked that was seen.")
    jobs_at: Moment | None = Field(default=None, description="When MGN's jobs were read last.")
    turns: dict[str, int] = Field(default={}, description="The latest turn in the queue of each wave that waits.")
    is_behind: bool = Field(default=False, description="Whether it ended before it had done everything.")


class Dispatch(Stored):
    """The dispatcher's state. A batch in flight keeps every other launch of the account and Region waiting."""

    scope: Scope
    version: Annotated[int, Field(ge=0)] = 0
    in_flight: Batch | None = None
    given_up: tuple[Batch, ...] = Field(
        default=(), description="Calls without an answer whose job MGN did not show in time."
    )
    recent: tuple[StartedJob, ...] = ()
    active_since: Moment | None = Field(
        default=None, description="Jobs created before this have ended: they need not be listed again."
    )
    active_jobs: int = Field(default=0, description="What MGN ran at the last look for room, whoever started it.")
    active_servers: int = Field(default=0, description="In these jobs.")
    job_seconds: float | None = Field(default=None, description="How long launch jobs take, lately; for estimates.")
    retry_at: Moment | None = Field(
        default=None, description="Nothing is launched before, because MGN refused what waiting here does not mend."
    )

    def may_launch(self, now: datetime) -> bool:
        """Whether no call is in doubt and none was refused for good a moment ago."""
        return self.in_flight is None and (self.retry_at is None or self.retry_at <= now)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the latest calls that were made have no answer."""
        answered = max((job.started_at for job in self.recent), default=None)
        return bool(self.given_up) and (answered is None or answered < self.given_up[-1].attempted_at)

    def unanswered(self, since: datetime) -> tuple[Member, ...]:
        """Whose launch call has no answer: the one in flight, and those since a moment that may still arrive at MGN."""
        alive = [batch for batch in self.unanswered_batches if batch is self.in_flight or batch.attempted_at > since]
        return tuple(member for batch in alive for member in batch.members)

    def young_jobs(self, now: datetime) -> frozenset[str]:
        """Jobs of ours that go on although DescribeJobs does not show them: it may not do so yet."""
        young = {job.job_id for job in self.recent if now - job.started_at < VISIBLE_AFTER}
        if self.in_flight and self.in_flight.job_id:
            young.add(self.in_flight.job_id)
        return frozenset(young)

    @property
    def unanswered_batches(self) -> tuple[Batch, ...]:
        """Those whose job is not known, in the order of their calls."""
        return (*self.given_up, self.in_flight) if self.in_flight else self.given_up
