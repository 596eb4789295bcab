"""`migrate status`."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from runtime.models.decisions import RefusedDecision
from runtime.models.dispatch import Dispatch
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.record import Launch, LaunchKind
from runtime.models.request import Approval, Gate
from runtime.models.waits import LaunchIntent
from tests.builders import NOON, SCOPE, a_rejection, a_request, a_signal, a_wait
from tests.cli.deployed_stage import TO_COMPLETED, S, Stage, run

SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


def plain(line: str) -> str:
    """What is seen of a line."""
    return SEQUENCE.sub("", line).rstrip()


@pytest.fixture
def migrations(stage: Stage) -> Stage:
    """One completed, one preparing, one rolled back; in two waves and two applications."""
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    other = a_request("mig-2", wave="2", app_name="shop", source_vm_id="shop-[red]db[/red]")
    stage.move(stage.accept("mig-2", request=other), S.VALIDATING, S.PREPARING)
    last = stage.accept("mig-3", request=a_request("mig-3", wave="2"))
    stage.move(last, S.VALIDATING, S.ROLLING_BACK, S.ROLLED_BACK, reason="the launch failed " * 10)
    return stage


def test_all_migrations_are_a_line_each_and_counted_beside(migrations: Stage) -> None:
    ran = run("status")
    assert ran.code == 0
    assert [line.split("\t")[0] for line in ran.out.splitlines()] == ["mig-3", "mig-2", "mig-1"]
    assert "shop-[red]db[/red]" in ran.out
    assert ran.out.count("the launch failed") == 10
    assert ran.err == "3 migrations · 1 PREPARING · 1 COMPLETED · 1 ROLLED_BACK\n"


def test_a_terminal_gets_a_table_that_fits(migrations: Stage) -> None:
    out = run("status", COLUMNS="100", FORCE_COLOR="1", NO_COLOR="1").out
    lines = [plain(line) for line in out.splitlines()]
    assert lines[0].split() == ["Migration", "Server", "App", "Wave", "Status", "Time", "Reason"]
    assert max(map(len, lines)) <= 100
    assert lines[1].endswith("…")
    assert "1 of 3" not in out
    assert "2 of 3 ended" in out


def test_no_migrations_is_no_error(stage: Stage) -> None:
    ran = run("status")
    assert (ran.code, ran.out, ran.err) == (0, "", "0 migrations\n")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--wave", "2"], ["mig-2", "mig-3"]),
        (["--app", "billing"], ["mig-1", "mig-3"]),
        (["--wave", "2", "--app", "billing"], ["mig-3"]),
        (["--status", "completed"], ["mig-1"]),
        (["--wave", "2", "--status", "PREPARING"], ["mig-2"]),
        (["--wave", "1", "--wave", "2"], ["mig-1", "mig-2", "mig-3"]),
        (["--application", "shop", "--app", "billing"], ["mig-1", "mig-2", "mig-3"]),
        (["--active"], ["mig-2"]),
        (["--status", "rolled-back", "--status", "COMPLETED"], ["mig-1", "mig-3"]),
        (["--search", "DB["], ["mig-2"]),
        (["--search", "launch failed"], ["mig-3"]),
        (["--since", "2026-01-05T12:04"], ["mig-1"]),
        (["--since", "2026-01-05T12:04", "--wave", "1"], ["mig-1"]),
        (["--since", "2026-01-05T13:03+01:00"], ["mig-1", "mig-3"]),
    ],
    ids=str,
)
def test_filters(migrations: Stage, filters: list[str], found: list[str]) -> None:
    assert [row["migrationId"] for row in run("status", "--json", *filters).json] == found
    assert sorted(run("list", "-o", "name", *filters).out.split()) == found


@pytest.mark.parametrize("command", ["status", "list"])
def test_filters_that_nothing_fits_end_with_6_and_what_was_meant(migrations: Stage, command: str) -> None:
    ran = run(command, "--wave", "2x", "--json")
    assert (ran.code, ran.json) == (6, [])
    assert "no migration matches wave 2x; did you mean 2?" in ran.err


@pytest.mark.parametrize(
    "option", [["--status", "LOST"], ["--since", "yesterday"], ["--since", "3y"], ["--sort", "size"]], ids=str
)
def test_filters_that_cannot_be_read_are_usage_errors(option: list[str]) -> None:
    assert run("list", *option).code == 2


def test_i14_decisions_are_shown_with_who_aws_says_sent_them_and_refused_ones_with_the_reason(stage: Stage) -> None:
    stage.accept("mig-1", requester="AROA1:eve", required_gates=(Gate.CUTOVER,))
    taken = a_signal(gate=Gate.CUTOVER, sender="AROA1:ada", reason="tested")
    refused = RefusedDecision(
        **taken.model_copy(update={"sender": "AROA1:eve"}).model_dump(), why="eve sent the request"
    )
    stage.state.decisions.keep(taken)
    stage.state.decisions.refuse(refused)
    shown = " ".join(run("status", "mig-1").out.split())
    assert "Gates cutover" in shown
    assert "Requested by AROA1:eve" in shown
    assert "approve cutover ada@example.com (AROA1:ada) tested" in shown
    assert "refused: eve sent the request" in shown
    told = run("status", "mig-1", "--json").json
    assert [each["sender"] for each in told["decisions"]] == ["AROA1:ada"]
    assert [each["why"] for each in told["refusedDecisions"]] == ["eve sent the request"]


def test_phases_are_columns_on_request(migrations: Stage) -> None:
    [line, *_] = run("status", "--phases", "--app", "shop").out.splitlines()
    assert line.split("\t")[:5] == ["mig-2", "shop-[red]db[/red]", "PREPARING", "1m00s", "1m00s"]
    rows = run("status", "--phases", "--json", "--wave", "1").json
    assert [phase["status"] for phase in rows[0]["phases"]] == ["RECEIVED", *TO_COMPLETED[:-1]]


def test_one_migration_shows_its_journal(migrations: Stage) -> None:
    out = run("status", "mig-1").out
    assert "billing-web-01 on azure" in out
    assert [line.split("\t")[1] for line in out.splitlines() if line.startswith("2026-")] == ["RECEIVED", *TO_COMPLETED]


def test_one_migration_as_json(migrations: Stage) -> None:
    document = run("status", "mig-1", "--json").json
    assert document["migration"]["status"] == "COMPLETED"
    assert [entry["toStatus"] for entry in document["journal"]] == ["RECEIVED", *TO_COMPLETED]
    assert [phase["seconds"] for phase in document["phases"]] == [60.0] * len(TO_COMPLETED)


def test_a_migration_that_is_not_there_ends_with_5(stage: Stage) -> None:
    ran = run("status", "mig-9")
    assert ran.code == 5
    assert "no migration mig-9: `migrate list` lists all" in ran.err


def test_an_id_that_is_misspelt_gets_the_one_it_may_have_meant(migrations: Stage) -> None:
    assert "no migration mig1; did you mean mig-1?" in run("status", "mig1").err


def test_rejections_are_listed(stage: Stage) -> None:
    stage.state.migrations.reject(
        a_rejection("m-1", migration_id="mig-1", reason="wave: missing", body_excerpt="\x1b[2J{}")
    )
    out = run("status", "--rejections").out
    assert "wave: missing" in out
    assert "\x1b" not in out
    assert [row["messageId"] for row in run("status", "--rejections", "--json").json] == ["m-1"]


def test_no_rejections(stage: Stage) -> None:
    assert run("status", "--rejections").err == "no message was rejected\n"
    assert run("status", "--rejections", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [["mig-1", "--wave", "1"], ["mig-1", "--rejections"], ["--rejections", "--app", "x"], ["--status", "NONSENSE"]],
    ids=str,
)
def test_what_does_not_go_together_is_a_usage_error(arguments: list[str]) -> None:
    assert run("status", *arguments).code == 2


def waiting_for_room(stage: Stage, *migration_ids: str, job_seconds: float | None = None) -> None:
    """Migrations that ask for their test launch, one a second, while 200 servers are in MGN's jobs."""
    for number, id_ in enumerate(migration_ids):
        stage.move(stage.accept(id_, scope=SCOPE), S.VALIDATING, S.PREPARING, S.TEST_LAUNCHING)
        intent = LaunchIntent(kind=LaunchKind.TEST, wave="1")
        stage.state.waits.park(a_wait(migration_id=id_, intent=intent, parked_at=NOON + timedelta(seconds=number)))
    stage.state.dispatches.save(Dispatch(scope=SCOPE, active_jobs=1, active_servers=200, job_seconds=job_seconds))


