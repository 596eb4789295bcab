"""The requests a second that all functions together send to the MGN of an account and Region."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from runtime.adapters.state import items
from runtime.adapters.state.table import StateTable
from runtime.errors import ThrottledError
from runtime.models.scope import Scope
from runtime.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_mgn import MgnClient

LONGEST_WAIT = 5
"""Seconds ahead a request is booked at most: a step or a look makes several, and none may cost it its time."""

KEPT = 3_600
"""Seconds for which a count is kept, for a person who wants to see what was sent."""


class DynamoDbRequestBudget:
    """A count for each second in the state table, raised by one write a request."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        scope: Scope,
        *,
        per_second: int,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        share: Callable[[], float] = random.random,
    ) -> None:
        """`share` says where in a booked second a request goes out, from 0 to 1."""
        self._table = StateTable(client, table_name)
        self._scope = scope
        self._per_second = per_second
        self._clock, self._sleep, self._share = clock, sleep, share

    def take(self) -> None:
        present = int(self._clock())
        for second in range(present, present + LONGEST_WAIT):
            if self._books(second):
                if second > present:
                    # Not all at its first moment: everybody who found the present one full goes out in it.
                    self._sleep(max(0.0, second + self._share() - self._clock()))
                return
        raise ThrottledError(
            f"{self._scope}: {self._per_second} requests to MGN are booked in each of {LONGEST_WAIT} seconds"
        )

    def _books(self, second: int) -> bool:
        try:
            return self._table.book(
                items.requests_key(self._scope, second), below=self._per_second, expires_at=second + KEPT
            )
        except Exception as error:
            # The budget spares MGN; a migration it kept from going on would be the greater harm.
            logger.warning("request to MGN not counted", extra={"scope": self._scope, "error": type(error).__name__})
            return True


def limit_requests(client: "MgnClient", take: Callable[[], None]) -> None:
    """Have each request of the client, botocore's own repetitions included, take its place in a budget first."""

    def before_request(**_: object) -> None:
        take()

    # Before the signer, whose signature would age meanwhile. Once for a client, however many ports are made over it.
    client.meta.events.register_first("request-created.mgn", before_request, unique_id="request-budget")
