"""The end of a server: finalize, disconnect, archive, delete."""

from typing import Any

import pytest

ALL = ("STOPPED", "NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER", "CUTOVER",
       "DISCONNECTED", "DISCOVERED", "PENDING_INSTALLATION")  # fmt: skip


@pytest.mark.parametrize("state", ["CUTOVER", "DISCONNECTED"])
def test_finished_server_can_be_archived_without_change_of_state(simulate: Any, state: str) -> None:
    """§endings [model doc]: MarkAsArchived in CUTOVER or DISCONNECTED, state unchanged."""
    world = simulate(state)
    answer = world.mgn.mark_as_archived(sourceServerID=world.ids[0])
    assert (answer["isArchived"], answer["lifeCycle"]["state"]) == (True, state)


@pytest.mark.parametrize("state", [each for each in ALL if each not in ("CUTOVER", "DISCONNECTED")])
def test_unfinished_server_is_neither_archived_nor_deleted(simulate: Any, refused: Any, state: str) -> None:
    """§endings [docs UG/Other-Troubleshooting-Topics]: both need DISCONNECTED or CUTOVER."""
    world = simulate(state)
    words = f"is not allowed for source server {world.ids[0]} in state {state}"
    refused(world.mgn.mark_as_archived, {"sourceServerID": world.ids[0]}, "ConflictException", words)
    refused(world.mgn.delete_source_server, {"sourceServerID": world.ids[0]}, "ConflictException", words)


def test_deleted_server_is_gone(simulate: Any) -> None:
    """§endings [model]: DeleteSourceServer."""
    world = simulate("DISCONNECTED")
    world.mgn.delete_source_server(sourceServerID=world.ids[0])
    assert world.mgn.describe_source_servers()["items"] == []


def test_archived_server_is_listed_unless_filtered_out(simulate: Any) -> None:
    """§identity [inferred]: leaving isArchived out lists archived servers too."""
    world = simulate(servers=[{"name": "old", "lifecycle": "CUTOVER", "archived": True}])
    assert len(world.mgn.describe_source_servers()["items"]) == 1
    assert world.mgn.describe_source_servers(filters={"isArchived": False})["items"] == []


def test_archived_server_may_be_hidden_by_knob(simulate: Any) -> None:
    """§identity [inferred]: the other reading."""
    world = simulate(
        servers=[{"name": "old", "lifecycle": "CUTOVER", "archived": True}], knobs={"archived_listed": False}
    )
    assert world.mgn.describe_source_servers()["items"] == []


def test_replication_goes_on_after_a_cutover_launch(simulate: Any) -> None:
    """§endings [docs UG/launch-cutover]: reverting is possible because the source still replicates."""
    world = simulate("READY_FOR_CUTOVER")
    world.launch("cutover", world.ids[0])
    assert world.server(world.ids[0])["dataReplicationInfo"]["dataReplicationState"] == "CONTINUOUS"


def test_finalize_ends_replication_and_keeps_the_instance(simulate: Any) -> None:
    """§endings [model doc]: CUTOVER, DISCONNECTED, lag and ETA null, instances kept."""
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
    """§endings [field T22]: steps NOT_STARTED, totalStorageBytes not zero although the docs say so."""
    world = simulate("CUTTING_OVER")
    replication = world.mgn.finalize_cutover(sourceServerID=world.ids[0])["dataReplicationInfo"]
    assert {step["status"] for step in replication["dataReplicationInitiation"]["steps"]} == {"NOT_STARTED"}
    assert replication["replicatedDisks"][0]["totalStorageBytes"] > 0


def test_disk_totals_are_zeroed_behind_the_knob(simulate: Any) -> None:
    """§endings [model doc]: the documented reading."""
    world = simulate("CUTTING_OVER", knobs={"disk_totals_after_disconnect": "zeroed"})
    replication = world.mgn.finalize_cutover(sourceServerID=world.ids[0])["dataReplicationInfo"]
    assert replication["replicatedDisks"][0]["totalStorageBytes"] == 0


def test_finalize_needs_a_cutover_in_progress(simulate: Any, refused: Any) -> None:
    """§endings [model doc]: CUTTING_OVER becomes CUTOVER."""
    world = simulate("READY_FOR_CUTOVER")
    refused(world.mgn.finalize_cutover, {"sourceServerID": world.ids[0]}, "ConflictException", "in state READY_FOR_CUT")


def test_finalize_without_instance_is_a_knob(simulate: Any, refused: Any) -> None:
    """§endings [ours]: FinalizeCutover needs CUTTING_OVER, of an instance nothing is said."""
    faults = [{"kind": "launch", "at": "launch"}]
    lenient = simulate("READY_FOR_CUTOVER", faults=faults)
    lenient.launch("cutover", lenient.ids[0])
    lenient.mgn.finalize_cutover(sourceServerID=lenient.ids[0])
    strict = simulate("READY_FOR_CUTOVER", faults=faults, knobs={"finalize_needs_instance": True})
    strict.launch("cutover", strict.ids[0])
    asked = {"sourceServerID": strict.ids[0]}
    refused(strict.mgn.finalize_cutover, asked, "ConflictException", "without a cutover instance")


@pytest.mark.parametrize("state", ["NOT_READY", "READY_FOR_TEST", "TESTING", "READY_FOR_CUTOVER", "CUTTING_OVER"])
def test_disconnect_nulls_lag_and_ends_in_disconnected(simulate: Any, state: str) -> None:
    """§endings [model doc]: replication DISCONNECTED, lag null; the lifecycle value [inferred]."""
    world = simulate(state)
    answer = world.mgn.disconnect_from_service(sourceServerID=world.ids[0])
    assert (answer["lifeCycle"]["state"], answer["dataReplicationInfo"]["dataReplicationState"]) == (
        "DISCONNECTED", "DISCONNECTED",
    )  # fmt: skip
    assert "lagDuration" not in answer["dataReplicationInfo"]


def test_disconnect_after_finalize_is_refused(simulate: Any, refused: Any) -> None:
    """§endings [inferred]: any state except CUTOVER."""
    world = simulate("CUTOVER")
    refused(world.mgn.disconnect_from_service, {"sourceServerID": world.ids[0]}, "ConflictException", "in state CUT")


def test_lifecycle_after_disconnect_is_a_knob(simulate: Any) -> None:
    """§endings [inferred]: the lifecycle value after disconnecting is not established."""
    world = simulate("TESTING", knobs={"lifecycle_after_disconnect": "unchanged"})
    assert world.mgn.disconnect_from_service(sourceServerID=world.ids[0])["lifeCycle"]["state"] == "TESTING"


def test_disconnected_server_reaches_cutover_by_state_change(simulate: Any) -> None:
    """§endings [field CMF]: CMF finalizes with Disconnect and ChangeServerLifeCycleState."""
    world = simulate("CUTTING_OVER")
    world.mgn.disconnect_from_service(sourceServerID=world.ids[0])
    world.mark(world.ids[0], "CUTOVER")
    assert world.state(world.ids[0]) == "CUTOVER"
