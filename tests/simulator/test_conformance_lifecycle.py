"""The lifecycle of a source server: which call leads where, and what is refused."""

from typing import Any

import pytest

ALL = ("STOPPED", "NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER", "CUTOVER",
       "DISCONNECTED", "DISCOVERED", "PENDING_INSTALLATION")  # fmt: skip
CHANGES = {
    ("TESTING", "READY_FOR_CUTOVER"),
    ("READY_FOR_TEST", "READY_FOR_CUTOVER"),
    ("TESTING", "READY_FOR_TEST"),
    ("READY_FOR_CUTOVER", "READY_FOR_TEST"),
    ("CUTTING_OVER", "READY_FOR_CUTOVER"),
    ("DISCONNECTED", "CUTOVER"),
}


@pytest.mark.parametrize("state", ALL)
@pytest.mark.parametrize("wanted", ["READY_FOR_TEST", "READY_FOR_CUTOVER", "CUTOVER"])
def test_state_changes_along_known_edges_only(simulate: Any, refused: Any, state: str, wanted: str) -> None:
    """§1.3 [docs UG/migration-dashboard]: mark ready, revert, skip the test; all else conflicts [inferred]."""
    world = simulate(state)
    call = {"sourceServerID": world.ids[0], "lifeCycle": {"state": wanted}}
    if (state, wanted) in CHANGES:
        assert world.mgn.change_server_life_cycle_state(**call)["lifeCycle"]["state"] == wanted
    else:
        assert refused(world.mgn.change_server_life_cycle_state, call)["Error"]["Code"] == "ConflictException"


@pytest.mark.parametrize("state", ALL)
def test_start_test_needs_ready_for_test_or_testing(simulate: Any, refused: Any, state: str) -> None:
    """§1.3 [model doc]: READY_FOR_TEST; again while TESTING [inferred]."""
    world = simulate(state)
    if state in ("READY_FOR_TEST", "TESTING"):
        world.mgn.start_test(sourceServerIDs=world.ids)
        assert world.state(world.ids[0]) == "TESTING"
    else:
        refused(world.mgn.start_test, {"sourceServerIDs": world.ids})


@pytest.mark.parametrize("state", ALL)
def test_start_cutover_needs_ready_for_cutover(simulate: Any, refused: Any, state: str) -> None:
    """§3 [field T22]: the server must be READY_FOR_CUTOVER."""
    world = simulate(state)
    if state == "READY_FOR_CUTOVER":
        world.mgn.start_cutover(sourceServerIDs=world.ids)
        assert world.state(world.ids[0]) == "CUTTING_OVER"
    else:
        refused(world.mgn.start_cutover, {"sourceServerIDs": world.ids})


@pytest.mark.parametrize("state", ["TESTING", "CUTTING_OVER", "CUTOVER"])
def test_terminate_is_refused_while_the_instance_is_in_use(simulate: Any, refused: Any, state: str) -> None:
    """§3 [model doc]: TerminateTargetInstances does not work in TESTING, CUTTING_OVER or CUTOVER."""
    world = simulate(state)
    refused(world.mgn.terminate_target_instances, {"sourceServerIDs": world.ids})


@pytest.mark.parametrize("state", ["CUTOVER", "DISCONNECTED"])
def test_finished_server_can_be_archived_without_change_of_state(simulate: Any, state: str) -> None:
    """§1.3 [model doc]: MarkAsArchived in CUTOVER or DISCONNECTED, state unchanged."""
    world = simulate(state)
    answer = world.mgn.mark_as_archived(sourceServerID=world.ids[0])
    assert (answer["isArchived"], answer["lifeCycle"]["state"]) == (True, state)


@pytest.mark.parametrize("state", [each for each in ALL if each not in ("CUTOVER", "DISCONNECTED")])
def test_unfinished_server_is_neither_archived_nor_deleted(simulate: Any, refused: Any, state: str) -> None:
    """§2.1 [docs UG/Other-Troubleshooting-Topics]: both need DISCONNECTED or CUTOVER."""
    world = simulate(state)
    refused(world.mgn.mark_as_archived, {"sourceServerID": world.ids[0]})
    refused(world.mgn.delete_source_server, {"sourceServerID": world.ids[0]})


