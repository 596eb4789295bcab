"""What a person sees."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from cli.output import plain
from cli.standings import STANDINGS, failures_first, standing, standing_text
from cli.times import duration, estimated_end, phases
from cli.views import advance, listing, live_view, summary, target
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.models.status import MigrationStatus
from tests.builders import (
    NOON,
    SCOPE,
    TARGET_ACCOUNT,
    TARGET_REGION,
    TARGET_SCOPE,
    a_record,
    a_rejection,
    a_request,
    an_entry,
)

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


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_table_keeps_to_the_width_and_cuts_only_reasons(width: int) -> None:
    reason = "mgnjob-11111111111111111 has no free addresses left in the subnet " * 5
    records = [
        a_record(f"billing-web-server-{n}", request=a_request(source_vm_id=f"vm-{n}.corp.example"), reason=reason)
        for n in range(3)
    ]
    lines = shown(listing(records, now=NOON).table(width), width)
    assert max(map(len, lines)) <= width
    for n, line in enumerate(lines[1:]):
        assert line.startswith(f"billing-web-server-{n}  ")
        assert "RECEIVED" in line
        assert ("…" in line) == ("Reason" in lines[0])


def test_columns_leave_a_narrow_screen_before_an_id_is_cut() -> None:
    record = a_record("m" * 60, request=a_request(source_vm_id="s" * 40), reason="because")
    wide, narrow = listing([record], now=NOON).table(200), listing([record], now=NOON).table(80)
    assert [column.header for column in wide.columns] == [
        *map(Text, ("Migration", "Server", "App", "Wave", "Status", "Time", "Reason"))
    ]
    assert "m" * 60 in "".join(shown(narrow, 80))
    assert {"Server", "App", "Wave", "Reason"} == set(listing([record], now=NOON).left_out(80))


def test_an_id_that_no_screen_fits_is_whole_and_folded_where_lines_must_fit() -> None:
    record = a_record("m" * 80)
    whole, folded = listing([record], now=NOON).table(80), listing([record], now=NOON).table(80, whole=False)
    assert "m" * 80 in "".join(shown(whole, 200))
    assert max(map(len, shown(folded, 80))) <= 80
    assert "".join(shown(folded, 80)).count("m" * 16) == 5


def test_words_wrap_where_they_are_what_matters() -> None:
    long = "mgnjob-11111111111111111 has no free addresses left in the subnet " * 3
    lines = shown(listing([a_record(reason=long)], now=NOON).table(100, wraps=True), 100)
    assert "".join(lines).count("addresses") == 3
    assert "mgnjob-11111111111111111" in "".join(lines)


def test_a_line_for_programs_has_every_column_whole_and_none_padded() -> None:
    request = a_request(target_region="eu-west-1").model_copy(update={"source_vm_id": "a\tb"})
    [line] = listing([a_record(request=request, reason="x " * 300)], now=NOON).lines()
    cells = line.split("\t")
    assert cells[:6] == ["mig-1", "a b", "billing", "1", "eu-west-1", "RECEIVED"]
    assert cells[8] == "x " * 300
    assert len(cells) == 9


@pytest.mark.parametrize("name", STANDINGS)
def test_every_standing_has_a_look(name: str) -> None:
    assert standing_text(name).plain == name


def test_the_live_view_fits_the_screen_and_scrolls() -> None:
    records = [_ended(number) for number in range(200)]
    for first, expected in ((0, "mig-0 "), (50, "mig-50 "), (1000, "mig-1")):
        lines = shown(live_view(records, now=NOON, lines=24, width=80, first=first), 80)
        assert len(lines) <= 24
        assert lines[0] == "200 migrations · 200 COMPLETED"
        assert lines[3].startswith(expected)
    assert lines[-1].startswith("181 to 200 of 200; ")


def test_rejections_stand_above_the_live_table_and_leave_it_room() -> None:
    rejected = [a_rejection(f"m-{n}", migration_id=f"mig-{n}", reason="accepted before") for n in range(50)]
    lines = shown(live_view([a_record()], rejected=rejected, now=NOON, lines=24, width=80), 80)
    assert len(lines) <= 24
    assert lines[1] == "rejected: mig-0: accepted before"
    assert lines[-1].startswith("mig-1")


def test_failures_come_first_and_what_ended_well_last() -> None:
    statuses = [S.COMPLETED, S.PREPARING, S.AWAITING_APPROVAL, S.ROLLED_BACK, S.FROZEN, S.SOAKING]
    found = sorted((a_record(status, status=status) for status in statuses), key=failures_first)
    assert [each.migration_id for each in found] == [
        S.FROZEN,
        S.ROLLED_BACK,
        S.AWAITING_APPROVAL,
        S.SOAKING,
        S.PREPARING,
        S.COMPLETED,
    ]


def test_frozen_and_released_are_told_apart() -> None:
    frozen = a_record(status=S.FROZEN, reason="in doubt")
    assert standing(frozen) == "FROZEN"
    assert standing(frozen.model_copy(update={"released_at": NOON})) == "RELEASED"
    # 0.1.0 told so in the reason alone.
    assert standing(frozen.model_copy(update={"reason": "released by ada (AIDA): mended"})) == "RELEASED"


def test_the_end_is_estimated_from_those_that_completed() -> None:
    ended = [_ended(n).model_copy(update={"updated_at": NOON + timedelta(minutes=30 + n)}) for n in range(3)]
    busy = a_record("busy", status=S.PREPARING, created_at=NOON + timedelta(minutes=20))
    now = NOON + timedelta(minutes=40)
    assert estimated_end([*ended, busy], now=now) == NOON + timedelta(minutes=51)
    assert estimated_end([*ended[:2], busy], now=now) is None
    assert estimated_end(ended, now=now) is None
    asked = busy.model_copy(update={"status": S.AWAITING_APPROVAL})
    assert estimated_end([*ended, asked], now=now) is None
    bar = advance([*ended, busy, asked], now=now)
    assert bar is not None
    assert bar.plain.endswith(" 3 of 5 ended, the last in about 11m00s, besides 1 that waits")
    assert advance(ended, now=now) is None


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
    assert "Target" not in shown(listing([home], now=NOON).table(140), 140)[0]
    header, *rows = shown(listing([home, elsewhere], now=NOON).table(140), 140)
    assert "Target" in header
    assert [f"{TARGET_ACCOUNT} {TARGET_REGION}" in row for row in rows if "m-" in row] == [False, True]


def test_target_is_what_the_request_named_until_the_rest_is_known() -> None:
    request = a_request(target_region=TARGET_REGION)
    assert target(a_record(request=request)) == TARGET_REGION
    assert target(a_record(request=request, scope="111122223333#eu-west-1")) == "111122223333 eu-west-1"
    assert target(a_record(scope=SCOPE)) == ""
