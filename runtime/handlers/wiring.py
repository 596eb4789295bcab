"""Which adapter stands behind which port. Each is made on first use and kept for the life of the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from aws_lambda_powertools.metrics import MetricUnit

from runtime.adapters.aws.clients import client, once_client
from runtime.adapters.aws.target import Target
from runtime.errors import TargetAccountError, UnreadableDocumentError
from runtime.logic.ports import (
    Commands,
    Decisions,
    Dispatches,
    EventBus,
    Instances,
    LaunchSettings,
    Migrations,
    MigrationService,
    Network,
    Ports,
    Prober,
    Resumer,
    State,
    Tokens,
    Waits,
    Wakes,
)
from runtime.models.functions.environment import Budgets, DecisionRules, HandlerEnvironment, Targets
from runtime.models.scope import Scope
from runtime.observability import logger, metrics

if TYPE_CHECKING:
    from mypy_boto3_mgn import MgnClient

# Adapters are imported inside the properties: a function pays at cold start only for the ones it uses.


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What the ports are made of: as much of it as a function's environment names."""

    state_table: str
    token_table: str = ""
    event_bus: str = ""
    wake_queue: str = ""
    budgets: Budgets = field(default_factory=Budgets)
    decision_rules: DecisionRules = field(default_factory=DecisionRules)
    begins_per_sender: int = 1
    targets: Targets | None = None
    mgn_requests: int = 1
    mgn_request_shards: int = 1
    documents: tuple[str, ...] = ()
    ebs_key_arns: tuple[str, ...] = ()
    target_ebs_key_arns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: HandlerEnvironment) -> Self:
        """What this environment names of it."""
        return cls(**{name: value for name, value in environment if name in cls.__dataclass_fields__})


class AwsPorts:
    """The ports of one account and Region on AWS."""

    def __init__(self, wiring: Wiring, scope: Scope, *, home: "AwsPorts | None" = None) -> None:
        """`home` are the ports of the account and Region the function runs in, when these are others."""
        self._wiring = wiring
        self._home = home or self
        self._elsewhere: dict[Scope, AwsPorts] = {}
        self._invocations = 0
        self.scope = scope
        self.scopes: tuple[Scope, ...] = (self._home.scope, *(wiring.targets.scopes if wiring.targets else ()))
        self.budgets = wiring.budgets
        self.documents = wiring.documents
        self.ebs_keys = wiring.target_ebs_key_arns.get(scope.account, ()) if home else wiring.ebs_key_arns
        self.decision_rules = wiring.decision_rules
        self.begins_per_sender = wiring.begins_per_sender

    def begin(self) -> None:
        """Tell one invocation from the one before."""
        self._invocations += 1

    def at(self, scope: Scope) -> Ports:
        home = self._home
        if scope == home.scope:
            return home
        if scope not in home._elsewhere:
            home._elsewhere[scope] = AwsPorts(self._wiring, scope, home=home)
        return home._elsewhere[scope]

    @cached_property
    def _target(self) -> Target | None:
        if self._home is self:
            return None
        account, region, targets = self.scope.account, self.scope.region, self._wiring.targets
        if targets is None:
            raise TargetAccountError(f"targetAccount: no role is known for {account} {region}: no target is set")
        return Target(account, region, targets.role_name, targets.external_id)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return uuid4().hex

    @cached_property
    def _state(self) -> State:
        from runtime.adapters.state.state import DynamoDbState

        return DynamoDbState(client("dynamodb"), self._wiring.state_table, _report)

    @property
    def migrations(self) -> Migrations:
        return self._state.migrations

    @property
    def waits(self) -> Waits:
        return self._state.waits

    @cached_property
    def tokens(self) -> Tokens:
        from runtime.adapters.state.tokens import DynamoDbTokens

        return DynamoDbTokens(client("dynamodb"), self._wiring.token_table)

    @property
    def dispatches(self) -> Dispatches:
        return self._state.dispatches

    @property
    def decisions(self) -> Decisions:
        return self._state.decisions

    @cached_property
    def _mgn_clients(self) -> "tuple[MgnClient, MgnClient]":
        from runtime.adapters.state.request_budget import DynamoDbRequestBudget, limit_requests

        budget = DynamoDbRequestBudget(
            client("dynamodb"),
            self._wiring.state_table,
            self.scope,
            per_second=self._wiring.mgn_requests,
            shards=self._wiring.mgn_request_shards,
            invocation=lambda: self._home._invocations,
        )
        clients = (client("mgn", self._target), once_client("mgn", self._target))
        for made in clients:
            limit_requests(made, budget.take)
        return clients

    @cached_property
    def mgn(self) -> MigrationService:
        from runtime.adapters.servers.mgn import MgnMigrationService

        return MgnMigrationService(*self._mgn_clients)

    @cached_property
    def launch_settings(self) -> LaunchSettings:
        from runtime.adapters.servers.launch_settings import Ec2LaunchSettings

        return Ec2LaunchSettings(self._mgn_clients[0], client("ec2", self._target))

    @cached_property
    def network(self) -> Network:
        from runtime.adapters.servers.network import Ec2Network

        return Ec2Network(client("ec2", self._target))

    @cached_property
    def instances(self) -> Instances:
        from runtime.adapters.servers.instances import Ec2Instances

        return Ec2Instances(client("ec2", self._target), client("ssm", self._target))

    @cached_property
    def commands(self) -> Commands:
        from runtime.adapters.servers.commands import SsmCommands

        return SsmCommands(client("ssm", self._target), once_client("ssm", self._target))

    @cached_property
    def prober(self) -> Prober:
        from runtime.adapters.servers.probe import NetworkProber

        return NetworkProber()

    @cached_property
    def resumer(self) -> Resumer:
        from runtime.adapters.messages.step_functions import StepFunctionsResumer

        return StepFunctionsResumer(client("stepfunctions"))

    @cached_property
    def wakes(self) -> Wakes:
        from runtime.adapters.messages.wakes import WakeQueue

        return WakeQueue(client("sqs"), self._wiring.wake_queue)

    @cached_property
    def bus(self) -> EventBus:
        from runtime.adapters.messages.bus import EventBridgeBus

        return EventBridgeBus(client("events"), self._wiring.event_bus)


def _report(unreadable: UnreadableDocumentError) -> None:
    """Tell the log and the metrics of a document that was set aside: another release can read it, or a person."""
    logger.error("document set aside", extra={"reason": str(unreadable)})
    metrics.add_metric(name="UnreadableDocuments", unit=MetricUnit.Count, value=1)
