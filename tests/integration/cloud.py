"""One account for the handlers to run in: moto for AWS, the simulator for MGN, a recorder for Step Functions."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from botocore.awsrequest import AWSResponse

from runtime.adapters.aws.clients import client, once_client
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.handlers import dispatch_launches
from runtime.handlers.entry import LambdaHandler
from runtime.models.functions.environment import (
    Budgets,
    CallbackEnvironment,
    DecisionRules,
    SweepEnvironment,
    ValidateEnvironment,
)
from runtime.models.scope import Scope
from simulator.clock import SteppedClock
from simulator.effects.compute import BotoCompute
from simulator.effects.lanes import InlineLanes
from simulator.engine import Simulator
from simulator.inprocess import attach
from simulator.scenario import Scenario, ServerSpec
from simulator.wire import Response
from tests.builders import OTHER_SERVER_ID, SERVER_ID
from tests.contract.aws import aws
from tests.contract.state_table import TABLE_NAME, TOKEN_TABLE_NAME, make_state_table, make_token_table
from tests.policies.calls import calls_of

ACCOUNT, REGION = "123456789012", "us-east-1"
SCOPE = Scope(ACCOUNT, REGION)
BUS = "migrations"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:migrations:one"

WAKES = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/wakes"

_COMMON: Any = {"stage": "dev", "state_table": TABLE_NAME}
_STEPS: Any = {**_COMMON, "token_table": TOKEN_TABLE_NAME, "wake_queue": WAKES}
_BUDGETS = Budgets(launch_doubt=1, launch_gather=0)
_RULES = DecisionRules(by_bus=True)

SENDER = "AROA0000000000000OPS:ada@example.com"
VARIABLES = {
    **ValidateEnvironment(**_STEPS, documents=("AWS-RunShellScript",)).to_variables(),
    **SweepEnvironment(
        **_STEPS, event_bus=BUS, budgets=_BUDGETS, decision_rules=_RULES, mgn_requests=1_000
    ).to_variables(),
    **CallbackEnvironment(
        **_COMMON, signing_secret="callback-key", allows_private_addresses=True, timeout_seconds=30
    ).to_variables(),
}


@dataclass
class Context:
    """What Lambda hands a handler beside its event."""

    function_name: str = "handler"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:handler"
    aws_request_id: str = "11111111-1111-1111-1111-111111111111"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


@dataclass
class Cloud:
    """The account; open it to look at what the handlers did."""

    simulator: Simulator
    subnet_id: str
    security_group_id: str
    queue_url: str
    resumed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    @property
    def state(self) -> DynamoDbState:
        return DynamoDbState(aws("dynamodb"), TABLE_NAME, refuse)

    def invoke(self, handler: LambdaHandler, event: Any) -> dict[str, Any]:
        """Call a handler as Lambda does: JSON in, JSON out."""
        context: Any = Context()
        with calls_of(handler.__module__.rpartition(".")[2]):
            answer = handler(json.loads(json.dumps(event)), context)
        result: dict[str, Any] = json.loads(json.dumps(answer))
        return result

    def step(self, handler: LambdaHandler, **fields: Any) -> dict[str, Any]:
        """Call a handler as the state machine does."""
        identity = {"migrationId": "mig-1", "correlationId": "cor-1", "execution": EXECUTION}
        return self.invoke(handler, {**identity, **fields})

    def dispatch(self) -> int:
        """Hand the dispatcher all wakes that are due; how many there were."""
        found = 0
        while wakes := take_wakes():
            answer = self.invoke(dispatch_launches.handler, {"Records": wakes})
            assert answer == {"batchItemFailures": []}
            found += len(wakes)
        return found

    def park(self, handler: LambdaHandler, **fields: Any) -> None:
        """Call a handler that parks, and have its wait looked at."""
        self.step(handler, **fields)
        self.dispatch()

    def message(self, **changes: Any) -> dict[str, Any]:
        """A request that can succeed here."""
        return {
            "migrationId": "mig-1",
            "appName": "billing",
            "source": "azure",
            "target": "aws",
            "environment": "prod",
            "wave": 1,
            "sourceVmId": "billing-web-01",
            "targetVmName": "billing-01",
            "instanceType": "m5.large",
            "subnetId": self.subnet_id,
            "securityGroupIds": [self.security_group_id],
            "correlationId": "cor-1",
            **changes,
        }

    def published(self) -> list[dict[str, Any]]:
        """Events put on the bus since the last look."""
        found: list[dict[str, Any]] = []
        while messages := aws("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                aws("sqs").delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def tokens(self) -> dict[str, str | None]:
        """Error by used token; None for a success."""
        return {params["taskToken"]: params.get("error") for _, params in self.resumed}

    def stream(self, migration_id: str = "mig-1") -> list[dict[str, Any]]:
        """The journal as the table's stream hands it over."""
        return [
            {
                "eventID": f"{entry.sequence}",
                "eventName": "INSERT",
                "dynamodb": {
                    "SequenceNumber": f"{entry.sequence}",
                    "NewImage": {"pk": {"S": migration_id}, "document": {"S": entry.to_json()}},
                },
            }
            for entry in self.state.migrations.journal(migration_id)
        ]


