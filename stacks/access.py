"""What people may be given: policies for those who ask, those who decide and those who look."""

import json

from aws_cdk import ArnFormat, Aws, Stack, Token
from aws_cdk import aws_iam as iam
from constructs import Construct

from migration_constructs import EncryptedQueue, EncryptionKey, HttpDoor, StateTable, acknowledge_wildcards, any_id
from migration_constructs.http_door import STAGE
from runtime.models.deployment import stack_name
from runtime.models.http import ROUTES, Right
from runtime.models.table import PEOPLES_PARTITIONS
from stacks.messaging import MessagingStack
from stacks.settings import StageSettings

SEND = ["kms:Decrypt", "kms:GenerateDataKey"]
# The name that synthesis gives to what one stack tells another; a wrong one ends the synthesis.
API_OUTPUT = "PublishOutputRefHttpApi4E1D418441C71FFF"
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
        http: HttpDoor | None = None,
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
        send, decide = [self._find(), *self._send(messaging.requests)], [*look, *self._send(messaging.decisions)]
        if http:
            look, send = [*look, _invoke(http, Right.READ)], [*send, _invoke(http, Right.SEND)]
            # Whoever decides is shown what about.
            decide = [*decide, _invoke(http, Right.READ, Right.DECIDE)]
        self._policy("MigrationSender", "Send requests.", send)
        self._policy("MigrationApprover", "Look at migrations and decide.", decide)
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
        api = self._api()
        acknowledge_wildcards(
            policy,
            {
                f"Resource::{api}/{STAGE}/{route.method}{any_id(route.path)}": "Paths hold the ids of migrations."
                for route in ROUTES
                if any_id(route.path) != route.path
            },
        )

    def _api(self) -> str:
        """How cdk-nag writes the ARN of the API of another stack."""
        output = {
            "StackName": stack_name(self._stage, "Orchestration"),
            "Region": {"Ref": "AWS::Region"} if Token.is_unresolved(self.region) else self.region,
            "OutputName": API_OUTPUT,
        }
        id_ = json.dumps({"Fn::GetStackOutput": output}, separators=(",", ":"))
        return f"arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:{id_}"

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


def _invoke(http: HttpDoor, *rights: Right) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid="UseTheHttpDoor", actions=["execute-api:Invoke"], resources=http.arns(*rights))
