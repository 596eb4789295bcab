"""What the state machine hands to each handler and gets back. Ids and verdicts only, never documents."""

import json
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from runtime.models.base import Stored
from runtime.models.functions.environment import StepEnvironment, ValidateEnvironment
from runtime.models.functions.function import Function
from runtime.models.functions.permissions import (
    CHANGE_LIFECYCLE,
    FINALIZE,
    READ_INSTANCES,
    READ_JOB_LOG,
    READ_LAUNCH_CONFIGURATION,
    READ_LAUNCH_TEMPLATES,
    READ_MGN,
    READ_NETWORK,
    READ_NODE_TAGS,
    READ_REPLICATION_CONFIGURATION,
    READ_SERVERS,
    RESTORE_LAUNCH_TEMPLATE,
    RESUME_STEPS,
    RUN_ON_LAUNCHED,
    RUN_ON_SOURCE,
    UPDATE_LAUNCH_SETTINGS,
    Permission,
)
from runtime.models.request import CorrelationId, Gate, MigrationId, Phase
from runtime.models.waits import WaitKind

CALL_TIMEOUT = timedelta(seconds=60)


def _step(name: str, *permissions: Permission, parks: bool) -> Function:
    return Function(
        name=name, environment=StepEnvironment, timeout=CALL_TIMEOUT, permissions=permissions, parks=parks, wakes=parks
    )


class Failure(Stored):
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


class Step(Stored):
    """The part every step input has. Each kind of step says which function carries it out."""

    function: ClassVar[Function]

    migration_id: MigrationId
    correlation_id: CorrelationId
    execution: str


class ValidateInput(Step):
    """validate_input: claims the migration and checks it."""

    function = replace(
        _step("validate_input", READ_MGN, READ_REPLICATION_CONFIGURATION, READ_NETWORK, *READ_NODE_TAGS, parks=False),
        environment=ValidateEnvironment,
    )


class Verdict(StrEnum):
    """How validation ended; a duplicate execution ends quietly."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Plan(Stored):
    """The route of an accepted migration through the state machine."""

    verdict: Verdict
    runs_test: bool = False
    cuts_over: bool = False
    soaks: bool = False
    approves_cutover: bool = False
    approves_finalize: bool = False


class PrepareSource(Step):
    """prepare_source: with a token it waits for replication, with a phase it applies that phase's launch settings."""

    function = _step(
        "prepare_source",
        READ_SERVERS,
        READ_LAUNCH_CONFIGURATION,
        READ_LAUNCH_TEMPLATES,
        CHANGE_LIFECYCLE,
        *UPDATE_LAUNCH_SETTINGS,
        *RUN_ON_SOURCE,
        parks=True,
    )

    phase: Phase | None = None
    task_token: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _says_what_to_do(self) -> Self:
        if (self.phase is None) is (self.task_token is None):
            raise ValueError("needs either a taskToken, to wait for replication, or a phase, to prepare its launch")
        return self


class TriggerMigration(Step):
    """trigger_migration: asks for a launch and parks the token."""

    function = _step("trigger_migration", parks=True)

    phase: Phase
    task_token: str = Field(repr=False)


class VerifyMigration(Step):
    """verify_migration: with a token it waits for the boot, without it runs the application checks."""

    function = _step("verify_migration", READ_MGN, READ_JOB_LOG, READ_INSTANCES, *RUN_ON_LAUNCHED, parks=True)

    phase: Phase
    task_token: str | None = Field(default=None, repr=False)


class AwaitSignal(Step):
    """signal_handler as a step: parks an approval, a window, a soak or the next try of a check."""

    function = replace(_step("signal_handler", parks=True), keeps_failures=True)

    kind: WaitKind
    gate: Gate | None = None
    task_token: str = Field(repr=False)


class FinalizeCutover(Step):
    """finalize_cutover: the point of no return."""

    function = _step("finalize_cutover", READ_SERVERS, READ_INSTANCES, FINALIZE, parks=False)


class UndoGoal(StrEnum):
    """What the undo ends in when it succeeds."""

    CLEANED_UP = "cleaned-up"
    ROLLED_BACK = "rolled-back"


class Rollback(Step):
    """rollback_handler: one round of the undo; without a token it freezes the migration."""

    function = _step(
        "rollback_handler",
        READ_MGN,
        READ_JOB_LOG,
        READ_INSTANCES,
        READ_LAUNCH_CONFIGURATION,
        READ_LAUNCH_TEMPLATES,
        RESUME_STEPS,
        CHANGE_LIFECYCLE,
        RESTORE_LAUNCH_TEMPLATE,
        parks=True,
    )

    goal: UndoGoal = UndoGoal.ROLLED_BACK
    failure: Failure | None = None
    task_token: str | None = Field(default=None, repr=False)