def sqs_event(*bodies: Any) -> dict[str, Any]:
    """A batch of queue messages; what is no text becomes JSON."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "r",
                "eventSource": "aws:sqs",
                "body": text,
                "attributes": {"SenderId": SENDER},
            }
            for number, text in enumerate(texts, start=1)
        ]
    }


def take_wakes() -> list[dict[str, Any]]:
    """The wakes that are due, as records of the dispatcher's queue."""
    taken = aws("sqs").receive_message(QueueUrl=WAKES, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])
    wakes = taken.get("Messages", [])
    for wake in wakes:
        aws("sqs").delete_message(QueueUrl=WAKES, ReceiptHandle=wake["ReceiptHandle"])
    return [
        {"messageId": wake["MessageId"], "body": wake["Body"], "attributes": dict(wake["Attributes"])} for wake in wakes
    ]


def make_cloud() -> Cloud:
    """A fresh account with two healthy servers; inside `mock_aws`."""
    make_state_table()
    make_token_table()
    ec2, events, sqs = aws("ec2"), aws("events"), aws("sqs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="web", Description="web")["GroupId"]
    events.create_event_bus(Name=BUS)
    sqs.create_queue(QueueName="wakes")
    queue = sqs.create_queue(QueueName=f"seen-{uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=BUS, EventPattern='{"source": ["migration.orchestrator"]}')
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    aws("secretsmanager").create_secret(Name="callback-key", SecretString="hush-hush")
    servers = (ServerSpec(name="billing-web-01", id=SERVER_ID), ServerSpec(name="billing-web-02", id=OTHER_SERVER_ID))
    scenario = Scenario(account_id=ACCOUNT, servers=servers)
    simulator = Simulator(
        scenario, clock=SteppedClock(time.time()), compute=lambda _: BotoCompute(aws("ec2"), InlineLanes())
    )
    cloud = Cloud(simulator, subnet, group, queue)
    _Switch.turn_to(cloud)
    return cloud


class _Switch:
    """Sends what moto has no answer for to the cloud of the running test. The runtime makes its clients once."""

    cloud: Cloud
    wired: object = None

    @classmethod
    def turn_to(cls, cloud: Cloud) -> None:
        cls.cloud = cloud
        # Tests of the clients themselves drop them: new ones need wiring again.
        if cls.wired is client("mgn"):
            return
        cls.wired = client("mgn")
        answers: Any = cls
        for mgn in (client("mgn"), once_client("mgn")):
            attach(mgn, answers)
        resume: Any = cls._resume
        agents: Any = cls._agents
        client("stepfunctions").meta.events.register("before-call.sfn", resume)
        client("ssm").meta.events.register("before-call.ssm.DescribeInstanceInformation", agents)

    @classmethod
    def answer(cls, method: str, raw_path: str, query: str = "", body: bytes = b"") -> Response:
        return cls.cloud.simulator.answer(method, raw_path, query, body)

    @classmethod
    def _resume(cls, model: Any, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        sent = json.loads(params["body"])
        if sent["taskToken"] in cls.cloud.gone:
            return _answer(400, {"Error": {"Code": "TaskTimedOut", "Message": "nobody waits"}})
        cls.cloud.resumed.append((model.name, sent))
        cls.cloud.gone.add(sent["taskToken"])
        return _answer(200, {})

    @classmethod
    def _agents(cls, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        (asked,) = json.loads(params["body"])["Filters"]
        online = [{"InstanceId": name, "PingStatus": "Online"} for name in asked["Values"]]
        return _answer(200, {"InstanceInformationList": online})


def _answer(status: int, parsed: dict[str, Any]) -> tuple[AWSResponse, dict[str, Any]]:
    nothing: Any = {}
    return AWSResponse("", status, nothing, nothing), {**parsed, "ResponseMetadata": {"HTTPStatusCode": status}}
