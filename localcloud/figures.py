"""Figures of a benchmark beside their targets."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

ACTIVE_JOBS = 20
ACTIVE_SERVERS = 200
"""MGN's own quotas, said once more: what is measured is not asked of what is measured."""


class Figure(NamedTuple):
    """One line of a benchmark; `is_met` is None where there is no target to meet."""

    name: str
    measured: str
    target: str = ""
    is_met: bool | None = None


def at_most(name: str, value: float, limit: float, unit: str, *, digits: int = 1) -> Figure:
    """A figure that should not be higher."""
    return Figure(name, f"{value:,.{digits}f}{unit}", f"<= {limit:,g}{unit}", value <= limit)


def at_least(name: str, value: float, limit: float, unit: str, *, digits: int = 1) -> Figure:
    """A figure that should not be lower."""
    return Figure(name, f"{value:,.{digits}f}{unit}", f">= {limit:,g}{unit}", value >= limit)


def quota_figures(log: Iterable[Mapping[str, Any]]) -> list[Figure]:
    """How far the simulator's log says MGN's quotas were used."""
    use = [(entry["activeJobs"], entry["activeServers"]) for entry in log if "activeJobs" in entry]
    jobs, servers = (max(counts) for counts in zip(*use, strict=True))
    return [
        at_most("peak of active jobs", jobs, ACTIVE_JOBS, "", digits=0),
        at_most("peak of servers in active jobs", servers, ACTIVE_SERVERS, "", digits=0),
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[ceil(share * len(values)) - 1]


def figures_table(title: str, figures: Iterable[Figure], *, note: str = "") -> Table:
    """A table of figure, measured and target; missed targets are red."""
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, caption=note, caption_justify="left"
    )
    table.add_column("figure")
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("target", justify="right", no_wrap=True)
    for figure in figures:
        style = {True: "green", False: "red", None: ""}[figure.is_met]
        measured = f"{figure.measured} ✗" if figure.is_met is False else figure.measured
        table.add_row(Text(figure.name), Text(measured, style=style), Text(figure.target))
    return table
