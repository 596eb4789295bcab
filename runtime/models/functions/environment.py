"""The environment of each function, written by the construct and read by the handler: one class, no drift.

CDK tokens are strings that only look like their value at deploy time, so names and ARNs are plain strings here.
"""

import json
import os
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from runtime.models.request import Gate
from runtime.models.scope import Scope

Name = Annotated[str, Field(min_length=1)]
Seconds = Annotated[int, Field(ge=1)]
BeginsPerSender = Annotated[
    int,
    Field(ge=1, description="Requests of one sender that begin in a minute; others are accepted and begin later."),
]


class Budgets(BaseModel):
    """How long each wait may last, in seconds, and how healthy is healthy. Every wait has a bound (I7)."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    replication: Seconds = Field(default=14 * 86_400, description="Until the server is launchable; syncs take long.")
    launch_queue: Seconds = Field(default=3 * 86_400, description="Until MGN has room for a launch, or to terminate.")
    launch_gather: Annotated[float, Field(ge=0)] = Field(
        default=50.0, description="Between two MGN jobs when 15 of the 20 run; none up to 10, more beyond 15."
    )
    launch: Seconds = Field(default=2 * 3_600, description="One MGN job, from the call to launchStatus.")
    boot: Seconds = Field(default=3_600, description="First boot, status checks and SSM (Windows needs up to 45 min).")
    checks: Seconds = Field(default=3_600, description="Until all application checks over the network pass.")
    commands: Seconds = Field(
        default=4 * 3_600, description="Until an SSM document, or the post-launch actions of a server, have ended."
    )
    window: Seconds = Field(default=86_400, description="Until the server is launchable again when no window is named.")
    undo: Seconds = Field(default=2 * 3_600, description="One job the undo waits for.")
    undo_rounds: Annotated[int, Field(ge=1, le=20)] = Field(default=6, description="Rounds before the undo freezes.")
    look: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="Between two looks at what no event tells: boots, and jobs that keep others waiting."
    )
    launch_doubt: Seconds = Field(
        default=120, description="How long a lost launch answer is looked for; longer than the dispatcher may run."
    )
    request_life: Annotated[int, Field(ge=1, le=1_800)] = Field(
        default=360, description="How long a request without an answer may still arrive; AWS takes it for 300 s."
    )
    max_lag: Seconds = Field(default=600, description="Replication lag above which no launch starts.")
    min_window: Annotated[int, Field(ge=0)] = Field(default=1_800, description="Shorter cutover windows are refused.")
    requires_ssm: bool = Field(default=True, description="The launched instance must be online in SSM.")
    retention_days: Annotated[int, Field(ge=1)] = Field(default=90, description="Finished migrations are kept so long.")


class DecisionRules(BaseModel):
    """What a stage asks of those who decide (I14)."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    required_gates: tuple[Gate, ...] = Field(default=(), description="Gates that no request can leave out.")
    requester_may_approve: bool = Field(default=True, description="Who sent a request may open its gates, too.")
    by_bus: bool = Field(default=False, description="Decisions on the bus count, though nobody vouches for the sender.")


class Targets(BaseModel):
    """Accounts and Regions migrations may run in besides the one the functions run in, and how to get in."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    role_name: Name = Field(
        description="Each target has a role for this function, of this name followed by - and its Region."
    )
    # Not a secret in AWS's words, but nothing for a log either.
    external_id: Name = Field(repr=False, description="What the roles ask for before they let anyone in.")
    scopes: tuple[Scope, ...] = Field(description="The targets, as account#region.")


class HandlerEnvironment(BaseModel):
    """What every function needs."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    stage: Name
    state_table: Name

    @classmethod
    def picked(cls, values: Mapping[str, object]) -> Self:
        """The environment made of those values this function asks for; the others are for other functions."""
        return cls.model_validate({name: value for name, value in values.items() if name in cls.model_fields})

    def to_variables(self) -> dict[str, str]:
        """The Lambda environment variables: upper-case names, JSON for anything that is not a string."""
        fields = self.model_dump(mode="json", exclude_none=True)
        return {key.upper(): value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}

    @classmethod
    def from_variables(cls, variables: Mapping[str, str] | None = None) -> Self:
        """Read the environment; raises pydantic's ValidationError naming each missing variable."""
        source = os.environ if variables is None else variables
        found = {name: source[name.upper()] for name in cls.model_fields if name.upper() in source}
        texts = {name for name, field in cls.model_fields.items() if field.annotation is str}
        return cls.model_validate({name: v if name in texts else json.loads(v) for name, v in found.items()})


class IngressEnvironment(HandlerEnvironment):
    """ingress_handler."""

    event_bus: Name
    begins_per_sender: BeginsPerSender = 200
    retention_days: Annotated[int, Field(ge=1)] = 90


class HttpEnvironment(HandlerEnvironment):
    """http_handler: takes requests as ingress_handler does, and decisions as signal_handler does."""

    event_bus: Name
    wake_queue: Name
    begins_per_sender: BeginsPerSender = 200
    decision_rules: DecisionRules = Field(default_factory=DecisionRules)


class StepEnvironment(HandlerEnvironment):
    """Handlers that run as a step of the state machine, and the dispatcher."""

    token_table: Name
    budgets: Budgets = Field(default_factory=Budgets)
    decision_rules: DecisionRules = Field(default_factory=DecisionRules)
    wake_queue: Name
    targets: Targets | None = None
    mgn_requests: Annotated[int, Field(ge=1)] = Field(
        default=20, description="Requests a second up to which this function adds to those MGN gets from all of them."
    )
    mgn_request_shards: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Items among which the count of a second is divided, the same for all functions."
    )


class ValidateEnvironment(StepEnvironment):
    """validate_input: also knows what requests may name."""

    documents: tuple[str, ...] = Field(default=(), description="SSM documents requests may run.")
    ebs_key_arns: tuple[str, ...] = Field(default=(), description="Customer keys of volumes launched at home.")
    target_ebs_key_arns: dict[str, tuple[str, ...]] = Field(default={}, description="Those of target accounts.")


class SweepEnvironment(StepEnvironment):
    """sweep: also starts what was accepted and never began."""

    event_bus: Name
    begins_per_sender: BeginsPerSender = 200


class PublishEnvironment(HandlerEnvironment):
    """publish_events."""

    event_bus: Name


class CallbackEnvironment(HandlerEnvironment):
    """callback_handler."""

    webhook_urls: tuple[str, ...] = ()
    signing_secret: Name
    allows_private_addresses: bool = False
    timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
