"""Post-launch actions: kept in order, run after the boot, and what a failed mandatory one prevents."""

from typing import Any

import pytest

ACTION = {"actionID": "check", "actionName": "Check disk", "documentIdentifier": "AWSMigration-ValidateDiskSpace",
          "order": 1001}  # fmt: skip


def statuses(world: Any, job_id: str) -> Any:
    return world.job(job_id)["participatingServers"][0].get("postLaunchActionsStatus", {})


def test_actions_are_listed_by_order(simulate: Any) -> None:
    """§post-launch-actions [model]: Put, List, Remove of source server actions."""
    world = simulate()
    server = world.ids[0]
    world.mgn.put_source_server_action(sourceServerID=server, **{**ACTION, "actionID": "late", "order": 1005})
    world.mgn.put_source_server_action(sourceServerID=server, **ACTION)
    listed = world.mgn.list_source_server_actions(sourceServerID=server)["items"]
    assert [action["actionID"] for action in listed] == ["check", "late"]
    world.mgn.remove_source_server_action(sourceServerID=server, actionID="check")
    wanted = world.mgn.list_source_server_actions(sourceServerID=server, filters={"actionIDs": ["check"]})
    assert wanted["items"] == []


def test_order_is_unique_and_custom(simulate: Any, refused: Any) -> None:
    """§post-launch-actions [docs UG/post-launch-settings]: 1001 to 10000, unique per server."""
    world = simulate()
    call = {"sourceServerID": world.ids[0], **ACTION}
    world.mgn.put_source_server_action(**call)
    error = refused(world.mgn.put_source_server_action, {**call, "actionID": "b"}, "ValidationException")
    assert error["fieldList"][0]["name"] == "order"
    # botocore itself refuses too small numbers, the service too large ones.
    error = refused(world.mgn.put_source_server_action, {**call, "order": 10_001}, "ValidationException")
    assert error["fieldList"][0]["name"] == "order"


def test_actions_run_after_the_boot_and_show_in_the_job(simulate: Any) -> None:
    """§post-launch-actions [model]: IN_PROGRESS, then SUCCESS; ssmAgentDiscoveryDatetime once the agent is there."""
    world = simulate("READY_FOR_TEST")
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION)
    job_id = world.launch("test", world.ids[0])
    assert statuses(world, job_id)["postLaunchActionsLaunchStatusList"][0]["executionStatus"] == "IN_PROGRESS"
    assert "ssmAgentDiscoveryDatetime" not in statuses(world, job_id)
    world.simulator.advance(181)
    assert statuses(world, job_id)["postLaunchActionsLaunchStatusList"][0]["executionStatus"] == "SUCCESS"
    assert "ssmAgentDiscoveryDatetime" in statuses(world, job_id)


@pytest.mark.parametrize(("knob", "expected"), [("after_launch", "IN_PROGRESS"), ("after_actions", "SUCCESS")])
def test_job_end_against_actions_is_a_knob(simulate: Any, knob: str, expected: str) -> None:
    """§post-launch-actions [inferred]: whether the job completes before the actions end is undocumented."""
    world = simulate("READY_FOR_TEST", knobs={"job_completes": knob})
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION)
    job_id = world.launch("test", world.ids[0])
    assert statuses(world, job_id)["postLaunchActionsLaunchStatusList"][0]["executionStatus"] == expected


def test_failed_mandatory_action_prevents_finalize(simulate: Any, refused: Any) -> None:
    """§post-launch-actions [model doc]: mustSucceedForCutover; the error class [inferred]."""
    world = simulate("READY_FOR_CUTOVER", faults=[{"kind": "launch", "at": "actions", "error": "disk full"}])
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION, mustSucceedForCutover=True)
    job_id = world.launch("cutover", world.ids[0])
    world.simulator.advance(600)
    status = statuses(world, job_id)["postLaunchActionsLaunchStatusList"][0]
    assert (status["executionStatus"], status["failureReason"]) == ("FAILED", "disk full")
    refused(world.mgn.finalize_cutover, {"sourceServerID": world.ids[0]}, "ConflictException", "Check disk")


def test_error_after_a_failed_mandatory_action_is_a_knob(simulate: Any, refused: Any) -> None:
    """§post-launch-actions [inferred]: which error class FinalizeCutover answers is not documented."""
    knobs = {"must_succeed_error": "ValidationException"}
    world = simulate("READY_FOR_CUTOVER", faults=[{"kind": "launch", "at": "actions"}], knobs=knobs)
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION, mustSucceedForCutover=True)
    world.launch("cutover", world.ids[0])
    world.simulator.advance(600)
    refused(world.mgn.finalize_cutover, {"sourceServerID": world.ids[0]}, "ValidationException", "Check disk")


