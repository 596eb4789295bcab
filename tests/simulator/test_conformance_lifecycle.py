"""The lifecycle of a source server: which call leads where, and what is refused."""

from typing import Any

import pytest

from simulator.model.account.account import BUSY

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
    """§lifecycle [docs UG/migration-dashboard]: mark ready, revert, skip the test; all else conflicts [inferred]."""
    world = simulate(state)
    call = {"sourceServerID": world.ids[0], "lifeCycle": {"state": wanted}}
    if (state, wanted) in CHANGES:
        assert world.mgn.change_server_life_cycle_state(**call)["lifeCycle"]["state"] == wanted
    else:
        words = f"ChangeServerLifeCycleState to {wanted} is not allowed"
        refused(world.mgn.change_server_life_cycle_state, call, "ConflictException", words)


@pytest.mark.parametrize("state", ALL)
def test_start_test_needs_ready_for_test_or_testing(simulate: Any, refused: Any, state: str) -> None:
    """§lifecycle [model doc]: READY_FOR_TEST; again while TESTING [inferred]."""
    world = simulate(state)
    if state in ("READY_FOR_TEST", "TESTING"):
        world.mgn.start_test(sourceServerIDs=world.ids)
        assert world.state(world.ids[0]) == "TESTING"
    else:
        refused(world.mgn.start_test, {"sourceServerIDs": world.ids}, "ConflictException", f"in state {state}")


@pytest.mark.parametrize("state", ALL)
def test_start_cutover_needs_ready_for_cutover(simulate: Any, refused: Any, state: str) -> None:
    """§lifecycle [field T22]: the server must be READY_FOR_CUTOVER."""
    world = simulate(state)
    if state == "READY_FOR_CUTOVER":
        world.mgn.start_cutover(sourceServerIDs=world.ids)
        assert world.state(world.ids[0]) == "CUTTING_OVER"
    else:
        refused(world.mgn.start_cutover, {"sourceServerIDs": world.ids}, "ConflictException", f"in state {state}")


@pytest.mark.parametrize("state", ["TESTING", "CUTTING_OVER", "CUTOVER"])
def test_terminate_is_refused_while_the_instance_is_in_use(simulate: Any, refused: Any, state: str) -> None:
    """§endings [model doc]: TerminateTargetInstances does not work in TESTING, CUTTING_OVER or CUTOVER."""
    world = simulate(state)
    asked = {"sourceServerIDs": world.ids}
    refused(world.mgn.terminate_target_instances, asked, "ConflictException", f"in state {state}")


def test_lifecycle_is_set_before_any_instance_exists(simulate: Any) -> None:
    """§lifecycle [model doc]: StartTest changes the state when it is accepted."""
    world = simulate("READY_FOR_TEST")
    job_id = world.mgn.start_test(sourceServerIDs=world.ids)["job"]["jobID"]
    server = world.server(world.ids[0])
    assert (server["lifeCycle"]["state"], server["launchedInstance"]) == ("TESTING", {})
    assert server["lifeCycle"]["lastTest"]["initiated"]["jobID"] == job_id


@pytest.mark.parametrize(("phase", "stays"), [("test", "TESTING"), ("cutover", "CUTTING_OVER")])
def test_lifecycle_stays_after_the_job_whatever_its_result(simulate: Any, phase: str, stays: str) -> None:
    """§lifecycle [docs UG/migration-dashboard]: stays until somebody changes it; after a failure [inferred]."""
    start = "READY_FOR_TEST" if phase == "test" else "READY_FOR_CUTOVER"
    world = simulate(start, start, faults=[{"kind": "launch", "at": "launch", "servers": ["server-1"]}])
    world.launch(phase, *world.ids)
    assert [world.state(each) for each in world.ids] == [stays, stays]


def test_failed_launch_may_revert_by_knob(simulate: Any) -> None:
    """§lifecycle [inferred]: the lifecycle after a failed launch is not established."""
    world = simulate(
        "READY_FOR_CUTOVER",
        knobs={"lifecycle_after_failed_launch": "reverts"},
        faults=[{"kind": "launch", "at": "conversion"}],
    )
    world.launch("cutover", world.ids[0])
    assert world.state(world.ids[0]) == "READY_FOR_CUTOVER"


def test_what_never_happened_is_an_empty_object(simulate: Any) -> None:
    """§lifecycle [field T22]: `{}`, not absent, and lastTest.finalized stays so after marking ready."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    world.mark(world.ids[0], "READY_FOR_CUTOVER")
    life = world.server(world.ids[0])["lifeCycle"]
    assert (life["lastTest"]["reverted"], life["lastTest"]["finalized"]) == ({}, {})
    assert life["lastCutover"] == {"initiated": {}, "reverted": {}, "finalized": {}}


def test_relaunch_overwrites_the_last_test(simulate: Any) -> None:
    """§lifecycle [inferred]: a second StartTest without revert."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    second = world.launch("test", world.ids[0])
    last = world.server(world.ids[0])["lifeCycle"]["lastTest"]
    assert (last["initiated"]["jobID"], last["reverted"]) == (second, {})


