"""A stage deployed to moto, and the command run against it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from pydantic.alias_generators import to_pascal
from typer.testing import CliRunner

from cli.main import app
from runtime.adapters.store import DynamoDbMigrationStore
from runtime.models.deployment import Deployment, stack_name
from runtime.models.record import MigrationRecord
from runtime.models.request import MigrationRequest
from runtime.models.status import MigrationStatus
from runtime.models.table import INDEXES, PARTITION_KEY, SORT_KEY
from tests.builders import a_record, an_entry

TABLE = "state"
S = MigrationStatus
TO_COMPLETED = (S.VALIDATING, S.PREPARING, S.CUTOVER_LAUNCHING, S.CUTOVER_VERIFYING, S.FINALIZING, S.COMPLETED)


@dataclass
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


def run(*arguments: str, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Ran:
    """Run `migrate` in this process."""
    result = CliRunner().invoke(app, list(arguments), input=stdin, env={"COLUMNS": "100", **(env or {})})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


class Stage:
    """The deployed stage, open to look at and to fill."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.store = DynamoDbMigrationStore(boto3.client("dynamodb"), deployment.state_table_name)
        self.queue = boto3.client("sqs")
        self.events_queue_url = self.queue.create_queue(QueueName="seen")["QueueUrl"]

    def accept(
        self, migration_id: str = "mig-1", request: MigrationRequest | None = None, **changes: object
    ) -> MigrationRecord:
        """A migration that was just accepted."""
        record = a_record(migration_id, request=request, **changes)
        self.store.append(record, an_entry(record))
        return record

    def move(self, record: MigrationRecord, *statuses: MigrationStatus, reason: str = "") -> MigrationRecord:
        """Move a migration on, a minute for each status."""
        for status in statuses:
            after = record.model_copy(
                update={
                    "status": status,
                    "sequence": record.sequence + 1,
                    "updated_at": record.updated_at + timedelta(minutes=1),
                    "reason": reason or f"now {status}",
                }
            )
            self.store.append(after, an_entry(after, from_status=record.status))
            record = after
        return record

    def bodies(self) -> list[str]:
        """What was sent to the queue of requests."""
        return self._received(self.deployment.queue_url)

    def events(self) -> list[dict[str, object]]:
        """What was put on the bus, by anyone but the pipeline."""
        return [json.loads(body) for body in self._received(self.events_queue_url)]

    def _received(self, url: str) -> list[str]:
        found: list[str] = []
        while messages := self.queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
        return found


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No local cloud that happens to run here is seen.
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def stage(aws: None) -> Stage:
    sqs = boto3.client("sqs")
    deployment = Deployment(
        queue_url=sqs.create_queue(QueueName="requests")["QueueUrl"],
        dead_letter_queue_url=sqs.create_queue(QueueName="dead")["QueueUrl"],
        event_bus_name="migrations",
        state_table_name=TABLE,
        state_machine_arn="arn:aws:states:us-east-1:123456789012:stateMachine:migration",
    )
    deploy("dev", deployment.model_dump(by_alias=False))
    _create_table()
    stage = Stage(deployment)
    _record_events(deployment.event_bus_name, stage.events_queue_url)
    return stage


def deploy(name: str, outputs: dict[str, str]) -> None:
    """An orchestration stack with these outputs."""
    template = {
        "Resources": {"Nothing": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {to_pascal(field): {"Value": value} for field, value in outputs.items()},
    }
    stack = stack_name(name, "Orchestration")
    boto3.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))


def _create_table() -> None:
    attributes = {PARTITION_KEY, SORT_KEY} | {name for keys in INDEXES.values() for name in keys}
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in sorted(attributes)],
        KeySchema=[
            {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": keys.partition, "KeyType": "HASH"},
                    {"AttributeName": keys.sort, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, keys in INDEXES.items()
        ],
    )


def _record_events(bus: str, queue_url: str) -> None:
    sqs, events = boto3.client("sqs"), boto3.client("events")
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=bus)
    pattern = json.dumps({"source": [{"anything-but": ["migration.orchestrator"]}]})
    events.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "seen", "Arn": arn}])