def test_migrations_that_wait_for_room_show_their_place(stage: Stage) -> None:
    waiting_for_room(stage, "mig-1", "mig-2", job_seconds=2_400)
    lines = run("status").out.splitlines()
    assert "#1, in about 40 min" in next(line for line in lines if line.startswith("mig-1"))
    assert "#2, in about 40 min" in next(line for line in lines if line.startswith("mig-2"))
    assert "#2, in about 40 min" in run("status", "mig-2").out


def test_place_and_estimate_are_in_the_documents(stage: Stage) -> None:
    waiting_for_room(stage, "mig-1", job_seconds=2_400)
    one = run("status", "mig-1", "--json").json["migration"]
    (all_,) = run("status", "--json").json
    assert one["queuePlace"] == all_["queuePlace"] == 1
    ahead = datetime.fromisoformat(one["estimatedStart"]) - datetime.now(UTC)
    assert timedelta(minutes=39) < ahead < timedelta(minutes=41)


def test_without_a_job_that_ended_there_is_a_place_and_no_estimate(stage: Stage) -> None:
    waiting_for_room(stage, "mig-1")
    (row,) = run("status", "--json").json
    assert (row["queuePlace"], "estimatedStart" in row) == (1, False)


def test_nothing_is_said_of_a_queue_when_nothing_waits_in_it(migrations: Stage) -> None:
    assert "Queue" not in run("status").out
    assert not [row for row in run("status", "--json").json if "queuePlace" in row]


def test_names_in_a_document_are_spelt_one_way(stage: Stage) -> None:
    template = LaunchTemplateRef(launch_template_id="lt-1", default_version=2)
    stage.accept("mig-1", launch_template=template)
    document = run("status", "mig-1", "--json").json["migration"]
    assert document["launchTemplate"] == {"launchTemplateId": "lt-1", "defaultVersion": 2}


def test_a_gate_that_waits_shows_its_deadline_and_the_command(stage: Stage) -> None:
    request = a_request(approval=Approval(finalize=True, timeout_seconds=3_600))
    launch = Launch(launch_id="l", job_id="mgnjob-1", instance_id="i-1")
    stage.move(stage.accept(request=request, cutover_launch=launch), S.AWAITING_APPROVAL)
    out = run("status", "mig-1").out
    assert 'Next\tmigrate approve mig-1 --gate finalize --reason "…", or reject; by 2026-01-05 13:01:00Z' in out


def test_a_migration_without_a_window_says_what_it_waits_for(stage: Stage) -> None:
    stage.move(stage.accept(), S.AWAITING_WINDOW)
    assert "Window\tnone: it waits until MGN can launch the server" in run("status", "mig-1").out
