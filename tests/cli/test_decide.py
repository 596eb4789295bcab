"""`migrate approve`, `reject`, `cancel` and `release`."""

import getpass

import pytest

from runtime.models.events import MigrationSignal
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.record import Launch
from runtime.models.request import Approval, Gate
from tests.builders import INSTANCE_ID, JOB_ID, SERVER_ID, a_request
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


def test_filters_decide_for_all_that_it_makes_sense_for(stage: Stage) -> None:
    gated(stage, "mig-1")
    gated(stage, "mig-2")
    stage.accept("mig-3", source_server_id=SERVER_ID)
    stage.move(stage.accept("mig-4"), *TO_COMPLETED)
    ran = run("approve", "--wave", "1", "--gate", "cutover", *WHY, "--yes")
    assert ran.code == 0
    assert sorted(sent["migrationId"] for sent in stage.decisions()) == ["mig-1", "mig-2"]
    assert "2 other migrations of wave 1 left out" in ran.err


def test_what_filters_find_is_shown_and_nothing_is_sent_unasked(stage: Stage) -> None:
    gated(stage)
    ran = run("cancel", "--wave", "1", *WHY)
    assert ran.code == 2
    assert ran.out.startswith("mig-1\t")
    assert "nobody can be asked whether to cancel mig-1: say --yes; nothing was sent" in ran.err
    assert stage.decisions() == []


def test_filters_under_which_nothing_can_be_decided_say_why(stage: Stage) -> None:
    stage.move(stage.accept("mig-1"), *TO_COMPLETED)
    ran = run("cancel", "--wave", "1", *WHY, "--yes")
    assert ran.code == 3
    assert "mig-1 has ended COMPLETED" in ran.err
    assert run("cancel", "--wave", "9", *WHY, "--yes").code == 6


def test_ids_and_filters_exclude_each_other(stage: Stage) -> None:
    assert run("cancel", "mig-1", "--wave", "1", *WHY).code == 2
    assert run("cancel", *WHY).code == 2


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_that_is_empty_is_a_usage_error(stage: Stage, reason: str) -> None:
    stage.accept()
    ran = run("cancel", "mig-1", "--reason", reason)
    assert ran.code == 2
    assert "say why" in ran.err


def test_a_release_that_was_made_is_not_made_again(stage: Stage) -> None:
    stage.move(stage.accept(), S.FROZEN, reason="released by ada (AIDA): mended")
    ran = run("release", "mig-1", *WHY, "--yes")
    assert ran.code == 3
    assert "mig-1 was released before" in ran.err
    assert stage.decisions() == []


def test_a_release_says_what_is_left_and_asks(stage: Stage, stacks: Stacks) -> None:
    record = stage.accept(
        source_server_id=SERVER_ID,
        scope="123456789012#us-east-1",
        lifecycle_before="READY_FOR_TEST",
        cutover_launch=Launch(launch_id="l", job_id=JOB_ID, instance_id=INSTANCE_ID),
        launch_template=LaunchTemplateRef(launch_template_id="lt-1", default_version=2),
    )
    stage.move(record, S.FROZEN)
    server = {"sourceServerID": SERVER_ID, "lifeCycle": {"state": "CUTTING_OVER"}}
    stacks.made["DescribeSourceServers"] = lambda call: {"items": [server]}
    stacks.made["GetLaunchConfiguration"] = lambda call: {"ec2LaunchTemplateID": "lt-1"}
    versions = [{"VersionNumber": 3, "DefaultVersion": True, "LaunchTemplateData": {}}]
    stacks.made["DescribeLaunchTemplateVersions"] = lambda call: {"LaunchTemplateVersions": versions}
    stacks.made["DescribeInstanceInformation"] = lambda call: {"InstanceInformationList": []}
    ran = run("release", "mig-1", *WHY)
    assert ran.code == 2
    for told in (
        f"{SERVER_ID} is locked for it",
        f"the cutover instance {INSTANCE_ID} is gone",
        f"{SERVER_ID} is CUTTING_OVER in MGN, before the migration it was READY_FOR_TEST",
        "the launch template lt-1 has version 3 as its default; before the migration it was 2",
        "say --yes",
    ):
        assert told in ran.err
    assert stage.decisions() == []


def test_a_release_of_a_server_elsewhere_says_where_to_look(stage: Stage) -> None:
    record = stage.accept(source_server_id=SERVER_ID, scope="222233334444#eu-west-1")
    stage.move(record, S.FROZEN)
    ran = run("release", "mig-1", *WHY, "--yes")
    assert ran.code == 0
    assert "its server is in account 222233334444: look there" in ran.err
