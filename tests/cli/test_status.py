"""`migrate status`."""

import pytest

from tests.builders import a_rejection, a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stage, run


@pytest.fixture
def migrations(stage: Stage) -> Stage:
    """One completed, one preparing, one rolled back; in two waves and two applications."""
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    other = a_request("mig-2", wave="2", app_name="shop", source_vm_id="shop-[red]db[/red]")
    stage.move(stage.accept("mig-2", request=other), S.VALIDATING, S.PREPARING)
    last = stage.accept("mig-3", request=a_request("mig-3", wave="2"))
    stage.move(last, S.VALIDATING, S.ROLLING_BACK, S.ROLLED_BACK, reason="the launch failed " * 10)
    return stage


def test_all_migrations_are_listed_and_counted(migrations: Stage) -> None:
    ran = run("status")
    assert ran.code == 0
    for shown in ("mig-1", "mig-2", "mig-3", "PREPARING", "shop-[red]db[/red]"):
        assert shown in ran.out
    assert ran.out.endswith("3 migrations · 1 PREPARING · 1 COMPLETED · 1 ROLLED_BACK\n")


def test_long_reasons_wrap_at_100_columns(migrations: Stage) -> None:
    out = run("status").out
    assert max(map(len, out.splitlines())) <= 100
    assert out.count("launch") == 10


def test_no_migrations_is_no_error(stage: Stage) -> None:
    assert run("status").out == "0 migrations\n"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--wave", "2"], ["mig-2", "mig-3"]),
        (["--app", "billing"], ["mig-1", "mig-3"]),
        (["--wave", "2", "--app", "billing"], ["mig-3"]),
        (["--status", "completed"], ["mig-1"]),
        (["--wave", "2", "--status", "PREPARING"], ["mig-2"]),
        (["--wave", "9"], []),
    ],
    ids=str,
)
def test_filters(migrations: Stage, filters: list[str], found: list[str]) -> None:
    assert [row["migrationId"] for row in run("status", "--json", *filters).json] == found


def test_phases_are_shown_on_request(migrations: Stage) -> None:
    assert "received 1m00s · " in run("status", "--phases", "--app", "billing").out
    rows = run("status", "--phases", "--json", "--wave", "1").json
    assert [phase["status"] for phase in rows[0]["phases"]] == ["RECEIVED", *TO_COMPLETED[:-1]]


def test_one_migration_shows_its_journal(migrations: Stage) -> None:
    out = run("status", "mig-1").out
    assert "billing-web-01 on azure" in out
    assert [line.split()[2] for line in out.splitlines() if line.startswith("2026-")] == ["RECEIVED", *TO_COMPLETED]


def test_one_migration_as_json(migrations: Stage) -> None:
    document = run("status", "mig-1", "--json").json
    assert document["migration"]["status"] == "COMPLETED"
    assert [entry["toStatus"] for entry in document["journal"]] == ["RECEIVED", *TO_COMPLETED]
    assert [phase["seconds"] for phase in document["phases"]] == [60.0] * len(TO_COMPLETED)


def test_a_migration_that_is_not_there_ends_with_5(stage: Stage) -> None:
    ran = run("status", "mig-9")
    assert ran.code == 5
    assert "no migration mig-9: `migrate status` lists all" in ran.err


def test_rejections_are_listed(stage: Stage) -> None:
    stage.store.reject(a_rejection("m-1", migration_id="mig-1", reason="wave: missing", body_excerpt="\x1b[2J{}"))
    out = run("status", "--rejections").out
    assert "wave: missing" in out
    assert "\x1b" not in out
    assert [row["messageId"] for row in run("status", "--rejections", "--json").json] == ["m-1"]


def test_no_rejections(stage: Stage) -> None:
    assert run("status", "--rejections").out == "no message was rejected\n"
    assert run("status", "--rejections", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [["mig-1", "--wave", "1"], ["mig-1", "--rejections"], ["--rejections", "--app", "x"], ["--status", "NONSENSE"]],
    ids=str,
)
def test_what_does_not_go_together_is_a_usage_error(arguments: list[str]) -> None:
    assert run("status", *arguments).code == 2
