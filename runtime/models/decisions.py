"""What people and systems say to a migration."""

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


class Signal(Stored):
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
