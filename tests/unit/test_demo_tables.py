"""The demo's tables lose nothing on a narrow terminal."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from localcloud.demo.report import Invariant, MigrationReport, PhaseReport, RejectionReport, Report
from localcloud.demo.tables import invariants_summary, migrations_summary, rejections_summary
from runtime.models.status import MigrationStatus

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LOST = "LaunchFailedError: mgnjob-8092d8731f9db4736 ended with launchStatus FAILED for this server; MGN logged it all"


def a_report() -> Report:
    phase = PhaseReport(status=MigrationStatus.PREPARING, started=NOON, ended=NOON, seconds=12.3)
    migration = MigrationReport(
        id="demo-billing-application-server-1",
        status=MigrationStatus.ROLLED_BACK,
        expected="ROLLED_BACK",
        reason=LOST,
        correlation_id="c",
        app_name="billing",
        wave="1",
        scope=None,
        source_server_id=None,
        phases=(phase,),
    )
    return Report(
        started=NOON,
        seconds=1,
        auth=False,
        steps={},
        migrations=(migration,),
        rejections=(RejectionReport(message_id="b5060ae6-addd-457d-a8de-2e1cfb8ce26f", reason=LOST),),
        invariants={"I10": Invariant(held=True, how=LOST)},
    )


def shown(view: RenderableType, width: int) -> list[str]:
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        console.print(view)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("summary", [migrations_summary, rejections_summary, invariants_summary])
def test_ids_stay_whole_and_reasons_are_told_to_their_end(summary: object, width: int) -> None:
    assert callable(summary)
    lines = shown(summary(a_report(), width), width)
    words = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    assert "mgnjob-8092d8731f9db4736" in words
    assert set(LOST.split()) <= set(words)
    assert "…" not in " ".join(lines)


def test_a_wide_terminal_has_the_seconds_of_each_stage() -> None:
    assert "12.3" in " ".join(shown(migrations_summary(a_report(), 140), 140))
