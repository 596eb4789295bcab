"""One Lambda function of the pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from migration_constructs.acknowledgements import KMS_FAMILIES, acknowledge, acknowledge_wildcards
from migration_constructs.permissions import permit
from runtime.models.deployment import function_role_name
from runtime.models.functions.environment import HandlerEnvironment
from runtime.models.functions.function import Function
from runtime.models.functions.permissions import Named, Permission, given

METRICS_NAMESPACE = "MigrationOrchestrator"

NETWORK_INTERFACES = Permission(
    (
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ),
    ("*",),
    "Lambda checks these without a resource before it makes the interface.",
    # Lambda itself makes the interfaces. Calls from the function's own code name the function, and are not let through.
    {"Null": {"lambda:SourceFunctionArn": "true"}},
)


def duration(time: timedelta) -> Duration:
    """The CDK's form of a time in whole seconds."""
    return Duration.seconds(int(time.total_seconds()))


@dataclass(frozen=True, kw_only=True)
class Network:
    """Private subnets and security groups the functions run in."""

    vpc: ec2.IVpc
    security_groups: Sequence[ec2.ISecurityGroup]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What all functions of a stage share."""

    code: lambda_.Code
    runtime: lambda_.Runtime
    architecture: lambda_.Architecture
    key: kms.IKey
    log_level: str
    log_retention: logs.RetentionDays
    removal_policy: RemovalPolicy
    network: Network | None = None
    named: Mapping[Named, tuple[str, ...]] = field(default_factory=dict)
    """What permissions depend on that only the stage knows."""


class HandlerFunction(Construct):
    """A function of the pipeline, with a role, a log group and an environment of its own."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        function: Function,
        environment: HandlerEnvironment,
        platform: Platform,
        permissions: Sequence[Permission] = (),
        timeout: Duration | None = None,
        memory_size: int = 512,
        reserved_concurrency: int | None = None,
        on_failure: sqs.IQueue | None = None,
    ) -> None:
        """`permissions` are added to, `timeout` replaces what the function declares; `on_failure` takes failed events.

        `reserved_concurrency` invocations at a time are kept for it, and are the most it may have.
        Raises ValueError for a function that keeps its failures and is given no queue for them.
        """
        super().__init__(scope, id_)
        if function.keeps_failures and on_failure is None:
            raise ValueError(f"{function.name} keeps its failures: it needs a queue for them")
        self.role = iam.Role(
            self,
            "Role",
            role_name=function_role_name(environment.stage, function.name, Aws.REGION),
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group = logs.LogGroup(
            self,
            "Logs",
            encryption_key=platform.key,
            retention=platform.log_retention,
            removal_policy=platform.removal_policy,
        )
        log_group.grant_write(self.role)
        platform.key.grant_decrypt(self.role)
        wanted = (*function.permissions, *permissions, *((NETWORK_INTERFACES,) if platform.network else ()))
        for permission in given(wanted, platform.named):
            permit(self.role, permission)
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"Migration orchestrator: {function.name}",
            code=platform.code,
            handler=f"runtime.handlers.{function.name}.handler",
            runtime=platform.runtime,
            architecture=platform.architecture,
            environment=environment.to_variables() | _powertools(function.name, platform),
            environment_encryption=platform.key,
            log_group=log_group,
            memory_size=memory_size,
            on_failure=destinations.SqsDestination(on_failure) if on_failure and function.keeps_failures else None,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if function.wakes_itself else None,
            reserved_concurrent_executions=reserved_concurrency,
            retry_attempts=function.retries,
            role=self.role,
            security_groups=platform.network.security_groups if platform.network else None,
            timeout=timeout or duration(function.timeout),
            vpc=platform.network.vpc if platform.network else None,
        )
        self._trace()
        acknowledge_wildcards(self.role, KMS_FAMILIES)
        acknowledge(
            self.function,
            {"AwsSolutions-L1": "The runtime is a setting of the stage, the same for build, bundle and type checks."},
        )

    def _trace(self) -> None:
        # The CDK's own `tracing` would put the rights, which are on every resource, among all others of the role.
        made = cast(lambda_.CfnFunction, self.function.node.default_child)
        made.tracing_config = lambda_.CfnFunction.TracingConfigProperty(mode="Active")
        rights = iam.PolicyStatement(actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"])
        policy = iam.Policy(self, "Tracing", roles=[self.role], statements=[rights])
        acknowledge_wildcards(policy, {"Resource::*": "X-Ray supports no resource-level permissions."})


def _powertools(name: str, platform: Platform) -> dict[str, str]:
    return {
        "POWERTOOLS_LOG_LEVEL": platform.log_level,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_SERVICE_NAME": name,
    }
