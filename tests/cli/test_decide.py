"""`migrate approve`, `reject`, `cancel` and `release`."""

import getpass

import pytest

from runtime.models.events import MigrationSignal
from runtime.models.request import Approval, Gate
from tests.builders import SERVER_ID, a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stacks, Stage, run

WHY = ("--reason", "because")


def gated(stage: Stage, migration_id: str = "mig-1") -> None:
    """A migration that asks for both approvals."""
    stage.accept(migration_id, request=a_request(migration_id, approval=Approval(cutover=True, finalize=True)))


@pytest.mark.parametrize("gate", ["cutover", "finalize"])
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_gate_is_decided_through_the_queue_of_decisions(stage: Stage, decision: str, gate: str) -> None:
    gated(stage)
    ran = run(decision, "mig-1", "--gate", gate, "--by", "ada@example.com", *WHY)
    assert (ran.code, ran.out) == (0, f"sent: {decision} the {gate} gate of mig-1, by ada@example.com\n")
    assert stage.events() == []
    [sent] = stage.decisions()
    assert MigrationSignal.model_validate(sent).model_dump(mode="json") == {
        "migrationId": "mig-1",
        "decision": decision,
        "gate": gate,
        "by": "ada@example.com",
        "reason": "because",
    }


def test_a_gate_is_decided_through_the_bus_when_asked_for(stage: Stage) -> None:
    gated(stage)
    assert run("approve", "mig-1", "--gate", "cutover", "--via", "eventbridge", *WHY).code == 0
    assert stage.decisions() == []
    [event] = stage.events()
    assert (event["source"], event["detail-type"]) == ("migration.cli", "MigrationSignal")


def test_i13_stage_of_a_release_without_a_queue_of_decisions_is_told_through_the_bus(
    stage: Stage, stacks: Stacks
) -> None:
    gated(stage)
    earlier = stage.deployment.model_copy(update={"decisions_queue_url": None})
    stacks.deploy("dev", earlier.model_dump(by_alias=False, exclude_none=True))
    assert run("approve", "mig-1", "--gate", "cutover", *WHY).code == 0
    assert [event["detail-type"] for event in stage.events()] == ["MigrationSignal"]


def test_gate_that_only_the_stage_requires_is_decided_too(stage: Stage) -> None:
    stage.accept("mig-1", required_gates=(Gate.FINALIZE,), source_server_id=SERVER_ID)
    assert run("approve", "mig-1", "--gate", "finalize", *WHY).code == 0
    assert run("approve", "mig-1", "--gate", "cutover", *WHY).code == 3


def test_who_decides_is_the_user_unless_named(stage: Stage) -> None:
    stage.accept()
    assert run("cancel", "mig-1", *WHY).code == 0
    assert stage.decisions()[0]["by"] == getpass.getuser()


def test_several_migrations_at_once(stage: Stage) -> None:
    ids = [f"mig-{number}" for number in range(12)]
    for migration_id in ids:
        stage.accept(migration_id)
    rows = run("cancel", *ids, *WHY, "--json").json
    assert [row["migrationId"] for row in rows] == ids
    assert sorted(sent["migrationId"] for sent in stage.decisions()) == sorted(ids)


def test_a_frozen_migration_is_released(stage: Stage) -> None:
    stage.move(stage.accept(), S.FROZEN)
    assert run("release", "mig-1", *WHY, "--yes").code == 0
    assert stage.decisions()[0]["decision"] == "release"


def test_a_migration_that_is_not_there_ends_with_5(stage: Stage) -> None:
    stage.accept("mig-1")
    ran = run("cancel", "mig-1", "mig-9", *WHY)
    assert ran.code == 5
    assert "no migration mig-9" in ran.err
    assert stage.decisions() == stage.events() == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["approve", "open", "--gate", "cutover"], "open has no cutover gate"),
        (["cancel", "ended"], "ended has ended COMPLETED"),
        (["release", "open"], "open is RECEIVED: only a FROZEN migration is released"),
        (["cancel", "open", "--by", ""], "by: "),
        (["cancel", "open", "--reason", "x" * 3_000], "reason: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_decision_that_would_come_to_nothing_ends_with_3(stage: Stage, arguments: list[str], why: str) -> None:
    stage.accept("open", source_server_id=SERVER_ID)
    stage.move(stage.accept("ended"), *TO_COMPLETED)
    ran = run(arguments[0], *WHY, *arguments[1:])
    assert ran.code == 3
    assert why in ran.err
    assert "nothing was sent" in ran.err
    assert stage.decisions() == stage.events() == []


@pytest.mark.parametrize(
    "arguments",
    [["approve", "a", *WHY], ["approve", "a", "--gate", "side", *WHY], ["cancel", *WHY], ["cancel", "a"]],
    ids=str,
)
def test_what_is_missing_is_a_usage_error(arguments: list[str]) -> None:
    assert run(*arguments).code == 2


@pytest.mark.parametrize("options", [("--by", "a\x1b[2Jda", *WHY), ("--by", "ada", "--reason", "fine\nby eve")])
def test_control_characters_in_name_or_reason_are_refused_and_not_printed(
    stage: Stage, options: tuple[str, ...]
) -> None:
    gated(stage)
    ran = run("approve", "mig-1", "--gate", "cutover", *options)
    assert ran.code == 3
    assert "holds the control character U+00" in ran.err
    assert "\x1b" not in ran.err
    assert stage.events() == []
