"""`migrate watch`."""

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from cli.following import PATIENCE
from tests.builders import a_record, a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stacks, Stage, run

Meanwhile = list[Callable[[], object]]


def test_each_change_is_a_line_until_all_have_ended(stage: Stage, meanwhile: Meanwhile) -> None:
    record = stage.move(stage.accept(), S.VALIDATING)
    meanwhile += [lambda: None, lambda: stage.move(record, *TO_COMPLETED[1:])]
    ran = run("watch")
    assert ran.code == 0
    changes = [line.split("\t")[2] for line in ran.out.splitlines()]
    assert changes[0] == "RECEIVED"
    assert [change.split(" -> ")[1] for change in changes[1:]] == [str(status) for status in TO_COMPLETED]


def test_a_bad_end_ends_with_1(stage: Stage) -> None:
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    stage.move(stage.accept("mig-2"), S.FROZEN)
    assert run("watch", "mig-1").code == 0
    assert run("watch", "mig-1", "mig-2", "--until-done").code == 1


def test_nothing_under_way_is_no_success(stage: Stage) -> None:
    stage.move(stage.accept(), S.FROZEN)
    ran = run("watch")
    assert (ran.code, ran.out, ran.err) == (6, "", "error: no migration is under way\n")


def test_a_wave_that_is_not_there_is_no_success_and_tells_which_may_have_been_meant(stage: Stage) -> None:
    stage.accept("mig-1", request=a_request(wave="wave-1"))
    ran = run("watch", "--wave", "wave1")
    assert ran.code == 6
    assert "no migration matches wave wave1; did you mean wave-1?" in ran.err


def test_a_wave_of_which_one_has_failed_before_is_no_success(stage: Stage) -> None:
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    assert run("watch", "--wave", "1").code == 0
    stage.move(stage.accept("mig-2"), S.FROZEN)
    assert run("watch", "--wave", "1").code == 1


def test_only_the_named_wave_is_followed(stage: Stage, meanwhile: Meanwhile) -> None:
    stage.accept("mig-1")
    record = stage.accept("mig-2", request=a_request("mig-2", wave="2"))
    meanwhile += [lambda: stage.move(record, *TO_COMPLETED)]
    ran = run("watch", "--wave", "2")
    assert ran.code == 0
    assert "mig-1" not in ran.out


def test_migrations_that_come_meanwhile_are_followed_too(stage: Stage, meanwhile: Meanwhile) -> None:
    first = stage.accept("mig-1")
    meanwhile += [
        lambda: stage.accept("mig-2"),
        lambda: stage.move(first, *TO_COMPLETED),
        lambda: stage.move(a_record("mig-2"), *TO_COMPLETED),
    ]
    ran = run("watch")
    assert ran.err.endswith("2 migrations · 2 COMPLETED\n")


def test_forever_goes_on_after_the_end(stage: Stage, meanwhile: Meanwhile) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    meanwhile += [lambda: stage.move(stage.accept(), S.FROZEN), lambda: None, interrupt]
    assert run("watch", "--forever").code == 130


def test_on_a_terminal_the_table_is_live(stage: Stage, meanwhile: Meanwhile) -> None:
    record = stage.accept()
    meanwhile += [lambda: stage.move(record, *TO_COMPLETED)]
    out = run("watch", FORCE_COLOR="1", TTY_COMPATIBLE="1", LINES="30", TERM="xterm").out
    assert "RECEIVED" in out
    assert "COMPLETED" in out
    assert "\x1b[" in out


def test_json_is_one_journal_entry_a_line(stage: Stage) -> None:
    stage.move(stage.accept(), *TO_COMPLETED)
    entries = [json.loads(line) for line in run("watch", "mig-1", "--json").out.splitlines()]
    assert [entry["toStatus"] for entry in entries] == ["RECEIVED", *TO_COMPLETED]


def test_a_migration_that_is_not_there_ends_with_5(stage: Stage) -> None:
    stage.accept("mig-1")
    ran = run("watch", "mig-1", "mig-8", "mig-9")
    assert ran.code == 5
    assert "mig-8, mig-9" in ran.err


@pytest.mark.parametrize("arguments", [["mig-1", "--wave", "1"], ["--interval", "0"]], ids=str)
def test_what_does_not_go_together_is_a_usage_error(arguments: list[str]) -> None:
    assert run("watch", *arguments).code == 2


def throttled(answer: object) -> object:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "BatchGetItem")


def test_looks_that_aws_does_not_answer_are_made_again(stage: Stage, stacks: Stacks, meanwhile: Meanwhile) -> None:
    record = stage.accept()
    meanwhile += [
        lambda: stacks.answers.update({"BatchGetItem": [throttled] * 3}),
        *[lambda: None] * 3,
        lambda: stage.move(record, *TO_COMPLETED),
    ]
    assert run("watch", "--wave", "1").code == 0


def test_looks_that_aws_does_not_answer_for_long_end_with_4(stage: Stage, stacks: Stacks, meanwhile: Meanwhile) -> None:
    stage.accept()
    stacks.answers["BatchGetItem"] = [throttled] * 100
    meanwhile += [lambda: None] * PATIENCE
    assert run("watch", "--wave", "1").code == 4
