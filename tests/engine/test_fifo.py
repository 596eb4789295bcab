"""FIFO queues of the local engine and the functions that read them."""

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.engine.conftest import Aws, Queue

# Tells of each batch: when it began and ended, and whose messages it held.
READER = """
import boto3, json, os, time
sqs = boto3.client("sqs")
def handler(event, context):
    records, begun = event["Records"], time.time()
    if not records: return
    time.sleep(float(os.environ["SECONDS"]))
    flight = {"begun": begun, "ended": time.time(), "bodies": [r["body"] for r in records],
              "groups": [r["attributes"]["MessageGroupId"] for r in records]}
    sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(flight))
    bodies = flight["bodies"]
    unfinished = records[bodies.index("bad"):] if "bad" in bodies else []
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in unfinished]}
"""

Flight = dict[str, Any]


def fifo(aws: "Aws", **attributes: str) -> "Queue":
    return aws.queue(suffix=".fifo", FifoQueue="true", VisibilityTimeout="2", **attributes)


def read(aws: "Aws", queue: "Queue", seconds: float = 0) -> "Queue":
    """A queue of the batches that a function was given of this queue."""
    seen = aws.queue()
    function = aws.function(READER, Environment={"Variables": {"SEEN": seen.url, "SECONDS": str(seconds)}})
    # A cold start could outlast the short visibility timeout.
    aws.invoke(function, {"Records": []})
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=queue.arn,
        FunctionName=function,
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return seen


def send(aws: "Aws", queue: "Queue", *bodies: str, group: str = "group") -> None:
    for body in bodies:
        aws.client("sqs").send_message(
            QueueUrl=queue.url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"{group}-{body}"
        )


def flights(aws: "Aws", seen: "Queue", count: int, seconds: float = 8) -> list[Flight]:
    found = [json.loads(message["Body"]) for message in aws.receive(seen, count, seconds)]
    return sorted(found, key=lambda flight: float(flight["begun"]))


def bodies(found: list[Flight]) -> list[list[str]]:
    return [flight["bodies"] for flight in found]


def test_batches_of_a_group_are_in_flight_one_at_a_time_and_in_order(aws: "Aws") -> None:
    queue = fifo(aws)
    names = [str(number) for number in range(25)]
    send(aws, queue, *names[:12])
    seen = read(aws, queue, seconds=0.4)
    for name in names[12:]:
        send(aws, queue, name)
        time.sleep(0.05)
    found: list[Flight] = []
    while [name for batch in bodies(found) for name in batch] != names:
        more = flights(aws, seen, 1)
        assert more, bodies(found)
        found += more
    assert len(found) >= 3
    assert all(len(batch) <= 10 for batch in bodies(found))
    for earlier, later in pairwise(found):
        assert earlier["ended"] <= later["begun"]


def test_message_is_dropped_if_its_deduplication_id_was_seen_even_if_handled_since(aws: "Aws") -> None:
    queue = fifo(aws)
    seen = read(aws, queue)
    send(aws, queue, "a")
    assert bodies(flights(aws, seen, 1)) == [["a"]]
    send(aws, queue, "a", "b")
    assert bodies(flights(aws, seen, 1)) == [["b"]]


def test_delay_of_a_queue_gathers_its_messages_in_one_batch(aws: "Aws") -> None:
    queue = fifo(aws, DelaySeconds="2")
    seen = read(aws, queue)
    sent = time.time()
    send(aws, queue, *"abcd")
    (flight,) = flights(aws, seen, 1)
    assert flight["bodies"] == [*"abcd"]
    assert flight["begun"] - sent >= 2


def test_failed_message_holds_its_group_back_until_it_goes_to_the_dead_letter_queue(aws: "Aws") -> None:
    dead = fifo(aws)
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    queue = fifo(aws, RedrivePolicy=redrive)
    send(aws, queue, "a", "bad", "c")
    seen = read(aws, queue)
    found = flights(aws, seen, 2)
    assert bodies(found) == [["a", "bad", "c"], ["bad", "c"]]
    assert found[1]["begun"] - found[0]["begun"] >= 1
    # What it held back counts as received, too.
    assert [message["Body"] for message in aws.receive(dead, 2)] == ["bad", "c"]


def test_failed_message_does_not_hold_other_groups_back(aws: "Aws") -> None:
    queue = fifo(aws)
    send(aws, queue, "bad")
    seen = read(aws, queue)
    assert bodies(flights(aws, seen, 1)) == [["bad"]]
    send(aws, queue, "after")
    send(aws, queue, "other", group="other")
    assert bodies(flights(aws, seen, 2))[:2] == [["other"], ["bad", "after"]]
