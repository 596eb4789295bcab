"""The functions of a stage and what each may touch."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from migration_constructs import (
    EncryptedQueue,
    HandlerFunction,
    MigrationBus,
    Network,
    Platform,
    acknowledge,
    runtime_code,
)
from runtime.models.deployment import function_role_name
from runtime.models.functions.catalogue import (
    CALLBACK_HANDLER,
    DISPATCH_LAUNCHES,
    FUNCTIONS,
    HTTP_HANDLER,
    INGRESS_HANDLER,
    STEPS,
    SWEEP,
)
from runtime.models.functions.function import Function
from runtime.models.functions.permissions import Permission
from runtime.models.table import Index
from stacks.settings import NetworkSettings, StageSettings, TargetSettings
from stacks.storage import StorageStack


class PipelineFunctions(Construct):
    """All functions with their grants on table, bus and wake queue."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: StageSettings,
        key: kms.IKey,
        storage: StorageStack,
        bus: MigrationBus,
        wakes: EncryptedQueue,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id_)
        state, tokens = storage.state, storage.tokens
        platform = _platform(self, settings, key)
        self.callback_secret = _callback_secret(self, key, settings.removal)
        told: dict[str, object] = {
            "stage": settings.stage,
            "state_table": state.table.table_name,
            "token_table": tokens.table.table_name,
            "event_bus": bus.event_bus.event_bus_name,
            "wake_queue": wakes.queue.queue_url,
            "budgets": settings.budgets,
            "mgn_request_shards": settings.mgn_request_shards,
            "begins_per_sender": settings.ingress.begins_per_sender,
            "decision_rules": settings.decisions,
            "retention_days": settings.budgets.retention_days,
            "webhook_urls": settings.webhook_urls,
            "signing_secret": self.callback_secret.secret_arn,
            "documents": settings.documents,
            "ebs_key_arns": settings.ebs_key_arns,
            "target_ebs_key_arns": settings.targets.ebs_key_arns if settings.targets else {},
            "allows_private_addresses": settings.allows_private_callbacks,
        }
        requests = dict.fromkeys(STEPS, settings.mgn_requests_of_steps) | {DISPATCH_LAUNCHES: settings.mgn_requests}
        self._made: dict[Function, HandlerFunction] = {}
        for function in FUNCTIONS:
            if function is HTTP_HANDLER and settings.http is None:
                continue
            own: dict[str, object] = {"mgn_requests": requests[function]} if function in requests else {}
            own["targets"] = settings.targets.told(function) if settings.targets else None
            self._made[function] = made = HandlerFunction(
                self,
                "".join(word.capitalize() for word in function.name.split("_")),
                function=function,
                environment=function.environment.picked(told | own),
                platform=platform,
                permissions=_enter(settings.targets, function) if settings.targets and function.permissions else (),
                timeout=Duration.seconds(settings.ingress.timeout_seconds) if function is INGRESS_HANDLER else None,
                on_failure=undelivered,
                reserved_concurrency=settings.reserved_concurrency.get(function),
            )
            if function.writes_state:
                state.grant_read_write(made.function)
            else:
                state.grant_read(made.function)
            if function.parks:
                tokens.grant_keep(made.function)
            if function.resumes:
                tokens.grant_read(made.function)
            if function.publishes:
                bus.event_bus.grant_put_events_to(made.function)
            if function.wakes:
                wakes.queue.grant_send_messages(made.function)
        state.grant_query(self[SWEEP].function, Index.STATUS_TIME)
        if settings.http:
            state.grant_query(self[HTTP_HANDLER].function, *Index)
        self.callback_secret.grant_read(self[CALLBACK_HANDLER].function)
        _keep_from_others(self.callback_secret, settings.stage)

    def __getitem__(self, function: Function) -> HandlerFunction:
        return self._made[function]

    @property
    def publishers(self) -> list[iam.IRole]:
        """The roles that speak for the pipeline on its bus."""
        return [made.role for function, made in self._made.items() if function.publishes]


def _enter(targets: TargetSettings, function: Function) -> tuple[Permission, ...]:
    names = ((place.account, targets.role_in(place.region, function)) for place in targets.places)
    roles = (f"arn:{{partition}}:iam::{account}:role/{name}" for account, name in names)
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
        named=settings.named,
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


def _keep_from_others(secret: secretsmanager.Secret, stage: str) -> None:
    """No other function reads the secret, whatever its role is given one day. People hand it to receivers."""
    of_stage = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{function_role_name(stage, '*', Aws.REGION)}"
    reader = function_role_name(stage, CALLBACK_HANDLER.name, Aws.REGION)
    secret.add_to_resource_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["secretsmanager:GetSecretValue"],
            resources=["*"],
            conditions={
                "ArnLike": {"aws:PrincipalArn": of_stage},
                "ArnNotEquals": {"aws:PrincipalArn": f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{reader}"},
            },
        )
    )


def _callback_secret(scope: Construct, key: kms.IKey, removal_policy: RemovalPolicy) -> secretsmanager.Secret:
    secret = secretsmanager.Secret(
        scope,
        # Not the SigningSecret of 0.1.0: receivers hold that one itself, and would know the keys of all others.
        "CallbackSecret",
        description="The keys of the HMACs that sign callbacks are derived from it, one for each receiver.",
        encryption_key=key,
        removal_policy=removal_policy,
        generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
    )
    acknowledge(
        secret, {"AwsSolutions-SMG4": "Receivers hold keys derived from it: a rotation has to be agreed with them."}
    )
    return secret
