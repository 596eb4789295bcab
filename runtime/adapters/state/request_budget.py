"""The requests a second that all functions together send to the MGN of an account and Region."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runtime.adapters.state import items
from runtime.adapters.state.table import StateTable
from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.models.scope import Scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_mgn import MgnClient

KEPT = 3_600
"""Seconds for which a count is kept, for a person who wants to see what was sent."""

TRIES = 2
"""Shards a request asks for room. A crowd that finds a second full writes to each shard a share of the crowd only."""


class DynamoDbRequestBudget:
    """A count for each second in the state table, in shards that each have a part of the second's requests."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        scope: Scope,
        *,
        per_second: int,
        shards: int = 1,
        invocation: Callable[[], int],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        share: Callable[[], float] = random.random,
    ) -> None:
        """`invocation` tells one invocation of the function from the next; `share` is a number from 0 to below 1."""
        self._table = StateTable(client, table_name)
        self._scope = scope
        self._limits = [len(range(shard, per_second, shards)) for shard in range(shards)]
        self._invocation = invocation
        self._clock, self._sleep, self._share = clock, sleep, share
        self._begun: int | None = None
        self._full = 0

    def take(self) -> None:
        present, invocation = int(self._clock()), self._invocation()
        if not self._books(present):
            if self._begun != invocation or not self._books(present + 1):
                raise ThrottledError(f"{self._scope}: no more requests to MGN in this second")
            # Not all at its first moment: everybody who found the present one full goes out in it.
            self._sleep(max(0.0, present + 1 + self._share() - self._clock()))
        self._begun = invocation

    def _books(self, second: int) -> bool:
        if second <= self._full:
            return False
        first = int(self._share() * len(self._limits))
        for step in range(min(TRIES, len(self._limits))):
            if self._books_of(second, (first + step) % len(self._limits)):
                return True
        self._full = second
        return False

    def _books_of(self, second: int, shard: int) -> bool:
        key = items.requests_key(self._scope, second, shard)
        try:
            return self._table.book(key, below=self._limits[shard], expires_at=second + KEPT)
        except (ClientError, ServiceUnavailableError) as error:
            # Nothing was sent. As the fault it is, it would be taken for MGN's own answer to the request.
            raise ThrottledError(f"{self._scope}: request to MGN not counted: {type(error).__name__}") from error


def limit_requests(client: "MgnClient", take: Callable[[], None]) -> None:
    """Have each request of the client, botocore's own repetitions included, take its place in a budget first."""

    def before_request(**_: object) -> None:
        take()

    # Before the signer, whose signature would age meanwhile. Once for a client, however many ports are made over it.
    client.meta.events.register_first("request-created.mgn", before_request, unique_id="request-budget")
