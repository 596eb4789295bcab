"""What people may be given: policies for those who ask, those who decide and those who look."""

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from migration_constructs import EncryptedQueue, EncryptionKey, StateTable, acknowledge_wildcards
from runtime.models.deployment import stack_name
from runtime.models.table import PEOPLES_PARTITIONS
from stacks.messaging import MessagingStack
from stacks.settings import StageSettings

SEND = ["kms:Decrypt", "kms:GenerateDataKey"]
READ = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]


class AccessStack(Stack):
    """Managed policies to attach to roles and permission sets; the stage itself uses none of them."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: StageSettings,
        encryption: EncryptionKey,
        state: StateTable,
        messaging: MessagingStack,
    ) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, "Access"),
            env=settings.home,
            termination_protection=settings.keeps_stacks,
        )
        self._stage = settings.stage
        self._key = encryption.key_in(self)
        self._outputs = self.format_arn(
            partition=Aws.PARTITION,
            region=Aws.REGION,
            account=Aws.ACCOUNT_ID,
            service="cloudformation",
            resource="stack",
            resource_name=f"{stack_name(settings.stage, 'Orchestration')}/*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        look = [self._find(), *self._look(state)]
        self._policy("MigrationSender", "Send requests.", [self._find(), *self._send(messaging.requests)])
        # Whoever decides is shown what about.
        self._policy("MigrationApprover", "Look at migrations and decide.", [*look, *self._send(messaging.decisions)])
        self._policy("MigrationReader", "Look at migrations.", look)

    def _policy(self, name: str, description: str, statements: list[iam.PolicyStatement]) -> None:
        policy = iam.ManagedPolicy(
            self,
            name,
            # IAM is global: the same stage in another Region has policies of its own.
            managed_policy_name=f"{name}-{self._stage}-{Aws.REGION}",
            description=f"Migration orchestrator, stage {self._stage}: {description}",
            statements=[statement.copy() for statement in statements],
        )
        stack = f"stack/{stack_name(self._stage, 'Orchestration')}/*"
        acknowledge_wildcards(
            policy,
            {
                f"Resource::arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:{stack}": (
                    "CloudFormation adds an id to the name of the one stack."
                ),
            },
        )

    def _find(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="FindTheStage", actions=["cloudformation:DescribeStacks"], resources=[self._outputs]
        )

    def _send(self, to: EncryptedQueue) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(sid="Send", actions=["sqs:SendMessage"], resources=[to.queue.queue_arn]),
            self._through("SendEncrypted", SEND, "sqs"),
        ]

    def _look(self, state: StateTable) -> list[iam.PolicyStatement]:
        # Waits lie in other partitions than these, and with them the task tokens.
        partitions = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{p}*" for p in PEOPLES_PARTITIONS]}}
        return [
            iam.PolicyStatement(
                sid="ReadMigrations", actions=READ, resources=[state.table.table_arn], conditions=partitions
            ),
            iam.PolicyStatement(sid="FindMigrations", actions=["dynamodb:Query"], resources=state.index_arns),
            self._through("ReadEncrypted", ["kms:Decrypt"], "dynamodb"),
        ]

    def _through(self, sid: str, actions: list[str], service: str) -> iam.PolicyStatement:
        via = {"StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.amazonaws.com"}}
        return iam.PolicyStatement(sid=sid, actions=actions, resources=[self._key.key_arn], conditions=via)
