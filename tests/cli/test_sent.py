"""Requests on their way are a state people see: they are waited for, and told of until they have their answer."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.deployed import Deployed
from cli.sent import GIVEN_UP, REMEMBERED, OnItsWay, Outbox
from cli.target import Target
from runtime.logic.ingress import parse_request
from tests.builders import a_rejection, a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stage, a_message, run

Meanwhile = list[Callable[[], object]]


@pytest.fixture
def sent(stage: Stage) -> Stage:
    """A stage to which one request was just sent."""
    assert run("submit", "-", "--no-wait", stdin=json.dumps(a_message())).code == 0
    return stage


def accept(stage: Stage) -> None:
    [message] = stage.receive()
    stage.move(stage.accept(request=parse_request(message["Body"])), *TO_COMPLETED)


def test_a_request_on_its_way_is_listed_with_its_age(sent: Stage) -> None:
    [line] = run("list").out.splitlines()
    cells = line.split("\t")
    assert (cells[0], cells[1], cells[5]) == ("mig-1", "billing-web-01", "SENT")
    assert cells[6].endswith("s")
    [row] = run("list", "--status", "sent", "--json").json
    assert (row["status"], row["wave"]) == ("SENT", "1")
    assert run("list", "--wave", "9").code == 6


def test_the_status_of_a_request_on_its_way_is_no_error(sent: Stage) -> None:
    ran = run("status", "mig-1")
    assert ran.code == 0
    assert "neither accepted nor rejected yet" in ran.out
    assert run("status", "mig-1", "--json").json["migration"]["status"] == "SENT"


@pytest.mark.parametrize("named", [["mig-1"], ["--wave", "1"], []], ids=str)
def test_watch_waits_for_what_was_just_submitted(sent: Stage, meanwhile: Meanwhile, named: list[str]) -> None:
    meanwhile += [lambda: None, lambda: accept(sent)]
    ran = run("watch", *named)
    assert ran.code == 0
    assert "mig-1\tFINALIZING -> COMPLETED" in ran.out


@pytest.mark.parametrize("named", [["mig-1"], ["--wave", "1"]], ids=str)
def test_wait_waits_for_what_was_just_submitted(sent: Stage, meanwhile: Meanwhile, named: list[str]) -> None:
    meanwhile += [lambda: None, lambda: accept(sent)]
    ran = run("wait", *named)
    assert (ran.code, ran.out) == (0, "mig-1\tCOMPLETED\n")


def test_a_rejection_ends_the_watch_and_is_no_success(sent: Stage, meanwhile: Meanwhile) -> None:
    [message] = sent.receive()
    meanwhile += [lambda: sent.state.migrations.reject(a_rejection(message["MessageId"], reason="no such wave"))]
    ran = run("watch", "mig-1")
    assert ran.code == 1
    assert "\trejected\tno such wave" in ran.out


def test_what_was_rejected_meanwhile_is_told_once_and_forgotten(sent: Stage) -> None:
    [message] = sent.receive()
    sent.state.migrations.reject(a_rejection(message["MessageId"], reason="no such wave"))
    ran = run("list")
    assert (ran.out, ran.err.splitlines()[0]) == ("", "warning: request mig-1 was rejected: no such wave")
    assert run("list").err == "0 migrations\n"
    assert run("status", "mig-1").code == 5


def test_another_migration_of_that_id_is_not_taken_for_it(sent: Stage) -> None:
    sent.accept("mig-1", request=a_request(wave="9"))
    assert [line.split("\t")[5] for line in run("list").out.splitlines()] == ["RECEIVED", "SENT"]


def test_a_request_that_nobody_takes_for_long_is_given_up_and_said_so(stage: Stage) -> None:
    at = datetime.now(UTC) - GIVEN_UP - timedelta(seconds=1)
    outbox = Deployed(Target()).outbox
    outbox.add([OnItsWay(migration_id="mig-1", source_vm_id="a", app_name="b", wave="1", message_id="m", at=at)])
    ran = run("watch", "mig-1")
    assert ran.code == 1
    assert "look at the queue of requests and its dead-letter queue" in ran.err


def test_the_outbox_remembers_for_a_while_and_the_last_of_one_id(folder: Path) -> None:
    now = datetime.now(UTC)

    def one(migration_id: str, age: timedelta, wave: str = "1") -> OnItsWay:
        return OnItsWay(migration_id=migration_id, source_vm_id="a", app_name="b", wave=wave, at=now - age)

    outbox, fresh = Outbox("here"), timedelta(minutes=1)
    outbox.add([one("a", REMEMBERED), one("b", fresh), one("c", fresh), one("b", fresh, "2")])
    assert [(each.migration_id, each.wave) for each in outbox.requests(now)] == [("b", "2"), ("c", "1")]
    assert Outbox("elsewhere").requests(now) == []
    outbox.forget({"b"})
    assert [each.migration_id for each in outbox.requests(now)] == ["c"]


def test_without_a_place_for_it_nothing_is_remembered_and_nothing_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    (folder / "state").write_text("in the way")
    assert run("submit", "-", "--no-wait", stdin=json.dumps(a_message())).code == 0
    assert run("list").out == ""


def test_a_damaged_memory_is_no_memory(sent: Stage, folder: Path) -> None:
    [path] = (folder / "state/migrate").iterdir()
    path.write_bytes(b"\xff\xfe{")
    assert run("list").out == ""


def test_a_completed_one_leaves_the_outbox(sent: Stage) -> None:
    accept(sent)
    assert [line.split("\t")[5] for line in run("list").out.splitlines()] == [S.COMPLETED]
    assert Deployed(Target()).outbox.requests(datetime.now(UTC)) == []


def test_a_request_on_its_way_is_decided_once_it_is_accepted(sent: Stage) -> None:
    ran = run("cancel", "mig-1", "--reason", "postponed")
    assert ran.code == 3
    assert "mig-1 is SENT: decide once it is accepted" in ran.err
