"""What people and systems say to a migration."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runtime.models.base import Moment, Reason, Stored
from runtime.models.request import Gate, MigrationId


class Decision(StrEnum):
    """What a person or system says to a migration."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RELEASE = "release"


SenderId = Annotated[str, Field(min_length=1, max_length=256)]
"""Who sent a queue message, as SQS itself writes it: `AROA…:session` for a role, `AIDA…` for a user."""


class Signal(Stored):
    """A decision, kept with who, when and why. A signal that comes before its wait is kept for it."""

    migration_id: MigrationId
    decision: Decision
    gate: Gate | None = None
    by: Annotated[str, Field(min_length=1, max_length=256)]
    sender: SenderId | None = Field(default=None, description="Who AWS says sent it; None when nobody vouches for it.")
    message_id: str | None = Field(default=None, description="The message it came in, as CloudTrail knows it.")
    reason: Reason = ""
    at: Moment

    @property
    def name(self) -> str:
        """Approve and reject of one gate share a name, so the first of them wins."""
        return f"{self.decision}" if self.gate is None else f"gate-{self.gate}"

    @property
    def who(self) -> str:
        """The name given, and beside it who AWS says it was."""
        return f"{self.by} ({self.sender or 'unverified'})"

    @property
    def words(self) -> str:
        """Who said it, and why."""
        return f"{self.who}: {self.reason or 'no reason given'}"


def cancellation(signals: Iterable[Signal]) -> Signal | None:
    """The decision that ends a migration whatever else holds."""
    return next((signal for signal in signals if signal.decision is Decision.CANCEL), None)


class RefusedDecision(Signal):
    """A decision that the stage's rules did not let count, kept apart from those that do."""

    why: Reason

    @property
    def name(self) -> str:
        """One of each kind and sender is kept, however often it is sent."""
        return f"{super().name}#{self.sender or 'unverified'}"
