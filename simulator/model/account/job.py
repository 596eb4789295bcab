"""A launch or terminate job with its participating servers and its log."""

from dataclasses import dataclass, field
from typing import Any

from simulator.model.account.server import Phase


@dataclass(slots=True)
class Participant:
    """One server inside a job."""

    server_id: str
    attempt: int = 1
    launch_status: str = "PENDING"
    instance_id: str = ""
    settled: bool = False
    skipped: bool = False
    agent_discovered_at: float | None = None
    actions: list[dict[str, Any]] = field(default_factory=list)
    actions_done: bool = True


@dataclass(frozen=True, slots=True)
class LogItem:
    """One line of the job log; `data` holds eventData members."""

    at: float
    event: str
    data: dict[str, Any]


@dataclass(slots=True)
class Job:
    """A job; it has no failure status, success is each server's own."""

    job_id: str
    arn: str
    sequence: int
    kind: str
    initiated_by: str
    created_at: float
    participants: dict[str, Participant]
    tags: dict[str, str]
    phase: Phase | None = None
    status: str = "PENDING"
    ended_at: float | None = None
    log: list[LogItem] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether the job counts against the quotas."""
        return self.status != "COMPLETED"

    @property
    def size(self) -> int:
        """How many servers it works on; skipped ones do not count."""
        return sum(1 for participant in self.participants.values() if not participant.skipped)

    def note(self, at: float, event: str, **data: Any) -> None:
        """Append a line to the job log."""
        self.log.append(LogItem(at, event, data))
