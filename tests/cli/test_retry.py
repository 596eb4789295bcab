"""`migrate retry`."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from cli.commands.retry import next_ids
from runtime.models.request import Approval, Window
from tests.builders import a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stage, run


def failed(stage: Stage, migration_id: str = "mig-1", **request: object) -> None:
    record = stage.accept(migration_id, request=a_request(migration_id, **request))
    stage.move(record, S.VALIDATING, S.ROLLING_BACK, S.ROLLED_BACK)


def test_a_new_id_names_the_old_one_and_keeps_every_option(stage: Stage) -> None:
    failed(stage, approval=Approval(cutover=True), soak_seconds=60, tags={"team": "red"})
    assert run("retry", "mig-1", "--no-wait").code == 0
    [body] = stage.bodies()
    again = a_request(
        "mig-1-r2", retry_of="mig-1", approval=Approval(cutover=True), soak_seconds=60, tags={"team": "red"}
    )
    assert type(again).from_json(body) == again


def test_the_next_free_id_is_taken(stage: Stage) -> None:
    failed(stage)
    failed(stage, "mig-1-r2", retry_of="mig-1")
    assert run("retry", "mig-1-r2", "--no-wait").code == 0
    assert run("retry", "mig-1", "--no-wait").code == 0
    assert [json.loads(body)["migrationId"] for body in stage.bodies()] == ["mig-1-r3", "mig-1-r3"]


def test_ids_count_on_and_never_grow_too_long() -> None:
    assert list(islice(next_ids("mig-1"), 2)) == ["mig-1-r2", "mig-1-r3"]
    assert next(next_ids("mig-1-r9")) == "mig-1-r10"
    assert next(next_ids("m" * 80)) == "m" * 77 + "-r2"


def test_filters_retry_what_failed_and_was_not_tried_again_since(stage: Stage) -> None:
    failed(stage, "mig-1")
    failed(stage, "mig-2")
    failed(stage, "mig-2-r2", retry_of="mig-2")
    stage.move(stage.accept("mig-3"), *TO_COMPLETED)
    stage.accept("mig-4")
    ran = run("retry", "--wave", "1", "--yes", "--no-wait")
    assert ran.code == 0
    assert "3 other migrations of wave 1 left out" in ran.err
    assert sorted(json.loads(body)["migrationId"] for body in stage.bodies()) == ["mig-1-r2", "mig-2-r3"]


def test_filters_are_not_obeyed_unasked(stage: Stage) -> None:
    failed(stage)
    ran = run("retry", "--wave", "1")
    assert ran.code == 2
    assert "nobody can be asked whether to retry 1 migration: say --yes" in ran.err
    assert stage.bodies() == []


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (S.PREPARING, "has not ended"),
        (S.COMPLETED, "nothing to try again"),
        (S.FROZEN, "then `migrate release mig-1"),
    ],
)
def test_what_cannot_be_tried_again_says_why(stage: Stage, status: S, why: str) -> None:
    stage.move(stage.accept("mig-1"), status)
    ran = run("retry", "mig-1")
    assert ran.code == 3
    assert why in ran.err
    assert run("retry", "--wave", "1").code == 3


def test_a_frozen_one_that_was_released_is_tried_again(stage: Stage) -> None:
    stage.move(stage.accept("mig-1"), S.FROZEN, reason="released by ada (AIDA): mended")
    assert run("retry", "mig-1", "--no-wait").code == 0


def test_a_window_that_has_closed_is_told(stage: Stage) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    failed(stage, window=Window(not_before=past - timedelta(hours=4), not_after=past))
    ran = run("retry", "mig-1")
    assert ran.code == 3
    assert "its window closed at" in ran.err


def test_status_names_what_it_is_a_retry_of(stage: Stage) -> None:
    failed(stage, "mig-1-r2", retry_of="mig-1")
    out = run("status", "mig-1-r2").out
    assert "Retry of\tmig-1\n" in out
    assert "Next\tmigrate retry mig-1-r2" in out


def test_ids_that_are_not_there_and_filters_that_nothing_fits(stage: Stage) -> None:
    assert run("retry", "mig-9").code == 5
    assert run("retry", "--wave", "9", "--yes").code == 6
    assert run("retry").code == 2
