"""Putting messages on the queue or the bus, in as few calls as AWS takes."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cli.deployed import Deployed
from cli.exits import UnreachableError
from cli.reading.requests import Message
from runtime.models.events import REQUEST_DETAIL_TYPE, MigrationSignal

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

SOURCE = "migration.cli"
PER_CALL = 10
QUEUE_BYTES = 1024 * 1024
BUS_BYTES = 256 * 1024
ATTEMPTS = 3
PAUSE_SECONDS = 0.2
SHOWN_REFUSALS = 5
PASSING_BUS_FAULTS = frozenset({"InternalException", "InternalFailure", "ThrottlingException"})


class Via(StrEnum):
    """Which door a request or a decision goes through."""

    SQS = "sqs"
    EVENTBRIDGE = "eventbridge"


@dataclass(frozen=True)
class Sent:
    """A message that AWS took, and the id AWS gave it."""

    message: Message
    id: str


@dataclass(frozen=True)
class Answer:
    """What AWS said to one entry of a batch: an id, or why not and whether to try again."""

    id: str | None = None
    fault: str = ""
    passing: bool = False


Call = Callable[[Sequence[int]], dict[int, Answer]]


def _no_matter(count: int) -> None:
    """Nobody wants to know how far it is."""


def send(
    deployed: Deployed, messages: Sequence[Message], via: Via, sent: Callable[[int], None] = _no_matter
) -> list[Sent]:
    """Send every message; raises UnreachableError naming those that were refused. `sent` hears how many went."""
    names = [f"{message.file}:{message.line}" for message in messages]
    bodies = [message.body for message in messages]
    if via is Via.SQS:
        ids = _to_queue(deployed, deployed.deployment.queue_url, names, bodies, sent)
    else:
        ids = _to_bus(deployed, names, REQUEST_DETAIL_TYPE, bodies, sent)
    return [Sent(message, id_) for message, id_ in zip(messages, ids, strict=True)]


def send_signals(
    deployed: Deployed, signals: Sequence[MigrationSignal], via: Via, sent: Callable[[int], None] = _no_matter
) -> list[str]:
    """Send decisions; the ids AWS gave them. A stage that an earlier release deployed hears them on the bus only."""
    names = [signal.migration_id for signal in signals]
    bodies = [signal.to_json() for signal in signals]
    queue_url = deployed.deployment.decisions_queue_url
    if via is Via.SQS and queue_url is not None:
        return _to_queue(deployed, queue_url, names, bodies, sent)
    return _to_bus(deployed, names, MigrationSignal.detail_type, bodies, sent)


def batches(sizes: Sequence[int], limit: int) -> Iterator[range]:
    """Consecutive runs of at most PER_CALL indexes and `limit` bytes; what is larger goes alone."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == PER_CALL or total + size > limit):
            yield range(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield range(start, len(sizes))


def _to_queue(
    deployed: Deployed, queue_url: str, names: Sequence[str], bodies: Sequence[str], sent: Callable[[int], None]
) -> list[str]:
    sizes = [len(body.encode()) for body in bodies]
    return _deliver(names, sizes, QUEUE_BYTES, _queue_call(deployed, queue_url, bodies), sent)


def _to_bus(
    deployed: Deployed,
    names: Sequence[str],
    detail_type: str,
    details: Sequence[str],
    sent: Callable[[int], None],
) -> list[str]:
    overhead = len(SOURCE) + len(detail_type)
    sizes = [len(detail.encode()) + overhead for detail in details]
    return _deliver(names, sizes, BUS_BYTES, _bus_call(deployed, detail_type, details), sent)


def _deliver(
    names: Sequence[str], sizes: Sequence[int], limit: int, call: Call, sent: Callable[[int], None]
) -> list[str]:
    """AWS answers entry by entry: what could not be taken for the moment goes again."""
    answers: dict[int, Answer] = {}
    for batch in batches(sizes, limit):
        waiting: Sequence[int] = batch
        for attempt in range(ATTEMPTS):
            answers |= call(waiting)
            waiting = [index for index in waiting if answers[index].passing]
            if not waiting:
                break
            time.sleep(PAUSE_SECONDS * 2**attempt)
        sent(len(batch))
    refused = [f"  {names[index]}: {answer.fault}" for index, answer in answers.items() if answer.id is None]
    if refused:
        more = [f"  and {len(refused) - SHOWN_REFUSALS} more"] if len(refused) > SHOWN_REFUSALS else []
        raise UnreachableError(
            f"{len(refused)} of {len(names)} messages were refused, the others were sent; "
            "correct these and send the file again, an id is accepted only once\n"
            + "\n".join(refused[:SHOWN_REFUSALS] + more)
        )
    return [answer.id for _, answer in sorted(answers.items()) if answer.id is not None]


def _queue_call(deployed: Deployed, queue_url: str, bodies: Sequence[str]) -> Call:
    def call(indexes: Sequence[int]) -> dict[int, Answer]:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": bodies[index]} for index in indexes
        ]
        answer = deployed.queues.send_message_batch(QueueUrl=queue_url, Entries=entries)
        taken = {int(one["Id"]): Answer(id=one["MessageId"]) for one in answer.get("Successful", [])}
        refused = {
            int(one["Id"]): Answer(fault=f"{one['Code']}: {one.get('Message', '')}", passing=not one["SenderFault"])
            for one in answer.get("Failed", [])
        }
        return taken | refused

    return call


def _bus_call(deployed: Deployed, detail_type: str, details: Sequence[str]) -> Call:
    def call(indexes: Sequence[int]) -> dict[int, Answer]:
        bus = deployed.deployment.event_bus_name
        entries: list[PutEventsRequestEntryTypeDef] = [
            {"Source": SOURCE, "DetailType": detail_type, "Detail": details[index], "EventBusName": bus}
            for index in indexes
        ]
        results = deployed.buses.put_events(Entries=entries)["Entries"]
        return {
            index: Answer(id=result["EventId"])
            if "EventId" in result
            else Answer(
                fault=f"{result.get('ErrorCode')}: {result.get('ErrorMessage', '')}",
                passing=result.get("ErrorCode") in PASSING_BUS_FAULTS,
            )
            for index, result in zip(indexes, results, strict=True)
        }

    return call
