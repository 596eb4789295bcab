"""How the pipeline grows: ten thousand servers in four accounts, each a world of its own, two at a time."""

import gc
import math
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any, NamedTuple

from runtime.models.functions.catalogue import DISPATCH_LAUNCHES
from runtime.models.functions.environment import Budgets
from runtime.models.status import MigrationStatus
from tests.builders import a_request
from tests.pipeline.asl import Json
from tests.pipeline.test_dispatch import BusyAccount
from tests.pipeline.test_pipeline import launches
from tests.pipeline.world import EVENT_LATENCY

ACCOUNTS = 4
SIZES = (100, 300, 1_000, 3_000, 10_000)
DESCRIBES = ("DescribeSourceServers", "DescribeJobs", "DescribeJobLogItems")


class Growth(NamedTuple):
    """What so many migrations took, in all accounts together."""

    migrations: int
    cpu: float
    rows: int
    """Items that reading waits and their places returned."""
    describes: int
    completed: int
    twice: int
    """Servers launched twice."""
    seconds: float = 0
    megabytes: float = 0
    """Of all processes at their largest."""


def migrate(servers: int, hears_events: bool = True) -> Growth:
    """So many servers of one account that begin at once, each with a test before its cutover."""
    # A world keeps what it made: there is nothing to collect, and looking for it costs a fifth of the time.
    gc.disable()
    began = time.process_time()
    world = BusyAccount(servers, budgets=Budgets())
    world.delivers_events = lambda _: (EVENT_LATENCY,) if hears_events else ()
    world.submit(*(a_request(f"m-{name}", source_vm_id=name) for name in world.ours))
    world.run(hours=24 * 30)
    calls = Counter(entry["operation"] for entry in world.simulator.log(kind="call"))
    ends = Counter(record.status for record in world.migrations.records.values())
    found = Growth(
        migrations=servers,
        cpu=time.process_time() - began,
        rows=world.waits.rows,
        describes=sum(calls[name] for name in DESCRIBES),
        completed=ends[MigrationStatus.COMPLETED],
        twice=sum(count > 1 for count in launches(world).values()),
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    )
    gc.enable()
    return found


def grow(servers: int, *, hears_events: bool = True) -> Growth:
    """The same in four accounts, on as many processors as there are."""
    shares = [servers // ACCOUNTS] * ACCOUNTS
    began = time.monotonic()
    workers = min(ACCOUNTS, os.cpu_count() or 1)
    # Forked, so that what they only read is there once.
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        accounts = list(pool.map(migrate, shares, [hears_events] * ACCOUNTS))
    return _together(accounts, time.monotonic() - began, workers)


def _together(accounts: Sequence[Growth], seconds: float, workers: int) -> Growth:
    largest = sorted((account.megabytes for account in accounts), reverse=True)[:workers]
    return Growth(
        migrations=sum(account.migrations for account in accounts),
        cpu=sum(account.cpu for account in accounts),
        rows=sum(account.rows for account in accounts),
        describes=sum(account.describes for account in accounts),
        completed=sum(account.completed for account in accounts),
        twice=sum(account.twice for account in accounts),
        seconds=seconds,
        megabytes=sum(largest),
    )


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The power of x that y grows with: the slope of the straight line through their logarithms."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


SECONDS = {
    "decisions": 0.01,
    "dispatches": 0.01,
    "instances": 0.3,
    "launch_settings": 0.3,
    "mgn": 0.2,
    "migrations": 0.02,
    "resumer": 0.03,
    "tokens": 0.01,
    "waits": 0.02,
    "wakes": 0.02,
}
"""What a call of each port takes: more than it takes AWS most of the time."""

ROW = 0.000_2
"""Seconds for each wait that is read."""


class SlowAccount(BusyAccount):
    """Every call of AWS takes time, in which the function that makes it runs and what it does comes later.

    One dispatcher looks at a time: what wakes it meanwhile waits for it.
    """

    def __init__(self, servers: int, **surroundings: Any) -> None:
        self.longest = Counter[str]()
        """By function, for how long it ran at most."""
        self._busy_until = 0.0
        super().__init__(servers, budgets=Budgets(), **surroundings)
        for port, seconds in SECONDS.items():
            setattr(self, port, _Slow(getattr(self, port), self._pass, seconds))

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.spent if self.running else 0)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        super().later(seconds + (self.spent if self.running else 0), action)

    def _pass(self, seconds: float) -> None:
        self.spent += seconds

    def _call(self, name: str, payload: Json) -> Json:
        self.spent = 0
        try:
            return super()._call(name, payload)
        finally:
            self.longest[name] = max(self.longest[name], self.spent)

    def _receive(self, name: str, event: Json, *more: Any) -> None:
        clock = self.simulator.clock.now()
        if name == DISPATCH_LAUNCHES.name and clock < self._busy_until:
            self.later(self._busy_until - clock, lambda: self._receive(name, event, *more))
            return
        super()._receive(name, event, *more)
        if name == DISPATCH_LAUNCHES.name:
            self._busy_until = clock + self.spent


class _Slow:
    """A port whose calls take time; a call of the world itself takes none."""

    def __init__(self, port: Any, let_pass: Callable[[float], None], seconds: float) -> None:
        self._port, self._let_pass, self._seconds = port, let_pass, seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            self._let_pass(self._seconds)
            before = getattr(self._port, "rows", 0)
            answer = found(*args, **kwargs)
            self._let_pass(ROW * (getattr(self._port, "rows", 0) - before))
            return answer

        return called


def at_once_where_calls_take_time(servers: int) -> SlowAccount:
    """So many that begin in one moment, brought to their ends."""
    world = SlowAccount(servers)
    world.submit(*(a_request(f"m-{name}", source_vm_id=name, test=False) for name in world.ours))
    world.run(hours=24 * 30)
    return world
