"""Many launches at once inside MGN's quotas, judged from the simulator's own log (I3, I4, I10)."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.adapters.state.request_budget import limit_requests
from runtime.models.functions.environment import Budgets
from runtime.models.status import MigrationStatus
from simulator.model.forms.errors import MgnError
from simulator.scenario import Scenario, ServerSpec
from tests.builders import a_request
from tests.fakes import FakeRequestBudget
from tests.pipeline.direct_client import boto_client
from tests.pipeline.test_pipeline import launches
from tests.pipeline.world import World

S = MigrationStatus
ACTIVE_JOBS = 20
ACTIVE_SERVERS = 200
FOREIGN = 100


class BusyAccount(World):
    """A world that remembers how many launches waited, and in which others may hold half of MGN's quota."""

    def __init__(self, servers: int, *, foreign: int = 0, budgets: Budgets | None = None, **surroundings: Any) -> None:
        specs = [ServerSpec(name="vm-{n:04d}", count=servers)]
        specs += [ServerSpec(name="theirs-{n:03d}", count=foreign)] if foreign else []
        scenario = Scenario.model_validate({"servers": specs, "timings": {"jitter": 0.2}, "seed": 7})
        super().__init__(scenario, budgets=budgets or Budgets(look=20), **surroundings)
        self.waiting: list[tuple[float, int]] = []
        names = {server_id: server.name for server_id, server in self.simulator.account.servers.items()}
        self.ours = [name for name in names.values() if name.startswith("vm-")]
        self._theirs = [server_id for server_id, name in names.items() if name.startswith("theirs-")]
        for start in range(0, foreign, 10):
            self._launch_theirs(self._theirs[start : start + 10])

    def _launch_theirs(self, servers: list[str]) -> None:
        # Other people relaunch their tests without end, as soon as a job of theirs is over: MGN allows that.
        job = None
        with suppress(MgnError):
            job = self.simulator.call("StartTest", sourceServerIDs=servers)["job"]["jobID"]

        def again() -> None:
            if job in self.simulator.account.active_jobs:
                self.later(0.25, again)
            else:
                self._launch_theirs(servers)

        self.later(0.25, again)

    def is_over(self) -> bool:
        return len(self.migrations.records) == len(self.ours) and super().is_over()

    def _step(self) -> None:
        super()._step()
        self.waiting.append((self.simulator.clock.now(), self.waits.asking))

    def usage(self) -> list[tuple[float, int, int]]:
        """When jobs began or ended: the moment, active jobs and the servers in them."""
        return [
            (datetime.fromisoformat(entry["time"]).timestamp(), entry["activeJobs"], entry["activeServers"])
            for entry in self.simulator.log(kind="job")
            if "activeJobs" in entry
        ]

    def use_while_more_wait(self) -> float:
        """The share of the server quota that was used, over the time in which more launches waited than it had room."""
        used = total = 0.0
        usage = iter(self.usage())
        upcoming, active = next(usage, None), 0
        for (start, waiting), (end, _) in pairwise(self.waiting):
            while upcoming and upcoming[0] <= start:
                active, upcoming = upcoming[2], next(usage, None)
            if waiting > ACTIVE_SERVERS - active:
                used += active * (end - start)
                total += ACTIVE_SERVERS * (end - start)
        return used / total

    def refused_launches(self) -> list[str]:
        """The outcomes of launch calls MGN did not take."""
        calls = (entry for entry in self.simulator.log(kind="call") if entry["operation"].startswith("Start"))
        return [entry["outcome"] for entry in calls if entry["outcome"] != "ok"]


@pytest.mark.parametrize(
    ("requests", "foreign"), [(1_000, 0), (250, FOREIGN)], ids=["a thousand alone", "others hold half of the quota"]
)
def test_requests_at_once_fill_the_quota_and_never_exceed_it(requests: int, foreign: int) -> None:
    world = BusyAccount(requests, foreign=foreign)
    world.submit(*(a_request(f"m-{name}", source_vm_id=name, test=foreign > 0) for name in world.ours))
    world.run(hours=96)

    assert Counter(record.status for record in world.migrations.records.values()) == {S.COMPLETED: requests}
    assert max(jobs for _, jobs, _ in world.usage()) <= ACTIVE_JOBS
    assert max(servers for _, _, servers in world.usage()) == ACTIVE_SERVERS
    assert world.use_while_more_wait() >= 0.95
    ours = {key: times for key, times in launches(world).items() if key[1] not in world._theirs}
    assert set(ours.values()) == {1}
    assert len(ours) == requests * (2 if foreign else 1)
    # The simulator keeps the quotas whatever is asked for. That we keep them shows in what it need not refuse.
    assert foreign or world.refused_launches() == []


@pytest.mark.parametrize(("requests", "seconds"), [(300, 60), (300, 300)])
def test_requests_that_arrive_one_by_one_fill_the_quota_too(requests: int, seconds: int) -> None:
    world = BusyAccount(requests)
    for number, name in enumerate(world.ours):
        request = a_request(f"m-{name}", source_vm_id=name, test=False)
        world.later(number * seconds / requests, lambda request=request: world.submit(request))  # type: ignore[misc]
    world.run(hours=96)

    assert Counter(record.status for record in world.migrations.records.values()) == {S.COMPLETED: requests}
    assert world.use_while_more_wait() >= 0.95
    assert world.refused_launches() == []


class BudgetedAccount(BusyAccount):
    """A busy account whose MGN gets only so many requests a second; who has begun and pauses lets time pass."""

    def __init__(self, servers: int, *, per_second: int) -> None:
        super().__init__(servers)
        client = boto_client(self.simulator)
        clock = self.simulator.clock.now
        budget = FakeRequestBudget(per_second, clock, self.simulator.advance, lambda: sum(self.invoked.values()))
        limit_requests(client, budget.take)
        self.mgn = MgnMigrationService(client, client)


def most_calls_in_a_second(world: World) -> int:
    times = (datetime.fromisoformat(entry["time"]) for entry in world.simulator.log(kind="call"))
    return max(Counter(int(time.timestamp()) for time in times).values())


@pytest.mark.parametrize(
    ("account", "most"),
    [(lambda: BudgetedAccount(100, per_second=20), 20), (lambda: BusyAccount(100), None)],
    ids=["with the shared budget", "without"],
)
def test_hundred_that_begin_at_once_stampede_only_without_a_shared_budget(
    account: Callable[[], BusyAccount], most: int | None
) -> None:
    world = account()
    world.submit(*(a_request(f"m-{name}", source_vm_id=name, test=False) for name in world.ours))
    world.run()
    assert Counter(record.status for record in world.migrations.records.values()) == {S.COMPLETED: 100}
    found = most_calls_in_a_second(world)
    assert found <= most if most else found > 250, found
