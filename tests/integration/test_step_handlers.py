"""The handlers behind the state machine's steps, one migration from request to its end."""

import json
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runtime.adapters.aws import clients
from runtime.errors import NotVerifiedError
from runtime.handlers import (
    finalize_cutover,
    prepare_source,
    publish_events,
    rollback_handler,
    signal_handler,
    trigger_migration,
    validate_input,
    verify_migration,
)
from runtime.models.mgn import SOURCE_SERVER_TAG
from runtime.models.status import MigrationStatus
from tests.builders import SERVER_ID
from tests.contract.aws import aws
from tests.integration.cloud import EXECUTION, SCOPE, Cloud
from tests.integration.journey import STAGES, bring_to, record_of, submitted, swept, validated


def alive_instances() -> list[str]:
    reservations = aws("ec2").describe_instances()["Reservations"]
    found = [instance for reservation in reservations for instance in reservation["Instances"]]
    return [instance["InstanceId"] for instance in found if instance["State"]["Name"] != "terminated"]


def test_validate_input_answers_the_plan_the_state_machine_reads(cloud: Cloud) -> None:
    assert validated(cloud) == {
        "verdict": "accepted",
        "runsTest": True,
        "cutsOver": True,
        "soaks": False,
        "approvesCutover": False,
        "approvesFinalize": False,
    }
    assert record_of(cloud).source_server_id == SERVER_ID
    assert cloud.step(validate_input.handler, execution="another")["verdict"] == "duplicate"


def test_validate_input_rejects_with_every_broken_rule(cloud: Cloud) -> None:
    plan = validated(cloud, instanceType="m5.unheardof", subnetId="subnet-00000000", sourceVmId="nobody")
    assert plan["verdict"] == "rejected"
    assert record_of(cloud).status is MigrationStatus.REJECTED
    for words in ("m5.unheardof is not offered", "subnet-00000000 does not exist", "no active MGN source server"):
        assert words in record_of(cloud).reason


def test_whole_migration_reaches_completed(cloud: Cloud) -> None:
    # Given a migration whose cutover was verified
    bring_to("cutover-verified", cloud)
    assert cloud.tokens() == dict.fromkeys(
        ["replication", "launch-test", "boot-test", "window", "launch-cutover", "boot-cutover"]
    )
    # When it is finalized, twice
    cloud.step(finalize_cutover.handler)
    cloud.step(finalize_cutover.handler)
    # Then MGN and record agree, and one instance is left: the cutover's
    assert cloud.simulator.server(SERVER_ID).state == "CUTOVER"
    record = record_of(cloud)
    assert record.status is MigrationStatus.COMPLETED
    assert record.cutover_launch is not None
    assert alive_instances() == [record.cutover_launch.instance_id]
    assert cloud.state.migrations.lock_of(SCOPE, SERVER_ID) is None


def test_launched_instance_has_what_the_request_asked_for(cloud: Cloud) -> None:
    bring_to("test-booted", cloud, tags={"cost-center": "17"})
    (name,) = alive_instances()
    instance = aws("ec2").describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
    assert (instance["InstanceType"], instance["SubnetId"]) == ("m5.large", cloud.subnet_id)
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert (tags["Name"], tags["cost-center"]) == ("billing-01", "17")


def test_i5_finalize_without_a_verified_cutover_is_refused(cloud: Cloud) -> None:
    bring_to("cutover-booted", cloud, test=False)
    with pytest.raises(NotVerifiedError, match="the cutover was not verified"):
        cloud.step(finalize_cutover.handler)
    assert cloud.simulator.server(SERVER_ID).state == "CUTTING_OVER"


@pytest.mark.parametrize("stage", STAGES)
def test_i6_failure_after_any_stage_is_rolled_back(cloud: Cloud, stage: str) -> None:
    bring_to(stage, cloud)
    failure = {"Error": "CheckFailedError", "Cause": '{"errorMessage": "no answer"}'}
    for number in range(6):
        cloud.park(rollback_handler.handler, goal="rolled-back", failure=failure, taskToken=f"undo-{number}")
        swept(cloud)
        if record_of(cloud).status.is_terminal:
            break
    assert (record_of(cloud).status, record_of(cloud).reason) == ("ROLLED_BACK", "CheckFailedError: no answer")
    assert cloud.simulator.server(SERVER_ID).state == "READY_FOR_TEST"
    assert alive_instances() == []
    assert cloud.state.migrations.lock_of(SCOPE, SERVER_ID) is None