def test_reverts_are_recorded(simulate: Any) -> None:
    """§lifecycle [model]: lastTest.reverted and lastCutover.reverted hold the time of the call."""
    world = simulate("TESTING", "CUTTING_OVER")
    world.mark(world.ids[0], "READY_FOR_TEST")
    world.mark(world.ids[1], "READY_FOR_CUTOVER")
    assert "apiCallDateTime" in world.server(world.ids[0])["lifeCycle"]["lastTest"]["reverted"]
    assert "apiCallDateTime" in world.server(world.ids[1])["lifeCycle"]["lastCutover"]["reverted"]


def test_state_change_needs_a_launchable_server(simulate: Any, refused: Any) -> None:
    """§lifecycle [model doc]: lagDuration must not be null; the error class [inferred]."""
    servers = [{"name": "a", "lifecycle": "READY_FOR_TEST", "replication": "STOPPED"}]
    call = {"lifeCycle": {"state": "READY_FOR_CUTOVER"}}
    world = simulate(servers=servers)
    change, words = world.mgn.change_server_life_cycle_state, "is not launchable"
    refused(change, {**call, "sourceServerID": world.ids[0]}, "ConflictException", words)
    other = simulate(servers=servers, knobs={"lag_null_error": "ValidationException"})
    change = other.mgn.change_server_life_cycle_state
    refused(change, {**call, "sourceServerID": other.ids[0]}, "ValidationException", words)


def test_wrong_state_error_is_a_knob(simulate: Any, refused: Any) -> None:
    """§errors [inferred]: the error class of each wrong-state call is not established."""
    world = simulate("READY_FOR_TEST", knobs={"wrong_state_error": "ValidationException"})
    error = refused(world.mgn.start_cutover, {"sourceServerIDs": world.ids}, "ValidationException")
    assert error["reason"] == "other"


def test_change_to_the_same_state_is_a_knob(simulate: Any, refused: Any) -> None:
    """§lifecycle [ours]: no row has a change to the same state."""
    call = {"lifeCycle": {"state": "READY_FOR_CUTOVER"}}
    world = simulate("READY_FOR_CUTOVER")
    change = world.mgn.change_server_life_cycle_state
    refused(change, {**call, "sourceServerID": world.ids[0]}, "ConflictException", "in state READY_FOR_CUTOVER")
    other = simulate("READY_FOR_CUTOVER", knobs={"same_state_change": "accept"})
    other.mgn.change_server_life_cycle_state(**call, sourceServerID=other.ids[0])


def test_relaunches_are_knobs(simulate: Any, refused: Any) -> None:
    """§lifecycle [inferred]: StartTest while TESTING, StartCutover while CUTTING_OVER."""
    strict = simulate("TESTING", knobs={"test_relaunch": False})
    refused(strict.mgn.start_test, {"sourceServerIDs": strict.ids}, "ConflictException", "in state TESTING")
    lenient = simulate("CUTTING_OVER", knobs={"cutover_relaunch": True})
    lenient.launch("cutover", lenient.ids[0])


def test_busy_server_refuses_changes_unless_the_knob_lets_them(simulate: Any, refused: Any) -> None:
    """§jobs [ours]: what a job in progress forbids is known of the starters only."""
    call = {"lifeCycle": {"state": "READY_FOR_TEST"}}
    world = simulate("READY_FOR_TEST")
    world.mgn.start_test(sourceServerIDs=world.ids)
    change = world.mgn.change_server_life_cycle_state
    refused(change, {**call, "sourceServerID": world.ids[0]}, "ConflictException", BUSY)
    other = simulate("READY_FOR_TEST", knobs={"busy_server_changes": "accept"})
    other.mgn.start_test(sourceServerIDs=other.ids)
    other.mgn.change_server_life_cycle_state(**call, sourceServerID=other.ids[0])


def test_only_a_revert_is_recorded_as_one(simulate: Any) -> None:
    """§lifecycle [model]: marking ready, finalizing by disconnecting and a change to the same state revert nothing."""
    knobs = {"lifecycle_after_disconnect": "unchanged", "same_state_change": "accept"}
    world = simulate("CUTTING_OVER", "READY_FOR_TEST", "CUTTING_OVER", "TESTING", knobs=knobs)
    gone, ready, again, tested = world.ids
    world.mgn.disconnect_from_service(sourceServerID=gone)
    world.mark(gone, "CUTOVER")
    world.mark(ready, "READY_FOR_TEST")
    world.mark(tested, "READY_FOR_CUTOVER")
    world.mark(again, "READY_FOR_CUTOVER")
    world.mark(again, "READY_FOR_CUTOVER")
    lives = [world.server(each)["lifeCycle"] for each in world.ids]
    reverted = [[name for name in ("lastTest", "lastCutover") if life[name]["reverted"]] for life in lives]
    assert reverted == [[], [], ["lastCutover"], []]


def test_failed_launch_reverts_nothing_but_its_own_state(simulate: Any) -> None:
    """§lifecycle [ours]: a server disconnected during the job stays so, should the knobs let that happen."""
    knobs = {"lifecycle_after_failed_launch": "reverts", "busy_server_changes": "accept"}
    world = simulate("READY_FOR_TEST", knobs=knobs, faults=[{"kind": "launch", "at": "launch"}])
    world.mgn.start_test(sourceServerIDs=world.ids)
    world.mgn.disconnect_from_service(sourceServerID=world.ids[0])
    world.simulator.finish_jobs()
    assert world.state(world.ids[0]) == "DISCONNECTED"
