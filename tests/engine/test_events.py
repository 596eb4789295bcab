"""Event buses, rules and schedules of the local engine."""

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import unique

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

EVENT = {
    "id": "1",
    "account": "000000000000",
    "source": "shop",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail-type": "Sold",
    "detail": {"kind": "y", "number": 7, "text": "abxyz"},
}


@pytest.fixture
def bus(aws: "Aws") -> str:
    name = unique("bus")
    aws.client("events").create_event_bus(Name=name)
    return name


def rule(aws: "Aws", bus: str, target: dict[str, Any], **pattern: Any) -> str:
    name, events = unique("rule"), aws.client("events")
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern or {"source": ["shop"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", **target}])
    return name


def put(aws: "Aws", bus: str, **detail: Any) -> None:
    entry = {"EventBusName": bus, "Source": "shop", "DetailType": "Sold", "Detail": json.dumps(detail)}
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


@pytest.mark.parametrize(
    ("detail", "matches"),
    [
        ({"kind": [{"anything-but": ["x"]}]}, True),
        ({"kind": [{"anything-but": ["y"]}]}, False),
        ({"number": [{"numeric": [">", 5, "<=", 10]}]}, True),
        ({"text": [{"prefix": "ab"}]}, True),
        ({"text": [{"suffix": "ab"}]}, False),
        ({"text": [{"wildcard": "a*z"}]}, True),
        ({"text": [{"equals-ignore-case": "ABXYZ"}]}, True),
        ({"absent": [{"exists": False}]}, True),
        ({"$or": [{"kind": ["q"]}, {"number": [7]}]}, True),
    ],
)
def test_pattern_matches_as_eventbridge_does(aws: "Aws", detail: dict[str, Any], matches: bool) -> None:
    pattern = json.dumps({"detail": detail})
    assert aws.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(EVENT))["Result"] is matches


def test_rule_delivers_matching_events_transformed(aws: "Aws", bus: str) -> None:
    queue = aws.queue()
    transformer = {
        "InputPathsMap": {"number": "$.detail.number", "id": "$.id"},
        "InputTemplate": '{"number": <number>, "id": "<id>", "rule": <aws.events.rule-name>}',
    }
    target = {"Arn": queue.arn, "InputTransformer": transformer}
    name = rule(aws, bus, target, detail={"number": [{"numeric": [">", 5]}]})
    for number in (3, 8):
        put(aws, bus, number=number)
    (message,) = aws.receive(queue)
    body = json.loads(message["Body"])
    assert (body["number"], body["rule"]) == (8, name)


def test_rule_delivers_a_part_of_the_event(aws: "Aws", bus: str) -> None:
    queue = aws.queue()
    rule(aws, bus, {"Arn": queue.arn, "InputPath": "$.detail"})
    put(aws, bus, number=1)
    assert [json.loads(message["Body"]) for message in aws.receive(queue)] == [{"number": 1}]


def test_rule_starts_a_state_machine(aws: "Aws", bus: str) -> None:
    machine = aws.machine({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    rule(aws, bus, {"Arn": machine, "RoleArn": aws.everything_role()})
    put(aws, bus)
    (execution,) = aws.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert aws.end_of(execution["executionArn"])["input"].startswith("{")


def test_function_that_fails_on_an_event_is_tried_again(aws: "Aws", bus: str) -> None:
    queue = aws.queue()
    function = aws.function(f"""
import boto3
calls = []
def handler(event, context):
    calls.append(1)
    assert len(calls) > 1
    boto3.client("sqs").send_message(QueueUrl="{queue.url}", MessageBody=str(len(calls)))
""")
    rule(aws, bus, {"Arn": function})
    put(aws, bus)
    assert [message["Body"] for message in aws.receive(queue)] == ["2"]


def test_event_for_a_missing_target_goes_to_its_dead_letter_queue(aws: "Aws", bus: str) -> None:
    dead = aws.queue()
    missing = "arn:aws:lambda:us-east-1:000000000000:function:missing"
    rule(aws, bus, {"Arn": missing, "DeadLetterConfig": {"Arn": dead.arn}, "InputPath": "$.detail"})
    put(aws, bus, number=1)
    (message,) = aws.receive(dead)
    assert json.loads(message["Body"])["detail"] == {"number": 1}
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == missing


def test_archived_events_can_be_replayed(aws: "Aws", bus: str) -> None:
    events, queue = aws.client("events"), aws.queue()
    bus_arn = events.describe_event_bus(Name=bus)["Arn"]
    archive = events.create_archive(ArchiveName=unique("archive"), EventSourceArn=bus_arn)["ArchiveArn"]
    begun = time.time() - 5
    put(aws, bus, number=1)
    rule(aws, bus, {"Arn": queue.arn})
    events.start_replay(
        ReplayName=unique("replay"),
        EventSourceArn=archive,
        EventStartTime=begun,
        EventEndTime=time.time() + 5,
        Destination={"Arn": bus_arn},
    )
    (message,) = aws.receive(queue)
    assert "replay-name" in json.loads(message["Body"])


def test_archive_can_be_deployed(aws: "Aws", bus: str) -> None:
    bus_arn = aws.client("events").describe_event_bus(Name=bus)["Arn"]
    properties = {"SourceArn": bus_arn, "EventPattern": {"source": ["shop"]}, "RetentionDays": 30}
    outputs = aws.stack(
        {"Archive": {"Type": "AWS::Events::Archive", "Properties": properties}}, {"Name": {"Ref": "Archive"}}
    )
    put(aws, bus)
    archive = aws.client("events").describe_archive(ArchiveName=outputs["Name"])
    assert (archive["EventCount"], archive["RetentionDays"]) == (1, 30)


def test_schedule_fires_at_the_scaled_rate(aws: "Aws") -> None:
    events, queue = aws.client("events"), aws.queue()
    events.put_rule(Name="each-minute", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="each-minute", Targets=[{"Id": "1", "Arn": queue.arn}])
    begun = time.monotonic()
    assert len(aws.receive(queue, 2)) == 2
    assert 1 <= time.monotonic() - begun < 50
    events.disable_rule(Name="each-minute")


def test_mgn_events_come_from_the_simulator_and_not_from_handlers(aws: "Aws") -> None:
    entry = {"Source": "aws.mgn", "DetailType": "MGN Source Server Launch Result", "Detail": "{}"}
    put = f"import boto3\ndef handler(event, context): return boto3.client('events').put_events(Entries=[{entry!r}])"
    from_handler = aws.invoke(aws.function(put))["payload"]
    assert from_handler["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    other = {**entry, "Source": "aws.ec2"}
    assert aws.client("events").put_events(Entries=[other])["FailedEntryCount"] == 1
