"""Plays many seeds on all cores and tells what the judge saw."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count, islice
from multiprocessing import cpu_count, get_context
from pathlib import Path
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.exploration.draw import draw
from tests.exploration.judge import Violation, judge
from tests.exploration.minimise import minimised
from tests.exploration.stage import play
from tests.exploration.story import Story
from tests.exploration.telling import told

BATCH = 100
REGRESSIONS = Path(__file__).parent / "regressions"


class Played(NamedTuple):
    """What became of one seed."""

    seed: int
    ends: Counter[str]
    struck: int
    violations: tuple[Violation, ...]


class Tally:
    """What became of many."""

    def __init__(self) -> None:
        self.seeds = self.migrations = self.hard_pressed = 0
        self.ends, self.kinds, self.faults = Counter[str](), Counter[str](), Counter[int]()
        self.failed: list[Played] = []

    def add(self, played: Played) -> None:
        self.seeds += 1
        self.migrations += played.ends.total()
        self.hard_pressed += played.ends.total() if played.struck > 1 else 0
        self.ends += played.ends
        self.kinds += Counter({violation.kind for violation in played.violations})
        if played.violations:
            self.failed.append(played)

    def table(self, seconds: float) -> Table:
        table = Table(title="Exploration", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_header=False)
        table.add_row("seeds", f"{self.seeds:,}")
        table.add_row("migrations", f"{self.migrations:,}")
        table.add_row("of them where two or more faults came", f"{self.hard_pressed:,}")
        for end, number in self.ends.most_common():
            table.add_row(f"ended {end}", f"{number:,}")
        table.add_row("violations", f"{self.kinds.total():,}")
        for kind, number in self.kinds.most_common():
            table.add_row(f"  {kind}", f"{number:,}")
        table.add_row("seconds", f"{seconds:.0f}")
        table.add_row("seeds a second", f"{self.seeds / seconds:.1f}")
        return table


def explore(console: Console, first: int, seeds: int | None, seconds: float | None) -> bool:
    """Play so many seeds from the first on, or for so many seconds; whether everything held."""
    tally, began = Tally(), time.monotonic()
    numbers = islice(count(first), seeds)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        shown = progress.add_task("playing", total=seeds)
        for played in _each(_until(numbers, began, seconds)):
            tally.add(played)
            for violation in played.violations[:1]:
                console.print(f"seed {played.seed}: {violation.kind}: {violation.what}", markup=False, highlight=False)
            description = f"playing, {len(tally.failed)} failed" if tally.failed else "playing"
            progress.update(shown, advance=1, description=description)
    console.print(tally.table(time.monotonic() - began))
    for played in _one_of_each_kind(tally.failed):
        show(console, draw(played.seed), played.violations[0].kind)
    return not tally.failed


def show(console: Console, story: Story, kind: str) -> None:
    """Make a failing story as small as it gets, tell it and keep it."""
    small = minimised(story, lambda smaller: fails(smaller, kind))
    stage = play(small)
    console.print(told(stage, judge(stage)), markup=False, highlight=False, soft_wrap=True)
    file = REGRESSIONS / f"{kind.replace(' ', '-')}-{story.seed}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(small.model_dump_json(indent=2, exclude_defaults=True) + "\n")
    console.print(f"\nkept as {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}\n")


def fails(story: Story, kind: str) -> bool:
    """Whether a story ends in this kind of violation."""
    return any(violation.kind == kind for violation in judge(play(story)))


def played_seed(seed: int) -> Played:
    """Play and judge one seed."""
    stage = play(draw(seed))
    ends = Counter(str(journal[-1].to_status) for journal in stage.stored.journals.values())
    return Played(seed, ends, len(stage.struck), judge(stage))


def _each(numbers: Iterator[int]) -> Iterator[Played]:
    # Forked, each worker has what the synthesis and the imports cost already.
    with get_context("fork").Pool(cpu_count()) as pool:
        # A pool takes all it is given at once.
        while some := list(islice(numbers, BATCH)):
            yield from pool.imap_unordered(played_seed, some)


def _until(numbers: Iterator[int], began: float, seconds: float | None) -> Iterator[int]:
    for number in numbers:
        if seconds is not None and time.monotonic() - began > seconds:
            return
        yield number


def _one_of_each_kind(failed: Iterable[Played]) -> Iterator[Played]:
    shown: set[str] = set()
    for played in sorted(failed):
        if (kind := played.violations[0].kind) not in shown:
            shown.add(kind)
            yield played
