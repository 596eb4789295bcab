"""The demo's report as tables for a terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from cli.output import words
from cli.tables import Column, Listing
from localcloud.demo.report import MigrationReport, Report
from runtime.models.status import MigrationStatus

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


def migrations_summary(report: Report, width: int) -> RenderableType:
    """A row for each migration: its end, the seconds of each stage, why."""
    columns = [
        Column("server"),
        Column("end"),
        # The report has them all; what a narrow screen is for is the end and the reason.
        *(Column(stage, goes=9 - number, right=True) for number, stage in enumerate(STAGES)),
        Column("reason", words=True),
    ]
    rows = [
        [
            words(migration.id.removeprefix("demo-")),
            Text(migration.status, style=COLOURS.get(migration.status, "red")),
            *(Text(_seconds(migration, statuses)) for statuses in STAGES.values()),
            words(migration.reason),
        ]
        for migration in report.migrations
    ]
    title = f"{len(report.migrations)} migrations, seconds by stage"
    return _titled(title, Listing(columns, rows), width)


def rejections_summary(report: Report, width: int) -> RenderableType:
    """The messages that became no migration, and why."""
    columns = [Column("message"), Column("reason", words=True)]
    rows = [[words(rejection.message_id), words(rejection.reason)] for rejection in report.rejections]
    return _titled(f"{len(report.rejections)} stored rejections", Listing(columns, rows), width)


def invariants_summary(report: Report, width: int) -> RenderableType:
    """The invariants and how each was seen to hold."""
    columns = [Column("invariant"), Column("held"), Column("how", words=True)]
    rows = [
        [Text(name), Text("yes", style="green") if each.held else Text("NO", style="red"), words(each.how)]
        for name, each in report.invariants.items()
    ]
    return _titled("Invariants", Listing(columns, rows), width)


def _titled(title: str, listing: Listing, width: int) -> RenderableType:
    return Group("", Text(title, style="italic"), "", listing.table(width, wraps=True), "")


def _seconds(migration: MigrationReport, statuses: tuple[MigrationStatus, ...]) -> str:
    total = sum(phase.seconds for phase in migration.phases if phase.status in statuses)
    return f"{total:.1f}" if any(phase.status in statuses for phase in migration.phases) else "–"
