"""Native events: the three documented ones and nothing else."""

from typing import Any

NEW = [{"name": "new", "lifecycle": "NOT_READY"}]


def sent(world: Any) -> list[tuple[str, Any]]:
    return [(event["detailType"], event["detail"]) for event in world.events()]


def test_launch_result_names_state_and_job_with_a_hyphen(simulate: Any) -> None:
    """§events [docs UG/eventbridge-events]: state and job-id."""
    world = simulate("READY_FOR_TEST")
    job_id = world.launch("test", world.ids[0])
    assert sent(world) == [
        ("MGN Source Server Launch Result", {"state": "TEST_LAUNCH_SUCCEEDED", "job-id": job_id})
    ]  # fmt: skip


def test_failed_cutover_launch_is_announced(simulate: Any) -> None:
    """§events [docs UG/eventbridge-events]: CUTOVER_LAUNCH_FAILED."""
    world = simulate("READY_FOR_CUTOVER", faults=[{"kind": "launch", "at": "launch"}])
    job_id = world.launch("cutover", world.ids[0])
    assert sent(world)[0][1] == {"state": "CUTOVER_LAUNCH_FAILED", "job-id": job_id}


def test_there_is_one_event_for_each_server(simulate: Any) -> None:
    """§events [inferred]: one server ARN per event."""
    world = simulate()
    world.launch("test", *world.ids)
    assert [event["resource"] for event in world.events()] == [world.server(each)["arn"] for each in world.ids]


def test_ready_for_test_is_announced_the_first_time_only(simulate: Any) -> None:
    """§events [docs UG/eventbridge-events]: READY_FOR_TEST for the first time."""
    world = simulate(servers=NEW)
    world.simulator.advance(10_000)
    world.mgn.stop_replication(sourceServerID=world.ids[0])
    world.mgn.start_replication(sourceServerID=world.ids[0])
    world.simulator.advance(10_000)
    assert world.state(world.ids[0]) == "READY_FOR_TEST"
    assert sent(world) == [("MGN Source Server Lifecycle State Change", {"state": "READY_FOR_TEST"})]


def test_stall_and_its_end_are_announced(simulate: Any) -> None:
    """§events [docs UG/eventbridge-events]: STALLED and NOT_STALLED."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "replication", "lasts_seconds": 60}])
    world.simulator.advance(100)
    assert [(kind, detail["state"]) for kind, detail in sent(world)] == [
        ("MGN Source Server Data Replication Stalled Change", "STALLED"),
        ("MGN Source Server Data Replication Stalled Change", "NOT_STALLED"),
    ]


def test_nothing_else_is_announced(simulate: Any) -> None:
    """§events [docs UG/eventbridge-events]: no event for reverts, terminate, finalize, archive."""
    world = simulate("TESTING", "CUTTING_OVER")
    test, cutover = world.ids
    world.mark(test, "READY_FOR_TEST")
    world.mgn.terminate_target_instances(sourceServerIDs=[test])
    world.simulator.finish_jobs()
    world.mgn.finalize_cutover(sourceServerID=cutover)
    world.mgn.mark_as_archived(sourceServerID=cutover)
    assert sent(world) == []


def test_undocumented_events_are_behind_a_knob(simulate: Any) -> None:
    """§events [inferred]: four more detail-types exist, their payloads are not established."""
    world = simulate(servers=NEW, knobs={"undocumented_events": True})
    world.simulator.advance(10_000)
    assert {kind for kind, _ in sent(world)} == {
        "MGN Agent Install",
        "MGN Data Replication",
        "MGN Data Replication State Change",
        "MGN Source Server Lifecycle State Change",
        "MGN Source Server Ready For Test",
    }


def test_server_without_an_agent_announces_no_installation(simulate: Any) -> None:
    """§events [inferred]: "MGN Agent Install" needs an agent."""
    servers = [
        {"name": "found", "lifecycle": "DISCOVERED"},
        {"name": "listed", "lifecycle": "PENDING_INSTALLATION"},
        {"name": "agentless", "lifecycle": "STOPPED", "replication_type": "SNAPSHOT_SHIPPING"},
        {"name": "installed", "lifecycle": "STOPPED"},
    ]
    world = simulate(servers=servers, knobs={"undocumented_events": True})
    arns = [event["resource"] for event in world.events() if event["detailType"] == "MGN Agent Install"]
    assert arns == [world.server(world.ids[3])["arn"]]


def test_events_can_be_lost(simulate: Any) -> None:
    """§events [docs EBREF]: delivery is best effort."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "events", "drop": 1}])
    world.launch("test", world.ids[0])
    assert sent(world) == []
    assert world.simulator.log(kind="fault")[-1]["outcome"] == "drop"


def test_events_can_come_twice_and_late(simulate: Any) -> None:
    """§events [inferred]: targets can see duplicates."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "events", "duplicate": 1, "delay_seconds": [50, 100]}])
    world.launch("test", world.ids[0])
    assert sent(world) == []
    world.simulator.advance(101)
    assert len(sent(world)) == 2


def test_events_can_overtake_each_other(simulate: Any) -> None:
    """§events [inferred]: ignore order."""
    world = simulate(faults=[{"kind": "events", "servers": ["server-0"], "reorder": 1}])
    world.launch("test", *world.ids)
    world.simulator.advance(600)
    arns = [world.server(each)["arn"] for each in world.ids]
    assert [event["resource"] for event in world.events()] == [arns[1], arns[2], arns[0]]
