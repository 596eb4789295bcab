"""What every EventBus does: the fake, and the EventBridge adapter on moto with a queue behind the bus."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from runtime.adapters.messages.bus import EventBridgeBus
from runtime.errors import ServiceUnavailableError
from runtime.logic.ports import EventBus
from runtime.models.events import SOURCE, BusEvent, MigrationRequested, status_events
from tests.builders import a_record, an_entry
from tests.contract.aws import aws
from tests.fakes import FakeBus

BUS = "migrations"


def requested(number: int, app_name: str = "billing") -> MigrationRequested:
    return MigrationRequested(migration_id=f"mig-{number}", correlation_id=f"cor-{number}", app_name=app_name, wave="1")


@pytest.fixture(params=["fake", "eventbridge"])
def world(request: pytest.FixtureRequest) -> Iterator[tuple[EventBus, Callable[[], list[tuple[str, Any]]]]]:
    if request.param == "fake":
        fake = FakeBus()
        yield fake, lambda: [(event.detail_type, json.loads(event.to_json())) for event in fake.published]
        return
    with mock_aws():
        events, sqs = aws("events"), aws("sqs")
        events.create_event_bus(Name=BUS)
        queue = sqs.create_queue(QueueName="all")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": [SOURCE]}))
        events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])

        def received() -> list[tuple[str, Any]]:
            found = []
            while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    event = json.loads(message["Body"])
                    found.append((event["detail-type"], event["detail"]))
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return found

        yield EventBridgeBus(events, BUS), received


def test_published_events_arrive_with_their_type(world: Any) -> None:
    bus, received = world
    record = a_record()
    events: list[BusEvent] = [requested(1), *status_events(record, an_entry(record))]
    bus.publish(events)
    assert received() == [(event.detail_type, json.loads(event.to_json())) for event in events]


def test_more_events_than_one_call_takes(world: Any) -> None:
    bus, received = world
    bus.publish([requested(number) for number in range(23)])
    assert {detail["migrationId"] for _, detail in received()} == {f"mig-{number}" for number in range(23)}


def test_nothing_is_published_as_nothing(world: Any) -> None:
    bus, received = world
    bus.publish([])
    assert received() == []


class Refusing:
    """EventBridge that refuses what its turn says, entry by entry."""

    def __init__(self, *refused: set[int]) -> None:
        self.turns = list(refused)
        self.calls: list[list[Any]] = []

    def put_events(self, *, Entries: list[Any]) -> Any:
        self.calls.append(list(Entries))
        refused = self.turns.pop(0) if self.turns else set()
        results = [{"ErrorCode": "InternalFailure"} if n in refused else {"EventId": "1"} for n in range(len(Entries))]
        return {"FailedEntryCount": len(refused), "Entries": results}

    def publish(self, events: list[MigrationRequested]) -> None:
        client: Any = self
        EventBridgeBus(client, BUS).publish(events)


def test_refused_entries_alone_go_again() -> None:
    events = Refusing({1})
    events.publish([requested(number) for number in range(3)])
    assert [len(call) for call in events.calls] == [3, 1]
    assert json.loads(events.calls[1][0]["Detail"])["migrationId"] == "mig-1"


def test_entry_refused_twice_is_an_error() -> None:
    with pytest.raises(ServiceUnavailableError, match="InternalFailure"):
        Refusing({0}, {0}).publish([requested(1)])


def test_calls_stay_below_the_size_limit() -> None:
    events = Refusing()
    events.publish([requested(number, "x" * 128) for number in range(20)])
    assert [len(call) for call in events.calls] == [10, 10]
    large = requested(1).model_copy(update={"app_name": "x" * 100_000})
    events.publish([large] * 3)
    assert [len(call) for call in events.calls[2:]] == [2, 1]


def test_trace_goes_along_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Refusing()
    events.publish([requested(1)])
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
    events.publish([requested(1)])
    first, second = (call[0] for call in events.calls)
    assert "TraceHeader" not in first
    assert second["TraceHeader"] == "Root=1-5759e988-bd862e3fe1be46a994272793"
    assert "Time" not in second
