"""What the state machine hands to each handler and gets back. Ids and verdicts only, never documents."""

import json
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from runtime.models.base import Payload
from runtime.models.record import WaitKind
from runtime.models.request import CorrelationId, Gate, MigrationId, Phase


class Failure(Payload):
    """What a Catch recorded. Step Functions writes these two members capitalised."""

    error: str = Field(alias="Error")
    cause: str = Field(default="", alias="Cause")

    @property
    def message(self) -> str:
        """The cause in words: a Lambda exception arrives as JSON with its message inside."""
        try:
            document = json.loads(self.cause)
        except ValueError:
            return self.cause
        return str(document.get("errorMessage", self.cause)) if isinstance(document, dict) else self.cause


class Step(Payload):
    """The part every step input has."""

    migration_id: MigrationId
    correlation_id: CorrelationId
    execution: str


class ValidateInput(Step):
    """validate_input: claims the migration and checks it."""


class Verdict(StrEnum):
    """How validation ended; a duplicate execution ends quietly."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Plan(Payload):
    """The route of an accepted migration through the state machine."""

    verdict: Verdict
    runs_test: bool = False
    cuts_over: bool = False
    soaks: bool = False
    approves_cutover: bool = False
    approves_finalize: bool = False


class PrepareSource(Step):
    """prepare_source: with a token it waits for replication, with a phase it applies that phase's launch settings."""

    phase: Phase | None = None
    task_token: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _says_what_to_do(self) -> Self:
        if (self.phase is None) is (self.task_token is None):
            raise ValueError("needs either a taskToken, to wait for replication, or a phase, to prepare its launch")
        return self


class TriggerMigration(Step):
    """trigger_migration: asks for a launch and parks the token."""

    phase: Phase
    task_token: str = Field(repr=False)


class VerifyMigration(Step):
    """verify_migration: with a token it waits for the boot, without it runs the application checks."""

    phase: Phase
    task_token: str | None = Field(default=None, repr=False)


class AwaitSignal(Step):
    """signal_handler as a step: parks an approval, a window or a soak."""

    kind: WaitKind
    gate: Gate | None = None
    task_token: str = Field(repr=False)


class FinalizeCutover(Step):
    """finalize_cutover: the point of no return."""


class UndoGoal(StrEnum):
    """What the undo ends in when it succeeds."""

    CLEANED_UP = "cleaned-up"
    ROLLED_BACK = "rolled-back"


class Rollback(Step):
    """rollback_handler: one round of the undo; without a token it freezes the migration."""

    goal: UndoGoal = UndoGoal.ROLLED_BACK
    failure: Failure | None = None
    task_token: str | None = Field(default=None, repr=False)