def test_failed_optional_action_does_not(simulate: Any) -> None:
    """§post-launch-actions [model doc]: only mandatory ones count."""
    world = simulate("READY_FOR_CUTOVER", faults=[{"kind": "launch", "at": "actions"}])
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION)
    world.launch("cutover", world.ids[0])
    world.simulator.advance(600)
    assert world.mgn.finalize_cutover(sourceServerID=world.ids[0])["lifeCycle"]["state"] == "CUTOVER"


def test_actions_fail_without_the_agent(simulate: Any) -> None:
    """§post-launch-actions [docs UG/Post-Launch-Actions-FAQ]: actions need SSM."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "ssm"}])
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION)
    job_id = world.launch("test", world.ids[0])
    world.simulator.advance(600)
    assert statuses(world, job_id)["postLaunchActionsLaunchStatusList"][0]["executionStatus"] == "FAILED"
    assert "ssmAgentDiscoveryDatetime" not in statuses(world, job_id)


@pytest.mark.parametrize(
    ("deployment", "runs"), [("TEST_AND_CUTOVER", True), ("CUTOVER_ONLY", False), ("TEST_ONLY", True)]
)
def test_deployment_chooses_the_phase(simulate: Any, deployment: str, runs: bool) -> None:
    """§post-launch-actions [model]: postLaunchActions.deployment."""
    world = simulate("READY_FOR_TEST")
    document = {"actionName": "a", "ssmDocumentName": "AWSMigration-VerifyMountedVolumes"}
    world.mgn.update_launch_configuration(
        sourceServerID=world.ids[0], postLaunchActions={"deployment": deployment, "ssmDocuments": [document]}
    )
    assert ("postLaunchActionsLaunchStatusList" in statuses(world, world.launch("test", world.ids[0]))) is runs


def test_template_actions_reach_new_servers_of_their_system(simulate: Any) -> None:
    """§post-launch-actions [ours]: template actions are defaults of servers added later, by operating system."""
    from simulator.scenario import ServerSpec

    world = simulate("READY_FOR_TEST")
    template = world.mgn.describe_launch_configuration_templates()["items"][0]["launchConfigurationTemplateID"]
    put = world.mgn.put_template_action
    put(launchConfigurationTemplateID=template, **ACTION, operatingSystem="windows")
    put(launchConfigurationTemplateID=template, **{**ACTION, "actionID": "any", "order": 1002})
    late = world.simulator.add_servers(ServerSpec(name="late"))[0].server_id
    listed = world.mgn.list_source_server_actions(sourceServerID=late)["items"]
    assert [action["actionID"] for action in listed] == ["any"]
    assert world.mgn.list_source_server_actions(sourceServerID=world.ids[0])["items"] == []
    world.mgn.remove_template_action(launchConfigurationTemplateID=template, actionID="any")
    assert len(world.mgn.list_template_actions(launchConfigurationTemplateID=template)["items"]) == 1


SLOW = {"timings": {"action": 3600}, "faults": [{"kind": "launch", "at": "actions", "phase": "test"}]}


def test_failed_action_of_the_test_instance_does_not_prevent_finalize(simulate: Any) -> None:
    """§post-launch-actions [model doc]: mustSucceedForCutover is about the instance that is cut over to [inferred]."""
    world = simulate("READY_FOR_TEST", **SLOW)
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION, mustSucceedForCutover=True)
    test = world.launch("test", world.ids[0])
    world.simulator.advance(200)
    cutover = world.cut_over(world.ids[0])
    world.simulator.advance(10_000)
    found = [statuses(world, job)["postLaunchActionsLaunchStatusList"][0]["executionStatus"] for job in (test, cutover)]
    assert found == ["FAILED", "SUCCESS"]
    assert world.mgn.finalize_cutover(sourceServerID=world.ids[0])["lifeCycle"]["state"] == "CUTOVER"


def test_action_of_a_terminated_instance_fails(simulate: Any) -> None:
    """§post-launch-actions [ours]: nothing runs on an instance that is gone; what ran before keeps its result."""
    world = simulate("READY_FOR_TEST", timings={"action": 3600})
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **ACTION)
    world.mgn.put_source_server_action(sourceServerID=world.ids[0], **{**ACTION, "actionID": "b", "order": 1002})
    job_id = world.launch("test", world.ids[0])
    world.simulator.advance(3800)
    world.mark(world.ids[0], "READY_FOR_TEST")
    world.mgn.terminate_target_instances(sourceServerIDs=world.ids)
    world.simulator.advance(10_000)
    found = statuses(world, job_id)["postLaunchActionsLaunchStatusList"]
    assert [(each["executionStatus"], each.get("failureReason")) for each in found] == [
        ("SUCCESS", None),
        ("FAILED", "the instance is gone"),
    ]