def test_deleted_server_is_gone(simulate: Any) -> None:
    """§2.1 [model]: DeleteSourceServer."""
    world = simulate("DISCONNECTED")
    world.mgn.delete_source_server(sourceServerID=world.ids[0])
    assert world.mgn.describe_source_servers()["items"] == []


def test_archived_server_is_listed_unless_filtered_out(simulate: Any) -> None:
    """§2.1 [inferred]: leaving isArchived out lists archived servers too."""
    world = simulate(servers=[{"name": "old", "lifecycle": "CUTOVER", "archived": True}])
    assert len(world.mgn.describe_source_servers()["items"]) == 1
    assert world.mgn.describe_source_servers(filters={"isArchived": False})["items"] == []


def test_archived_server_may_be_hidden_by_knob(simulate: Any) -> None:
    """§2.1 [inferred]: the other reading."""
    world = simulate(
        servers=[{"name": "old", "lifecycle": "CUTOVER", "archived": True}], knobs={"archived_listed": False}
    )
    assert world.mgn.describe_source_servers()["items"] == []


def test_lifecycle_is_set_before_any_instance_exists(simulate: Any) -> None:
    """§1.3 [model doc]: StartTest changes the state when it is accepted."""
    world = simulate("READY_FOR_TEST")
    job_id = world.mgn.start_test(sourceServerIDs=world.ids)["job"]["jobID"]
    server = world.server(world.ids[0])
    assert (server["lifeCycle"]["state"], server["launchedInstance"]) == ("TESTING", {})
    assert server["lifeCycle"]["lastTest"]["initiated"]["jobID"] == job_id


@pytest.mark.parametrize(("phase", "stays"), [("test", "TESTING"), ("cutover", "CUTTING_OVER")])
def test_lifecycle_stays_after_the_job_whatever_its_result(simulate: Any, phase: str, stays: str) -> None:
    """§1.3 [docs UG/migration-dashboard]: stays until somebody changes it; after a failure [inferred]."""
    start = "READY_FOR_TEST" if phase == "test" else "READY_FOR_CUTOVER"
    world = simulate(start, start, faults=[{"kind": "launch", "at": "launch", "servers": ["server-1"]}])
    world.launch(phase, *world.ids)
    assert [world.state(each) for each in world.ids] == [stays, stays]


def test_failed_launch_may_revert_by_knob(simulate: Any) -> None:
    """§15 [inferred]: the lifecycle after a failed launch is not established."""
    world = simulate(
        "READY_FOR_CUTOVER",
        knobs={"lifecycle_after_failed_launch": "reverts"},
        faults=[{"kind": "launch", "at": "conversion"}],
    )
    world.launch("cutover", world.ids[0])
    assert world.state(world.ids[0]) == "READY_FOR_CUTOVER"


def test_what_never_happened_is_an_empty_object(simulate: Any) -> None:
    """§1.2 [field T22]: `{}`, not absent, and lastTest.finalized stays so after marking ready."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    world.mark(world.ids[0], "READY_FOR_CUTOVER")
    life = world.server(world.ids[0])["lifeCycle"]
    assert (life["lastTest"]["reverted"], life["lastTest"]["finalized"]) == ({}, {})
    assert life["lastCutover"] == {"initiated": {}, "reverted": {}, "finalized": {}}


def test_relaunch_overwrites_the_last_test(simulate: Any) -> None:
    """§1.3 [inferred]: a second StartTest without revert."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    second = world.launch("test", world.ids[0])
    last = world.server(world.ids[0])["lifeCycle"]["lastTest"]
    assert (last["initiated"]["jobID"], last["reverted"]) == (second, {})


def test_reverts_are_recorded(simulate: Any) -> None:
    """§1.2 [model]: lastTest.reverted and lastCutover.reverted hold the time of the call."""
    world = simulate("TESTING", "CUTTING_OVER")
    world.mark(world.ids[0], "READY_FOR_TEST")
    world.mark(world.ids[1], "READY_FOR_CUTOVER")
    assert "apiCallDateTime" in world.server(world.ids[0])["lifeCycle"]["lastTest"]["reverted"]
    assert "apiCallDateTime" in world.server(world.ids[1])["lifeCycle"]["lastCutover"]["reverted"]


