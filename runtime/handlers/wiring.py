"""Which adapter stands behind which port. Each is made on first use and kept for the life of the environment."""

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import uuid4

from runtime.adapters.aws.clients import Target, client, once_client
from runtime.errors import TargetAccountError
from runtime.logic.ports import (
    Commands,
    EventBus,
    Instances,
    LaunchSettings,
    MigrationService,
    MigrationStore,
    Network,
    Ports,
    Prober,
    Resumer,
    Wakes,
)
from runtime.models.environment import Budgets, Targets

if TYPE_CHECKING:
    from mypy_boto3_mgn import MgnClient

# Adapters are imported inside the properties: a function pays at cold start only for the ones it uses.


class AwsPorts:
    """The ports of one account and Region on AWS."""

    def __init__(
        self,
        *,
        state_table: str,
        scope: str,
        event_bus: str = "",
        wake_queue: str = "",
        budgets: Budgets | None = None,
        targets: Targets | None = None,
        mgn_requests: int = 20,
        home: "AwsPorts | None" = None,
    ) -> None:
        """`home` are the ports of the account and Region the function runs in, when these are others."""
        self._state_table = state_table
        self._event_bus = event_bus
        self._wake_queue = wake_queue
        self._targets = targets
        self._mgn_requests = mgn_requests
        self._home = home or self
        self._elsewhere: dict[str, AwsPorts] = {}
        self.scope = scope
        self.scopes: tuple[str, ...] = (self._home.scope, *(targets.scopes if targets else ()))
        self.budgets = budgets or Budgets()

    def at(self, scope: str) -> Ports:
        home = self._home
        if scope == home.scope:
            return home
        if scope not in home._elsewhere:
            home._elsewhere[scope] = AwsPorts(
                state_table=self._state_table,
                scope=scope,
                event_bus=self._event_bus,
                wake_queue=self._wake_queue,
                budgets=self.budgets,
                targets=self._targets,
                mgn_requests=self._mgn_requests,
                home=home,
            )
        return home._elsewhere[scope]

    @cached_property
    def _target(self) -> Target | None:
        if self._home is self:
            return None
        account, _, region = self.scope.partition("#")
        if self._targets is None:
            raise TargetAccountError(f"targetAccount: no role is known for {account} {region}: no target is set")
        return Target(account, region, self._targets.role_name, self._targets.external_id)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return uuid4().hex

    @cached_property
    def store(self) -> MigrationStore:
        from runtime.adapters.state.store import DynamoDbMigrationStore

        return DynamoDbMigrationStore(client("dynamodb"), self._state_table)

    @cached_property
    def _mgn_clients(self) -> "tuple[MgnClient, MgnClient]":
        from runtime.adapters.state.request_budget import DynamoDbRequestBudget, limit_requests

        budget = DynamoDbRequestBudget(client("dynamodb"), self._state_table, self.scope, per_second=self._mgn_requests)
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

        return SsmCommands(client("ssm", self._target))

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

        return WakeQueue(client("sqs"), self._wake_queue)

    @cached_property
    def bus(self) -> EventBus:
        from runtime.adapters.messages.bus import EventBridgeBus

        return EventBridgeBus(client("events"), self._event_bus)
