"""`migrate wait`."""

from collections.abc import Callable

import pytest

from tests.cli.deployed_stage import TO_COMPLETED, S, Stage, run

Meanwhile = list[Callable[[], object]]


def test_all_completed_is_success_and_each_is_a_line(stage: Stage, meanwhile: Meanwhile) -> None:
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    second = stage.accept("mig-2")
    meanwhile += [lambda: stage.move(second, *TO_COMPLETED)]
    ran = run("wait", "--wave", "1")
    assert (ran.code, sorted(ran.out.splitlines())) == (0, ["mig-1\tCOMPLETED", "mig-2\tCOMPLETED"])


def test_another_end_is_no_success(stage: Stage) -> None:
    stage.move(stage.accept("mig-1"), S.FROZEN)
    assert run("wait", "mig-1").code == 1
    assert run("wait", "mig-1", "--for", "ended").code == 0


@pytest.mark.parametrize("goal", ["validating", "AWAITING-WINDOW", "accepted"])
def test_a_status_it_has_passed_was_reached(stage: Stage, goal: str) -> None:
    stage.move(stage.accept("mig-1"), *TO_COMPLETED[:4])
    assert run("wait", "mig-1", "--for", goal).code == 0


def test_a_status_it_can_no_more_come_to_was_not(stage: Stage) -> None:
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    assert run("wait", "mig-1", "--for", "SOAKING").code == 1


def test_an_id_that_is_yet_to_come_is_waited_for(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: None, lambda: stage.accept("mig-1")]
    assert run("wait", "mig-1", "--for", "accepted").code == 0


def test_time_that_is_over_ends_with_7(stage: Stage, meanwhile: Meanwhile) -> None:
    stage.accept("mig-1")
    ran = run("wait", "mig-1", "mig-9", "--timeout", "0s")
    assert ran.code == 7
    assert ran.out == "mig-1\tRECEIVED\nmig-9\tunknown\n"
    assert "2 migrations not COMPLETED after 0.0s" in ran.err


def test_a_set_that_is_empty_ends_with_6(stage: Stage) -> None:
    assert run("wait", "--wave", "1").code == 6
    assert run("wait").code == 6


@pytest.mark.parametrize("options", [["--wave", "1"], ["--for", "joy"], ["--timeout", "soon"]], ids=str)
def test_what_cannot_be_waited_for_is_a_usage_error(stage: Stage, options: list[str]) -> None:
    assert run("wait", "mig-1", *options).code == 2
