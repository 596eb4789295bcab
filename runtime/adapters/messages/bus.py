"""The migration bus behind the EventBus port."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runtime.adapters.aws.faults import aws_faults
from runtime.errors import ServiceUnavailableError
from runtime.models.events import SOURCE, BusEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

ENTRIES_PER_CALL = 10
BYTES_PER_CALL = 256 * 1024


class EventBridgeBus:
    """One custom event bus. The time of an event is left to EventBridge."""

    def __init__(self, client: "EventBridgeClient", bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, events: Sequence[BusEvent]) -> None:
        for batch in _batches([self._entry(event) for event in events]):
            refused, _ = self._put(batch)
            # A batch is taken entry by entry, so only the refused ones go again.
            still_refused, codes = self._put(refused) if refused else ([], set())
            if still_refused:
                raise ServiceUnavailableError(f"PutEvents refused {len(still_refused)} events: {', '.join(codes)}")

    def _entry(self, event: BusEvent) -> "PutEventsRequestEntryTypeDef":
        entry: PutEventsRequestEntryTypeDef = {
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Detail": event.to_json(),
            "EventBusName": self._bus_name,
        }
        if trace := os.environ.get("_X_AMZN_TRACE_ID"):
            entry["TraceHeader"] = trace
        return entry

    def _put(
        self, entries: "Sequence[PutEventsRequestEntryTypeDef]"
    ) -> "tuple[list[PutEventsRequestEntryTypeDef], set[str]]":
        with aws_faults():
            results = self._client.put_events(Entries=entries)["Entries"]
        failed = [(entry, result) for entry, result in zip(entries, results, strict=True) if "ErrorCode" in result]
        return [entry for entry, _ in failed], {result["ErrorCode"] for _, result in failed}


def _size(entry: "PutEventsRequestEntryTypeDef") -> int:
    counted = (entry["Source"], entry["DetailType"], entry["Detail"])
    return sum(len(text.encode()) for text in counted)


def _batches(entries: "Sequence[PutEventsRequestEntryTypeDef]") -> "Iterator[list[PutEventsRequestEntryTypeDef]]":
    batch: list[PutEventsRequestEntryTypeDef] = []
    for entry in entries:
        if batch and (len(batch) == ENTRIES_PER_CALL or sum(map(_size, [*batch, entry])) > BYTES_PER_CALL):
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch
