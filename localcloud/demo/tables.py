"""The demo's report as tables for a terminal."""

from textwrap import shorten

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from localcloud.demo.report import MigrationReport, Report
from runtime.models.status import MigrationStatus

REASON_WIDTH = 160
"""The report has the whole reason."""

COLOURS = {
    MigrationStatus.COMPLETED: "green",
    MigrationStatus.REJECTED: "yellow",
    MigrationStatus.ROLLED_BACK: "yellow",
    MigrationStatus.CANCELLED: "cyan",
    MigrationStatus.FROZEN: "red",
}
STAGES = {
    "prepare": (MigrationStatus.RECEIVED, MigrationStatus.VALIDATING, MigrationStatus.PREPARING),
    "test": (MigrationStatus.TEST_LAUNCHING, MigrationStatus.TEST_VERIFYING),
    "wait": (MigrationStatus.AWAITING_APPROVAL, MigrationStatus.AWAITING_WINDOW, MigrationStatus.SOAKING),
    "cutover": (MigrationStatus.CUTOVER_LAUNCHING, MigrationStatus.CUTOVER_VERIFYING, MigrationStatus.FINALIZING),
    "undo": (MigrationStatus.ROLLING_BACK,),
}
"""Columns of the summary: the statuses whose seconds add up in each."""


def migrations_summary(report: Report) -> Table:
    """One line a migration: its end, the seconds of each stage, why."""
    title = f"{len(report.migrations)} migrations, seconds by stage"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("server", no_wrap=True)
    table.add_column("end", no_wrap=True)
    for stage in STAGES:
        table.add_column(stage, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold", min_width=24)
    for migration in report.migrations:
        colour = COLOURS.get(migration.status, "red")
        seconds = [_seconds(migration, statuses) for statuses in STAGES.values()]
        table.add_row(
            migration.id.removeprefix("demo-"),
            Text(migration.status, style=colour),
            *seconds,
            Text(shorten(migration.reason, REASON_WIDTH)),
        )
    return table


def rejections_summary(report: Report) -> Table:
    """The messages that became no migration, and why."""
    table = Table(
        title=f"{len(report.rejections)} stored rejections", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("message", no_wrap=True, max_width=12)
    table.add_column("reason", overflow="fold")
    for rejection in report.rejections:
        table.add_row(rejection.message_id, Text(rejection.reason))
    return table


def invariants_summary(report: Report) -> Table:
    """The invariants and how each was seen to hold."""
    table = Table(title="Invariants", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("held", no_wrap=True)
    table.add_column("how", overflow="fold")
    for name, invariant in report.invariants.items():
        table.add_row(name, "[green]yes[/]" if invariant.held else "[red]NO[/]", Text(invariant.how))
    return table


def _seconds(migration: MigrationReport, statuses: tuple[MigrationStatus, ...]) -> str:
    total = sum(phase.seconds for phase in migration.phases if phase.status in statuses)
    return f"{total:.1f}" if any(phase.status in statuses for phase in migration.phases) else "–"
