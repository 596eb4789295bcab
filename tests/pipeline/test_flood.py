"""A sender that floods the stage with requests for servers nobody has delays itself, not the others (I1, I4)."""

from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import cycle
from typing import Any

import pytest

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.adapters.state.request_budget import limit_requests
from runtime.models.request import MigrationRequest
from runtime.models.status import MigrationStatus
from simulator.scenario import Scenario, ServerSpec
from tests.builders import a_request, server_id
from tests.fakes import FakeRequestBudget
from tests.pipeline.asl import Json
from tests.pipeline.direct_client import boto_client
from tests.pipeline.world import World

S = MigrationStatus
GOOD, BOGUS = 50, 2_000
PER_SECOND = 16
"""Requests that MGN gets from all steps together."""
ENVIRONMENTS = 10
"""Each has an adapter of its own, with what that one remembers."""
ADA, EVE = "AROA0000000000000OPS:ada@example.com", "AROA0000000000000OPS:eve@example.com"

Bogus = Callable[[int], MigrationRequest]


def by_name(number: int) -> MigrationRequest:
    return a_request(f"bogus-{number}", source_vm_id=f"nobody-{number}")


def by_id(number: int) -> MigrationRequest:
    return a_request(f"bogus-{number}", source_vm_id="nobody", source_server_id=server_id(900_000 + number))


class Flooded(World):
    """Good requests of one sender, and before them, all at once or over a minute, bogus ones of another."""

    def __init__(self, bogus: Bogus | None, *, over_seconds: float = 0) -> None:
        super().__init__(Scenario(servers=(ServerSpec(name="vm-{n:04d}", count=GOOD),)))
        budget = FakeRequestBudget(
            PER_SECOND, self.simulator.clock.now, self._sleep, lambda: sum(self.invoked.values())
        )
        self._environments = cycle([self._environment(budget) for _ in range(ENVIRONMENTS)])
        self._expected = GOOD + (BOGUS if bogus else 0)
        self.began = self.simulator.clock.now()
        for number in range(BOGUS if bogus else 0):
            assert bogus is not None
            send = partial(self.submit, bogus(number), sender=EVE)
            self.later(over_seconds * number / BOGUS, send)
        good = [a_request(f"good-{n}", source_vm_id=f"vm-{n:04d}", test=False) for n in range(1, GOOD + 1)]
        self.later(over_seconds / 2, partial(self.submit, *good, sender=ADA))
        self.run()

    def is_over(self) -> bool:
        return len(self.migrations.records) == self._expected and super().is_over()

    def _environment(self, budget: FakeRequestBudget) -> MgnMigrationService:
        client: Any = boto_client(self.simulator)
        limit_requests(client, budget.take)
        return MgnMigrationService(client, client)

    def _sleep(self, seconds: float) -> None:
        self.simulator.advance(seconds)

    def _call(self, name: str, payload: Json) -> Json:
        if name == "validate_input":
            self.mgn = next(self._environments)
        return super()._call(name, payload)

    def checked(self) -> dict[str, float]:
        """After how many seconds each good request had found its server."""
        found = {}
        for name, journal in self.migrations.journals.items():
            for entry in journal:
                if entry.facts.source_server_id and name.startswith("good-"):
                    found[name] = entry.at.timestamp() - self.began
        return found

    def ended(self) -> Counter[MigrationStatus]:
        return Counter(record.status for record in self.migrations.records.values())


@cache
def alone(over_seconds: float) -> dict[str, float]:
    """When the good requests have found their servers where nobody else sends any."""
    return Flooded(None, over_seconds=over_seconds).checked()


@pytest.mark.parametrize(
    ("bogus", "over_seconds"),
    [(by_name, 0), (by_name, 60), (by_id, 0)],
    ids=["names at once", "names over a minute", "ids at once"],
)
def test_two_thousand_bogus_requests_delay_fifty_good_ones_by_less_than_a_minute(
    bogus: Bogus, over_seconds: float
) -> None:
    world = Flooded(bogus, over_seconds=over_seconds)
    assert world.ended() == {S.COMPLETED: GOOD, S.REJECTED: BOGUS}
    undisturbed, disturbed = alone(over_seconds), world.checked()
    assert len(disturbed) == GOOD
    assert max(disturbed[name] - undisturbed[name] for name in disturbed) < 60