def test_rollback_handler_without_a_token_freezes(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.step(rollback_handler.handler, failure={"Error": "States.Timeout", "Cause": ""})
    assert record_of(cloud).status is MigrationStatus.FROZEN
    assert cloud.state.migrations.lock_of(SCOPE, SERVER_ID) is not None


def test_i11_no_token_and_no_tag_value_is_logged_by_any_step(cloud: Cloud, log_lines: StringIO) -> None:
    bring_to("cutover-verified", cloud, tags={"owner": "hush-hush"})
    cloud.step(finalize_cutover.handler)
    for secret in ("hush", *cloud.tokens()):
        assert f'"{secret}' not in log_lines.getvalue()
    with pytest.raises(Exception, match="phase") as caught:
        cloud.step(trigger_migration.handler, taskToken="hush-token")
    assert "hush" not in str(caught.value)


def test_i11_what_ec2_quotes_of_a_tag_is_in_no_error_journal_event_log_or_callback(
    cloud: Cloud, log_lines: StringIO
) -> None:
    # Given a template that EC2 refuses, quoting tag and user data
    bring_to("replicated", cloud, tags={"owner": "hush-hush"})
    told = "Tag value hush-hush of 'owner', and with it 'hush-hush' in (hush-hush), is not allowed"
    refusal = {"Error": {"Code": "InvalidParameterValue", "Message": told}, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def answer(**_: object) -> Any:
        return SimpleNamespace(status_code=400), refusal

    heard, refused = clients.client("ec2").meta.events, "before-call.ec2.CreateLaunchTemplateVersion"
    heard.register(refused, answer)
    # When the step fails as Lambda tells it, and the migration is undone for it
    with pytest.raises(ClientError) as caught:
        cloud.step(prepare_source.handler, phase="test")
    heard.unregister(refused, answer)
    cause = {"errorType": type(caught.value).__name__, "errorMessage": str(caught.value), "stackTrace": []}
    failure = {"Error": cause["errorType"], "Cause": json.dumps(cause)}
    cloud.step(rollback_handler.handler, failure=failure, taskToken="undo")
    cloud.published()
    cloud.invoke(publish_events.handler, {"Records": cloud.stream()})
    # Then what happened is told everywhere, and the value nowhere
    kept = "".join(entry.reason for entry in cloud.state.migrations.journal("mig-1"))
    events = json.dumps(cloud.published())
    for text in (str(caught.value), kept, events, log_lines.getvalue()):
        assert "InvalidParameterValue" in text
        assert "hush" not in text
    assert "hush" not in f"{record_of(cloud).reason}{record_of(cloud).failure}"


def test_steps_of_an_unknown_migration_are_tried_again_later(cloud: Cloud) -> None:
    for handler in (validate_input.handler, verify_migration.handler, finalize_cutover.handler):
        with pytest.raises(Exception, match="no migration mig-1 in the state table yet"):
            cloud.step(handler, phase="test") if handler is verify_migration.handler else cloud.step(handler)


def test_signal_handler_as_a_step_parks_an_approval(cloud: Cloud) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    cloud.step(prepare_source.handler, phase="cutover")
    assert cloud.step(signal_handler.handler, kind="approval", gate="cutover", taskToken="approval") == {}
    assert record_of(cloud).status is MigrationStatus.AWAITING_APPROVAL
    assert record_of(cloud).execution == EXECUTION
    submitted(cloud, approval={"cutover": True})
    assert "approval" not in cloud.tokens()


def test_commands_of_the_request_run_once_on_source_and_target(cloud: Cloud) -> None:
    parameters = {"commands": ["systemctl is-active billing"]}
    source = aws("ec2").run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    aws("ec2").create_tags(Resources=[source], Tags=[{"Key": SOURCE_SERVER_TAG, "Value": SERVER_ID}])
    command = {"instanceId": source, "document": "AWS-RunShellScript", "parameters": parameters}
    check = {"type": "ssm", "document": "AWS-RunShellScript", "parameters": parameters}
    bring_to("test-verified", cloud, preMigrationCommand=command, checks=[check])
    sent = aws("ssm").list_commands()["Commands"]
    assert len(sent) == 2
    on_source, on_target = sent
    assert on_source["InstanceIds"] == [source]
    # moto adds other instances to a later command, in any order.
    assert set(on_target["InstanceIds"]) == set(alive_instances()) > {source}
    assert set((record_of(cloud).commands or {}).values()) == {command["CommandId"] for command in sent}
