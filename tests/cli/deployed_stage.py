"""A stage deployed to moto, and the command run against it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from pydantic.alias_generators import to_pascal
from typer.testing import CliRunner

from cli.main import app
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.models.deployment import Deployment, stack_name
from runtime.models.record import MigrationRecord
from runtime.models.request import MigrationRequest
from runtime.models.status import MigrationStatus
from tests.builders import a_record, an_entry
from tests.contract.aws import aws
from tests.contract.state_table import TABLE_NAME, make_state_table

S = MigrationStatus
SECRET = "the-stages-secret"
TO_COMPLETED = (
    S.VALIDATING,
    S.PREPARING,
    S.AWAITING_WINDOW,
    S.CUTOVER_LAUNCHING,
    S.CUTOVER_VERIFYING,
    S.FINALIZING,
    S.COMPLETED,
)


@dataclass
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str, stdin: str | bytes | None = None, charset: str = "utf-8", **env: str) -> Ran:
    """Run `migrate` in this process; an error nobody meant to raise fails the test."""
    result = CliRunner(charset=charset).invoke(app, list(arguments), input=stdin, env={"COLUMNS": "100", **env})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def a_message(migration_id: str = "mig-1", **changes: object) -> dict[str, object]:
    """What the earlier producers send, as JSON has it."""
    message = {
        "migrationId": migration_id,
        "appName": "billing",
        "source": "azure",
        "target": "aws",
        "environment": "production",
        "wave": 1,
        "sourceVmId": "billing-web-01",
        "targetVmName": "billing-web-01-aws",
        "instanceType": "m5.large",
        "subnetId": "subnet-11111111111111111",
        "securityGroupIds": ["sg-11111111111111111"],
    }
    return {**message, **changes}


class Stage:
    """The deployed stage dev, open to fill and to look at; inside `mock_aws`."""

    def __init__(self, stacks: "Stacks") -> None:
        queues = aws("sqs")
        self.deployment = Deployment(
            queue_url=queues.create_queue(QueueName="requests")["QueueUrl"],
            decisions_queue_url=queues.create_queue(QueueName="decisions")["QueueUrl"],
            dead_letter_queue_url=queues.create_queue(QueueName="dead")["QueueUrl"],
            event_bus_name="migrations",
            state_table_name=TABLE_NAME,
            state_machine_arn="arn:aws:states:us-east-1:123456789012:stateMachine:migration",
            callback_secret_arn=aws("secretsmanager").create_secret(Name="callbacks", SecretString=SECRET)["ARN"],
        )
        self.state = DynamoDbState(make_state_table(), TABLE_NAME, refuse)
        self._seen = queues.create_queue(QueueName="seen")["QueueUrl"]
        self._watch_bus()
        stacks.deploy("dev", self.deployment.model_dump(by_alias=False))

    def accept(
        self, migration_id: str = "mig-1", *, request: MigrationRequest | None = None, **changes: object
    ) -> MigrationRecord:
        """A migration that was just accepted."""
        record = a_record(migration_id, request=request, **changes)
        self.state.migrations.append(record, an_entry(record))
        return record

    def move(self, record: MigrationRecord, *statuses: MigrationStatus, reason: str = "") -> MigrationRecord:
        """Move a migration on, a minute for each status."""
        for status in statuses:
            changes = {
                "status": status,
                "sequence": record.sequence + 1,
                "updated_at": record.updated_at + timedelta(minutes=1),
                "reason": reason or f"now {status}",
            }
            after = record.model_copy(update=changes)
            self.state.migrations.append(after, an_entry(after, from_status=record.status))
            record = after
        return record

    def receive(self) -> list[Any]:
        """Messages on the queue of requests, as a consumer gets them."""
        found = aws("sqs").receive_message(QueueUrl=self.deployment.queue_url, MaxNumberOfMessages=10)
        return list(found.get("Messages", []))

    def bodies(self) -> list[str]:
        """What was sent to the queue of requests."""
        return _received(self.deployment.queue_url)

    def decisions(self) -> list[dict[str, Any]]:
        """What was sent to the queue of decisions."""
        assert self.deployment.decisions_queue_url is not None
        return [json.loads(body) for body in _received(self.deployment.decisions_queue_url)]

    def events(self) -> list[dict[str, Any]]:
        """What was put on the bus by anyone but the pipeline."""
        return [json.loads(body) for body in _received(self._seen)]

    def _watch_bus(self) -> None:
        attributes = aws("sqs").get_queue_attributes(QueueUrl=self._seen, AttributeNames=["QueueArn"])["Attributes"]
        bus = self.deployment.event_bus_name
        aws("events").create_event_bus(Name=bus)
        pattern = json.dumps({"source": [{"anything-but": ["migration.orchestrator"]}]})
        aws("events").put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
        targets = [{"Id": "seen", "Arn": attributes["QueueArn"]}]
        aws("events").put_targets(Rule="all", EventBusName=bus, Targets=targets)


class Stacks:
    """CloudFormation's stacks, in front of moto, whose own need packages for every other service.

    `answers` holds what becomes of the next answers of an operation, `made` those of operations that moto lacks.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._outputs: dict[str, dict[str, str]] = {}
        self.answers: dict[str, list[Callable[[Any], Any]]] = {}
        self.made: dict[str, Callable[[dict[str, Any]], Any]] = {}

    def deploy(self, stage: str, outputs: dict[str, str]) -> None:
        """An orchestration stack with these outputs, named as in code."""
        self._outputs[stack_name(stage, "Orchestration")] = outputs

    def undeploy(self, stage: str) -> None:
        del self._outputs[stack_name(stage, "Orchestration")]

    def make_api_call(self, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        """What replaces botocore's method of this name."""
        if operation in self.made:
            return self.made[operation](parameters)
        if operation != "DescribeStacks":
            answer = self._call(client, operation, parameters)
            changes = self.answers.get(operation)
            return changes.pop(0)(answer) if changes else answer
        name = parameters["StackName"]
        if name not in self._outputs:
            message = f"Stack with id {name} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)
        outputs = self._outputs[name].items()
        return {
            "Stacks": [{"Outputs": [{"OutputKey": to_pascal(key), "OutputValue": value} for key, value in outputs]}]
        }


def _received(url: str) -> list[str]:
    found: list[str] = []
    while messages := aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found