def test_replication_goes_on_after_a_cutover_launch(simulate: Any) -> None:
    """§1.3 [docs UG/launch-cutover]: reverting is possible because the source still replicates."""
    world = simulate("READY_FOR_CUTOVER")
    world.launch("cutover", world.ids[0])
    assert world.server(world.ids[0])["dataReplicationInfo"]["dataReplicationState"] == "CONTINUOUS"


def test_finalize_ends_replication_and_keeps_the_instance(simulate: Any) -> None:
    """§3 [model doc]: CUTOVER, DISCONNECTED, lag and ETA null, instances kept."""
    world = simulate("READY_FOR_CUTOVER")
    world.launch("cutover", world.ids[0])
    answer = world.mgn.finalize_cutover(sourceServerID=world.ids[0])
    replication = answer["dataReplicationInfo"]
    assert (answer["lifeCycle"]["state"], replication["dataReplicationState"]) == ("CUTOVER", "DISCONNECTED")
    assert "lagDuration" not in replication
    assert "etaDateTime" not in replication
    assert answer["launchedInstance"]["ec2InstanceID"].startswith("i-")
    assert "apiCallDateTime" in answer["lifeCycle"]["lastCutover"]["finalized"]


def test_finalize_resets_initiation_steps_and_keeps_disk_totals(simulate: Any) -> None:
    """§3 [field T22]: steps NOT_STARTED, totalStorageBytes not zero although the docs say so."""
    world = simulate("CUTTING_OVER")
    replication = world.mgn.finalize_cutover(sourceServerID=world.ids[0])["dataReplicationInfo"]
    assert {step["status"] for step in replication["dataReplicationInitiation"]["steps"]} == {"NOT_STARTED"}
    assert replication["replicatedDisks"][0]["totalStorageBytes"] > 0


def test_disk_totals_are_zeroed_behind_the_knob(simulate: Any) -> None:
    """§3 [model doc]: the documented reading."""
    world = simulate("CUTTING_OVER", knobs={"disk_totals_after_disconnect": "zeroed"})
    replication = world.mgn.finalize_cutover(sourceServerID=world.ids[0])["dataReplicationInfo"]
    assert replication["replicatedDisks"][0]["totalStorageBytes"] == 0


def test_finalize_needs_a_cutover_in_progress(simulate: Any, refused: Any) -> None:
    """§1.3 [model doc]: CUTTING_OVER becomes CUTOVER."""
    world = simulate("READY_FOR_CUTOVER")
    assert refused(world.mgn.finalize_cutover, {"sourceServerID": world.ids[0]})["Error"]["Code"] == "ConflictException"


def test_finalize_without_instance_is_a_knob(simulate: Any, refused: Any) -> None:
    """§15 [inferred]: whether a failed cutover launch can be finalized is not established."""
    faults = [{"kind": "launch", "at": "launch"}]
    lenient = simulate("READY_FOR_CUTOVER", faults=faults)
    lenient.launch("cutover", lenient.ids[0])
    lenient.mgn.finalize_cutover(sourceServerID=lenient.ids[0])
    strict = simulate("READY_FOR_CUTOVER", faults=faults, knobs={"finalize_needs_instance": True})
    strict.launch("cutover", strict.ids[0])
    refused(strict.mgn.finalize_cutover, {"sourceServerID": strict.ids[0]})


@pytest.mark.parametrize("state", ["NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER"])
def test_disconnect_nulls_lag_and_ends_in_disconnected(simulate: Any, state: str) -> None:
    """§2.1 [model doc]: replication DISCONNECTED, lag null; the lifecycle value [inferred]."""
    world = simulate(state)
    answer = world.mgn.disconnect_from_service(sourceServerID=world.ids[0])
    assert (answer["lifeCycle"]["state"], answer["dataReplicationInfo"]["dataReplicationState"]) == (
        "DISCONNECTED", "DISCONNECTED",
    )  # fmt: skip
    assert "lagDuration" not in answer["dataReplicationInfo"]


