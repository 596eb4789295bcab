"""A crowd that finds neither Lambda nor MGN's requests enough for it is served in the end (I12)."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from runtime.models.functions.environment import Budgets
from runtime.models.status import MigrationStatus
from simulator.engine import Simulator
from tests.builders import a_request
from tests.fakes import FakeRequestBudget
from tests.pipeline.direct_client import DirectClient
from tests.pipeline.test_dispatch import BusyAccount
from tests.pipeline.test_pipeline import launches

PER_SECOND, OF_STEPS = 20, 16
INVOCATION, REQUEST = 0.3, 0.1
"""Seconds, besides each other."""


class CountedClient(DirectClient):
    """Has each request take its place first."""

    def __init__(self, take: Callable[[], None], simulator: Simulator) -> None:
        super().__init__(simulator)
        self._take = take

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._take()
        return super()._call(method, **parameters)


class CrowdedAccount(BusyAccount):
    """Its Lambda runs few invocations at a time, each takes time, and MGN gets so many requests a second."""

    def __init__(self, servers: int, *, concurrency: int, budgets: Budgets | None = None) -> None:
        self.sent: Counter[int] = Counter()
        self.slept = self.accepted_at = 0.0
        self._of_steps = self._budget(OF_STEPS)
        self._of_dispatcher = self._budget(PER_SECOND)
        super().__init__(
            servers,
            budgets=budgets or Budgets(look=20),
            client=partial(CountedClient, self._take),
            concurrency=concurrency,
            seconds=INVOCATION,
        )

    def _budget(self, per_second: int) -> FakeRequestBudget:
        return FakeRequestBudget(per_second, self._moment, self._sleep, lambda: sum(self.invoked.values()), self.sent)

    def _take(self) -> None:
        (self._of_dispatcher if self.running == "dispatch_launches" else self._of_steps).take()
        self.spent += REQUEST

    def _moment(self) -> float:
        return self.simulator.clock.now() + self.spent

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.spent += seconds


def crowd(requests: int, concurrency: int) -> CrowdedAccount:
    """So many migrations that begin in the same moment, brought to their ends."""
    world = CrowdedAccount(requests, concurrency=concurrency)
    world.accepted_at = world.simulator.clock.now()
    world.submit(*(a_request(f"m-{name}", source_vm_id=name, test=False) for name in world.ours))
    world.run(hours=96)
    return world


def test_i12_crowd_in_an_account_with_little_concurrency_ends_right() -> None:
    world = crowd(300, concurrency=15)
    assert Counter(record.status for record in world.migrations.records.values()) == {MigrationStatus.COMPLETED: 300}
    assert set(launches(world).values()) == {1}
    assert world.most_at_work == 15
    assert world.refused.total() > 300
    assert max(world.sent.values()) <= PER_SECOND
