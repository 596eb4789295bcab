"""The functions of a stage and what each may touch."""

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from migration_constructs import (
    PERMISSIONS,
    READ_MGN,
    EncryptedQueue,
    HandlerFunction,
    MigrationBus,
    Network,
    Permission,
    Platform,
    StateTable,
    acknowledge,
    runtime_code,
)
from runtime.models.environment import (
    CallbackEnvironment,
    HandlerEnvironment,
    IngressEnvironment,
    PublishEnvironment,
    StepEnvironment,
    SweepEnvironment,
)
from runtime.models.table import Index
from stacks.messaging import CALLBACK_TIMEOUT
from stacks.settings import DISPATCH_TIMEOUT, NetworkSettings, StageSettings, TargetSettings

STEP_TIMEOUTS = {
    "validate_input": Duration.seconds(60),
    "prepare_source": Duration.seconds(60),
    "trigger_migration": Duration.seconds(60),
    "verify_migration": Duration.seconds(60),
    "finalize_cutover": Duration.seconds(60),
    "rollback_handler": Duration.seconds(60),
    "signal_handler": Duration.seconds(60),
}
"""The handlers the state machine calls."""

PARKING = ("prepare_source", "trigger_migration", "verify_migration", "rollback_handler", "signal_handler")
"""Those of them that park and wake the dispatcher."""

PUBLISH_TIMEOUT = Duration.seconds(30)
# Longer than the sweep's period is fine: a late sweep delays the next one, it never meets it.
SWEEP_TIMEOUT = Duration.seconds(120)


class PipelineFunctions(Construct):
    """All functions, by module name, with their grants on table and bus."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: StageSettings,
        key: kms.IKey,
        state: StateTable,
        bus: MigrationBus,
        wakes: EncryptedQueue,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id_)
        self.platform = _platform(self, settings, key)
        self.signing_secret = _signing_secret(self, key)
        self._enter_targets = _enter(settings.targets) if settings.targets else ()
        targets = settings.targets.for_functions if settings.targets else None
        stage, table, event_bus = settings.stage, state.table.table_name, bus.event_bus.event_bus_name
        self.ingress = self._function(
            "ingress_handler",
            IngressEnvironment(
                stage=stage,
                state_table=table,
                event_bus=event_bus,
                retention_days=settings.budgets.retention_days,
            ),
            Duration.seconds(settings.ingress.timeout_seconds),
        )
        step_environment = StepEnvironment(
            stage=stage,
            state_table=table,
            budgets=settings.budgets,
            targets=targets,
            wake_queue=wakes.queue.queue_url,
            mgn_requests=settings.mgn_requests_of_steps,
        )
        self.steps = {
            module: self._function(
                module, step_environment, timeout, on_failure=undelivered if module == "signal_handler" else None
            )
            for module, timeout in STEP_TIMEOUTS.items()
        }
        self.signal = self.steps["signal_handler"]
        self.sweep = self._function(
            "sweep",
            SweepEnvironment(
                stage=stage,
                state_table=table,
                event_bus=event_bus,
                budgets=settings.budgets,
                targets=targets,
                wake_queue=wakes.queue.queue_url,
            ),
            SWEEP_TIMEOUT,
            on_failure=undelivered,
            retry_attempts=0,
        )
        self.dispatch = self._function(
            "dispatch_launches",
            step_environment.model_copy(update={"mgn_requests": settings.mgn_requests}),
            DISPATCH_TIMEOUT,
        )
        self.publish = self._function(
            "publish_events", PublishEnvironment(stage=stage, state_table=table, event_bus=event_bus), PUBLISH_TIMEOUT
        )
        self.callback = self._function(
            "callback_handler",
            CallbackEnvironment(
                stage=stage,
                state_table=table,
                webhook_urls=settings.webhook_urls,
                signing_secret=self.signing_secret.secret_arn,
                allows_private_addresses=settings.allows_private_callbacks,
            ),
            CALLBACK_TIMEOUT,
        )
        self._grant(state, bus, wakes)

    def _function(
        self,
        module: str,
        environment: HandlerEnvironment,
        timeout: Duration,
        *,
        on_failure: sqs.IQueue | None = None,
        retry_attempts: int | None = None,
    ) -> HandlerFunction:
        permissions = PERMISSIONS[module]
        return HandlerFunction(
            self,
            "".join(word.capitalize() for word in module.split("_")),
            module=module,
            environment=environment,
            platform=self.platform,
            permissions=(*permissions, *self._enter_targets) if READ_MGN in permissions else permissions,
            timeout=timeout,
            on_failure=on_failure,
            retry_attempts=retry_attempts,
        )

    def _grant(self, state: StateTable, bus: MigrationBus, wakes: EncryptedQueue) -> None:
        for writer in (self.ingress, *self.steps.values(), self.sweep, self.dispatch):
            state.grant_read_write(writer.function)
        for reader in (self.publish, self.callback):
            state.grant_read(reader.function)
        for publisher in (self.ingress, self.sweep, self.publish):
            bus.event_bus.grant_put_events_to(publisher.function)
        state.grant_query(self.sweep.function, Index.STATUS_TIME)
        for module in PARKING:
            wakes.queue.grant_send_messages(self.steps[module].function)
        for waker in (self.sweep, self.dispatch):
            wakes.queue.grant_send_messages(waker.function)
        self.signing_secret.grant_read(self.callback.function)


def _enter(targets: TargetSettings) -> tuple[Permission, ...]:
    roles = (f"arn:{{partition}}:iam::{account}:role/{targets.role_in(region)}" for account, region in targets.places)
    return (Permission(("sts:AssumeRole",), tuple(roles), ""),)


def _platform(scope: Construct, settings: StageSettings, key: kms.IKey) -> Platform:
    return Platform(
        code=runtime_code(settings.bundle_target),
        runtime=settings.lambda_runtime,
        architecture=settings.lambda_architecture,
        key=key,
        log_level=settings.log_level,
        log_retention=settings.log_retention,
        removal_policy=settings.removal,
        network=_network(scope, settings.network) if settings.network else None,
    )


def _network(scope: Construct, network: NetworkSettings) -> Network:
    vpc = ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=network.vpc_id,
        availability_zones=list(network.availability_zones),
        private_subnet_ids=list(network.private_subnet_ids),
    )
    acknowledge(vpc, {"@aws-cdk/aws-ec2:noSubnetRouteTableId": "Functions need no route tables."})
    return Network(
        vpc=vpc,
        security_groups=[
            ec2.SecurityGroup.from_security_group_id(scope, f"SecurityGroup{number}", id_)
            for number, id_ in enumerate(network.security_group_ids, start=1)
        ],
    )


def _signing_secret(scope: Construct, key: kms.IKey) -> secretsmanager.Secret:
    secret = secretsmanager.Secret(
        scope,
        "SigningSecret",
        description="Key of the HMAC that signs callbacks.",
        encryption_key=key,
        generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
    )
    acknowledge(
        secret, {"AwsSolutions-SMG4": "Receivers hold the same key: a rotation has to be agreed with each of them."}
    )
    return secret