def test_disconnect_after_finalize_is_refused(simulate: Any, refused: Any) -> None:
    """§1.3 [inferred]: any state except CUTOVER."""
    world = simulate("CUTOVER")
    refused(world.mgn.disconnect_from_service, {"sourceServerID": world.ids[0]})


def test_lifecycle_after_disconnect_is_a_knob(simulate: Any) -> None:
    """§15 [inferred]: the lifecycle value after disconnecting is not established."""
    world = simulate("TESTING", knobs={"lifecycle_after_disconnect": "unchanged"})
    assert world.mgn.disconnect_from_service(sourceServerID=world.ids[0])["lifeCycle"]["state"] == "TESTING"


def test_disconnected_server_reaches_cutover_by_state_change(simulate: Any) -> None:
    """§1.3 [field CMF]: CMF finalizes with Disconnect and ChangeServerLifeCycleState."""
    world = simulate("CUTTING_OVER")
    world.mgn.disconnect_from_service(sourceServerID=world.ids[0])
    world.mark(world.ids[0], "CUTOVER")
    assert world.state(world.ids[0]) == "CUTOVER"


def test_state_change_needs_a_launchable_server(simulate: Any, refused: Any) -> None:
    """§1.3 [model doc]: lagDuration must not be null; the error class [inferred]."""
    servers = [{"name": "a", "lifecycle": "READY_FOR_TEST", "replication": "STOPPED"}]
    call = {"lifeCycle": {"state": "READY_FOR_CUTOVER"}}
    world = simulate(servers=servers)
    error = refused(world.mgn.change_server_life_cycle_state, {**call, "sourceServerID": world.ids[0]})
    assert error["Error"]["Code"] == "ConflictException"
    other = simulate(servers=servers, knobs={"lag_null_error": "ValidationException"})
    error = refused(other.mgn.change_server_life_cycle_state, {**call, "sourceServerID": other.ids[0]})
    assert error["Error"]["Code"] == "ValidationException"


def test_wrong_state_error_is_a_knob(simulate: Any, refused: Any) -> None:
    """§15 [inferred]: the error class of each wrong-state call is not established."""
    world = simulate("READY_FOR_TEST", knobs={"wrong_state_error": "ValidationException"})
    error = refused(world.mgn.start_cutover, {"sourceServerIDs": world.ids})
    assert (error["Error"]["Code"], error["reason"]) == ("ValidationException", "other")


def test_change_to_the_same_state_is_a_knob(simulate: Any, refused: Any) -> None:
    """§15 [inferred]: whether it is accepted is not established."""
    call = {"lifeCycle": {"state": "READY_FOR_CUTOVER"}}
    world = simulate("READY_FOR_CUTOVER")
    refused(world.mgn.change_server_life_cycle_state, {**call, "sourceServerID": world.ids[0]})
    other = simulate("READY_FOR_CUTOVER", knobs={"same_state_change": "accept"})
    other.mgn.change_server_life_cycle_state(**call, sourceServerID=other.ids[0])


def test_relaunches_are_knobs(simulate: Any, refused: Any) -> None:
    """§1.3 [inferred]: StartTest while TESTING, StartCutover while CUTTING_OVER."""
    strict = simulate("TESTING", knobs={"test_relaunch": False})
    refused(strict.mgn.start_test, {"sourceServerIDs": strict.ids})
    lenient = simulate("CUTTING_OVER", knobs={"cutover_relaunch": True})
    lenient.launch("cutover", lenient.ids[0])


def test_busy_server_refuses_changes_unless_the_knob_lets_them(simulate: Any, refused: Any) -> None:
    """§15 [inferred]: state changes during a job are not documented."""
    call = {"lifeCycle": {"state": "READY_FOR_TEST"}}
    world = simulate("READY_FOR_TEST")
    world.mgn.start_test(sourceServerIDs=world.ids)
    refused(world.mgn.change_server_life_cycle_state, {**call, "sourceServerID": world.ids[0]})
    other = simulate("READY_FOR_TEST", knobs={"busy_server_changes": "accept"})
    other.mgn.start_test(sourceServerIDs=other.ids)
    other.mgn.change_server_life_cycle_state(**call, sourceServerID=other.ids[0])
