"""Prints the pipeline's figures on a virtual clock: `python -m tests.pipeline.bench`."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from localcloud.added_time import added_figures, added_seconds, mgn_times
from localcloud.figures import ACTIVE_SERVERS, Figure, at_least, figures_table, quota_figures
from runtime.models.functions.catalogue import DISPATCH_LAUNCHES
from runtime.models.functions.environment import Budgets
from runtime.models.status import MigrationStatus
from tests.builders import a_request
from tests.pipeline.growth import (
    ACCOUNTS,
    SIZES,
    Growth,
    SlowAccount,
    at_once_where_calls_take_time,
    exponent,
    grow,
)
from tests.pipeline.test_crowd import CrowdedAccount, crowd
from tests.pipeline.test_dispatch import BusyAccount
from tests.pipeline.test_pipeline import launches
from tests.pipeline.world import EVENT_LATENCY, WAKE_LATENCY

SWEEP_SECONDS = 60

BETWEEN_WAVES = 600
"""So that MGN always has room for another job."""

ASSUMED = (
    f"Simulated seconds. The harness assumes {WAKE_LATENCY} s for a message of the queue and {EVENT_LATENCY} s for an "
    "event; handlers and AWS calls take no time."
)


class Rush(BusyAccount):
    """Migrations in one account, all at once or in waves, with the budgets of production."""

    def __init__(
        self, migrations: int, *, wave: int = 0, hears_events: bool = True, report: Callable[[str], None]
    ) -> None:
        super().__init__(migrations, budgets=Budgets())
        self.delivers_events = lambda _: (EVENT_LATENCY,) if hears_events else ()
        self.began = self.simulator.clock.now()
        self._report, self._reported = report, 0.0
        requests = [a_request(f"m-{name}", source_vm_id=name) for name in self.ours]
        self._waves = [requests[at : at + (wave or migrations)] for at in range(0, migrations, wave or migrations)]
        self._next_wave()
        self.run()
        self.seconds = self.simulator.clock.now() - self.began
        ends = Counter(record.status for record in self.migrations.records.values())
        assert ends == {MigrationStatus.COMPLETED: migrations}, ends

    def is_over(self) -> bool:
        return not self._waves and super().is_over()

    def _next_wave(self) -> None:
        self.submit(*self._waves.pop(0))
        if self._waves:
            self.later(BETWEEN_WAVES, self._next_wave)

    def _step(self) -> None:
        super()._step()
        if time.monotonic() - self._reported < 0.5:
            return
        self._reported = time.monotonic()
        ended = sum(record.status.is_terminal for record in self.migrations.records.values())
        passed = timedelta(seconds=int(self.simulator.clock.now() - self.began))
        self._report(f"{ended:,} of {len(self.migrations.records):,} migrations ended after {passed} of simulated time")

    def added(self, limits: Mapping[str, float]) -> list[Figure]:
        """The time we added to each part of the migrations."""
        times = mgn_times(self.simulator.log(), datetime.timestamp)
        journals = self.migrations.journals
        parts = (added_seconds(record, journals[name], times) for name, record in self.migrations.records.items())
        return added_figures(parts, limits=limits)

    def capacity(self) -> list[Figure]:
        """How the quotas of MGN were used."""
        log = self.simulator.log(kind="job")
        times = mgn_times(self.simulator.log(), datetime.timestamp)
        sizes = {entry["job"]: len(entry["servers"]) for entry in log if entry["event"] == "created"}
        held = sum(size * (times.completed[job] - times.created[job]) for job, size in sizes.items())
        needed = sum(at - times.created[job] for (job, _), at in times.launched.items())
        calls = self._calls()
        twice = sum(count > 1 for count in launches(self).values())
        return [
            *quota_figures(log),
            at_least("capacity used while more wait", 100 * self.use_while_more_wait(), 95, " %"),
            Figure("MGN calls that start jobs", f"{calls['StartTest'] + calls['StartCutover']}"),
            Figure("servers launched twice", f"{twice}", "0", twice == 0),
            Figure("first request to last end", f"{self.seconds / 60:.1f} min"),
            Figure("ideal: servers × time of their jobs / 200", f"{held / ACTIVE_SERVERS / 60:.1f} min"),
            Figure("ideal if none waited for its job's others", f"{needed / ACTIVE_SERVERS / 60:.1f} min"),
        ]

    def costs(self) -> list[str]:
        """Per migration: Describe calls by operation and all of them, and state transitions."""
        calls = self._calls()
        count = len(self.migrations.records)
        describes = [calls[name] for name in DESCRIBES]
        transitions = sum(execution.transitions for execution in self.executions.values())
        return [f"{each / count:.1f}" for each in (*describes, sum(describes), transitions)]

    def _calls(self) -> Counter[str]:
        return Counter(entry["operation"] for entry in self.simulator.log(kind="call"))


DESCRIBES = ("DescribeSourceServers", "DescribeJobs", "DescribeJobLogItems")


def main() -> None:
    """Run the rushes and print their figures."""
    console = Console()
    with console.status("Migrating on a virtual clock …") as status:

        def rush(what: str, migrations: int, *, wave: int = 0, hears_events: bool = True) -> Rush:
            report = lambda text: status.update(f"[dim]{what}:[/] {text}")  # noqa: E731
            return Rush(migrations, wave=wave, hears_events=hears_events, report=report)

        heard = rush("in waves", 200, wave=8)
        title = f"200 migrations in waves of 8, {BETWEEN_WAVES // 60} minutes apart: time added by us"
        console.print(figures_table(title, heard.added({"whole": 5}), note=ASSUMED))
        unheard = rush("in waves, every event lost", 200, wave=8, hears_events=False)
        limits = dict.fromkeys(("launch", "result", "boot"), SWEEP_SECONDS)
        title = "The same with every MGN event lost: at most one sweep period for each wait"
        console.print(figures_table(title, unheard.added(limits)))
        alone, few, many = rush("alone", 1), rush("200 at once", 200), rush("1,000 at once", 1_000)
        status.update("[dim]1,000 at once, with little concurrency …[/]")
        crowded = crowd(1_000, concurrency=50)
    note = "Twenty jobs are all MGN runs: launches that come after them wait for the end of one."
    title = "200 migrations at once: time added by us and by MGN's quota of jobs"
    console.print(figures_table(title, few.added({}), note=note))
    console.print(figures_table("1,000 migrations at once in one account", many.capacity()))
    title = "1,000 at once where Lambda runs 50 invocations at a time and MGN gets 20 requests a second"
    console.print(figures_table(title, _crowd_figures(crowded)))
    with console.status("[dim]3,000 at once, where calls take time …[/]"):
        slow = at_once_where_calls_take_time(3_000)
    console.print(figures_table("3,000 at once where every call of AWS takes time", _slow_figures(slow)))
    with console.status("Growing …") as status:
        grown = []
        for size in SIZES:
            status.update(f"[dim]{size:,} in {ACCOUNTS} accounts …[/]")
            grown.append(grow(size))
        status.update(f"[dim]{SIZES[-1]:,} in {ACCOUNTS} accounts, every event lost …[/]")
        unheard_of = grow(SIZES[-1], hears_events=False)
    console.print(_growth_table(grown, unheard_of))
    console.print(_costs_table({"1 alone": alone, "200 in waves": heard, "200 at once": few, "1,000 at once": many}))


def _crowd_figures(world: CrowdedAccount) -> list[Figure]:
    """How a crowd fared that Lambda and MGN's requests were too little for."""
    ends = Counter(record.status for record in world.migrations.records.values())
    accepted = world.accepted_at
    begun = sorted(
        next(entry.at.timestamp() for entry in journal if entry.to_status is MigrationStatus.PREPARING) - accepted
        for journal in world.migrations.journals.values()
    )
    done = ends[MigrationStatus.COMPLETED]
    half, last = begun[len(begun) // 2] / 60, begun[-1] / 60
    return [
        at_least("migrations that ended right", 100 * done / ends.total(), 100, " %"),
        Figure("servers launched twice", f"{sum(count > 1 for count in launches(world).values())}", "0"),
        Figure("invocations at a time, at most", f"{world.most_at_work}"),
        Figure("invocations Lambda refused", f"{world.refused.total():,}"),
        Figure("requests to MGN in a second, at most", f"{max(world.sent.values())}"),
        Figure("until half and until all were claimed", f"{half:.1f} and {last:.1f} min"),
        Figure("functions' time spent waiting for a request", f"{world.slept / 60:.1f} min"),
        Figure("first request to last end", f"{(world.simulator.clock.now() - accepted) / 60:.1f} min"),
    ]


def _slow_figures(world: SlowAccount) -> list[Figure]:
    """How 3,000 fared whose functions take as long as their calls."""
    ends = Counter(record.status for record in world.migrations.records.values())
    limit = DISPATCH_LAUNCHES.timeout.total_seconds()
    longest = world.longest[DISPATCH_LAUNCHES.name]
    steps = max(seconds for name, seconds in world.longest.items() if name != DISPATCH_LAUNCHES.name)
    return [
        at_least("migrations that ended right", 100 * ends[MigrationStatus.COMPLETED] / ends.total(), 100, " %"),
        at_least("capacity used while more wait", 100 * world.use_while_more_wait(), 95, " %"),
        Figure("longest look", f"{longest:.1f} s", f"< {limit:.0f} s", longest < limit),
        Figure("longest step", f"{steps:.1f} s"),
    ]


def _growth_table(grown: list[Growth], unheard: Growth) -> Table:
    powers = {
        name: exponent([(each.migrations, getattr(each, name)) for each in grown])
        for name in ("cpu", "rows", "describes")
    }
    said = ", ".join(f"{name} {power:.2f}" for name, power in powers.items())
    title = f"Growth in {ACCOUNTS} accounts, each with a test and a cutover. Exponents (at most 1.1): {said}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("at once")
    columns = ("rows read", "Describe calls", "CPU s", "s", "MB", "ended right", "launched twice")
    for name in columns:
        table.add_column(name, justify="right")
    rows = [(f"{each.migrations:,}", each) for each in grown]
    for name, each in [*rows, (f"{unheard.migrations:,}, events lost", unheard)]:
        values = (f"{each.rows:,}", f"{each.describes:,}", f"{each.cpu:.0f}", f"{each.seconds:.0f}")
        table.add_row(name, *values, f"{each.megabytes:.0f}", f"{each.completed:,}", f"{each.twice}")
    return table


def _costs_table(rushes: dict[str, Rush]) -> Table:
    table = Table(title="For each migration", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure")
    for name in rushes:
        table.add_column(name, justify="right")
    names = (*DESCRIBES, "all Describe calls to MGN", "state transitions")
    for name, values in zip(names, zip(*(rush.costs() for rush in rushes.values()), strict=True), strict=True):
        table.add_row(name, *values)
    return table


if __name__ == "__main__":
    main()
