"""Native events through boto3 EventBridge."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simulator.effects.lanes import InlineLanes, Lanes
from simulator.model.account.ports import NativeEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventRefusedError(Exception):
    """The bus did not take an event."""


class BotoBus:
    """The default bus of an EventBridge endpoint, in the order of events, best effort."""

    def __init__(self, client: "EventBridgeClient", lanes: Lanes | None = None) -> None:
        self._client = client
        self._lanes = lanes or InlineLanes()

    def publish(self, event: NativeEvent) -> None:
        self._lanes.submit("events", lambda: self._put(event))

    def clear(self) -> None:
        return None

    def _put(self, event: NativeEvent) -> None:
        answer = self._client.put_events(
            Entries=[
                {
                    "Source": "aws.mgn",
                    "DetailType": event.detail_type,
                    "Time": datetime.fromtimestamp(event.at, UTC),
                    "Resources": [event.resource],
                    "Detail": json.dumps(dict(event.detail)),
                }
            ]
        )
        if answer["FailedEntryCount"]:
            # AWS and faithful engines refuse sources that begin with `aws.`; the engine must be told to let it in.
            raise EventRefusedError(f"{event.detail_type}: {answer['Entries'][0].get('ErrorMessage', 'refused')}")
