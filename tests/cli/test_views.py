"""What a person sees."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from cli.output import plain
from cli.views import duration, live_view, migrations_table, phases, summary, target
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.models.status import MigrationStatus
from tests.builders import NOON, SCOPE, TARGET_ACCOUNT, TARGET_REGION, TARGET_SCOPE, a_record, a_request, an_entry

S = MigrationStatus


def shown(view: RenderableType, width: int = 100) -> list[str]:
    """The lines of a view."""
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        console.print(view)
    return [line.rstrip() for line in captured.get().splitlines()]


def a_journal(*moves: tuple[MigrationStatus, float]) -> list[JournalEntry]:
    """Entries at seconds after noon; the same status again is a note."""
    entries: list[JournalEntry] = []
    for number, (status, seconds) in enumerate(moves, 1):
        record = a_record(status=status, sequence=number, updated_at=NOON + timedelta(seconds=seconds))
        entries.append(an_entry(record, from_status=entries[-1].to_status if entries else None))
    return entries


def test_phases_are_the_times_between_moves() -> None:
    journal = a_journal((S.RECEIVED, 0), (S.VALIDATING, 1), (S.VALIDATING, 3), (S.PREPARING, 4.5), (S.FROZEN, 10))
    found = phases(journal)
    assert [(phase.status, phase.seconds) for phase in found] == [
        (S.RECEIVED, 1),
        (S.VALIDATING, 3.5),
        (S.PREPARING, 5.5),
    ]
    assert found[-1].ended == NOON + timedelta(seconds=10)


def test_the_phase_under_way_counts_until_now() -> None:
    [phase] = phases(a_journal((S.RECEIVED, 0)), NOON + timedelta(seconds=7))
    assert (phase.ended, phase.seconds) == (None, 7)
    assert phases(a_journal((S.RECEIVED, 0)))[0].seconds == 0


def test_a_clock_that_is_behind_gives_no_negative_time() -> None:
    assert phases(a_journal((S.RECEIVED, 0)), NOON - timedelta(seconds=7))[0].seconds == 0


def test_an_empty_journal_has_no_phases() -> None:
    assert phases([]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.44, "0.4s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (7_860, "2h11m"),
        (273_600, "3d04h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_text_of_others_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc\x07é") == "a\ufffd[2Jb c\ufffdé"


@pytest.mark.parametrize("width", [100, 120])
def test_a_wide_table_keeps_to_the_width_and_loses_nothing(width: int) -> None:
    long = "mgnjob-11111111111111111 has no free addresses left in the subnet " * 3
    request = a_request("m" * 80, source_vm_id="v" * 60, app_name="a" * 30, wave="w" * 20)
    lines = shown(migrations_table([a_record("m" * 80, request=request, reason=long)], now=NOON), width)
    assert max(map(len, lines)) <= width
    text = "".join(lines)
    assert (text.count("m" * 5) > 0, text.count("addresses")) == (True, 3)
    assert "RECEIVED" in text


@pytest.mark.parametrize("status", MigrationStatus)
def test_every_status_has_a_look(status: MigrationStatus) -> None:
    assert status in "".join(shown(migrations_table([a_record(status=status)], now=NOON)))


def test_one_line_rows_are_one_line_at_80_columns() -> None:
    records = [a_record(f"mig-{n}", reason="very long reason " * 20) for n in range(5)]
    lines = shown(migrations_table(records, now=NOON, one_line=True), 80)
    assert len(lines) == 6
    assert all("RECEIVED" in line and "billing-web-01" in line for line in lines[1:])


def test_the_live_view_fits_the_screen_and_puts_what_is_under_way_first() -> None:
    records = [_ended(number) for number in range(200)] + [a_record("busy")]
    lines = shown(live_view(records, now=NOON, lines=24))
    assert len(lines) <= 24
    assert lines[0] == "201 migrations · 1 RECEIVED · 200 COMPLETED"
    assert lines[3].startswith("busy")
    assert lines[-1] == "and 182 more"


def test_the_summary_counts_in_the_order_migrations_move() -> None:
    records = [_ended(1), a_record("a"), a_record("b", status=S.PREPARING)]
    assert summary(records).plain == "3 migrations · 1 RECEIVED · 1 PREPARING · 1 COMPLETED"
    assert summary([]).plain == "0 migrations"


def _ended(number: int) -> MigrationRecord:
    return a_record(f"mig-{number}", status=S.COMPLETED)


def test_target_is_a_column_only_when_some_migration_has_one() -> None:
    home = a_record("m-1", scope=SCOPE)
    named = a_request("m-2", target_account=TARGET_ACCOUNT, target_region=TARGET_REGION)
    elsewhere = a_record("m-2", request=named, scope=TARGET_SCOPE)
    assert "Target" not in shown(migrations_table([home], now=NOON))[0]
    header, *rows = shown(migrations_table([home, elsewhere], now=NOON), width=140)
    assert "Target" in header
    assert [f"{TARGET_ACCOUNT} {TARGET_REGION}" in row for row in rows if "m-" in row] == [False, True]


def test_target_is_what_the_request_named_until_the_rest_is_known() -> None:
    request = a_request(target_region=TARGET_REGION)
    assert target(a_record(request=request)) == TARGET_REGION
    assert target(a_record(request=request, scope="111122223333#eu-west-1")) == "111122223333 eu-west-1"
    assert target(a_record(scope=SCOPE)) == ""
