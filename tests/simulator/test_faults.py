"""Faults: whom they hit, when, and that the log tells."""

from typing import Any

import pytest


def statuses(world: Any, job_id: str) -> list[str]:
    return [each["launchStatus"] for each in world.job(job_id)["participatingServers"]]


@pytest.mark.parametrize(
    ("globs", "hit"), [(["server-1"], [1]), (["server-[12]"], [1, 2]), (["*"], [0, 1, 2]), (["web-*"], [])]
)
def test_fault_hits_the_servers_its_globs_name(simulate: Any, globs: list[str], hit: list[int]) -> None:
    world = simulate(faults=[{"kind": "launch", "at": "conversion", "servers": globs}])
    found = statuses(world, world.launch("test", *world.ids))
    assert [index for index, status in enumerate(found) if status == "FAILED"] == hit


def test_fault_can_be_for_cutover_only(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "launch", "phase": "cutover"}])
    assert statuses(world, world.launch("test", world.ids[0])) == ["LAUNCHED"]
    assert statuses(world, world.cut_over(world.ids[0])) == ["FAILED"]


def test_fault_can_be_for_one_attempt_only(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "snapshot", "attempts": [2]}])
    found = [statuses(world, world.launch("test", world.ids[0])) for _ in range(3)]
    assert found == [["LAUNCHED"], ["FAILED"], ["LAUNCHED"]]


def test_probability_hits_some_and_the_same_with_the_same_seed(simulate: Any) -> None:
    fields = {
        "servers": [{"name": "s", "count": 100}],
        "faults": [{"kind": "launch", "at": "launch", "probability": 0.3}],
    }
    first, second = simulate(**fields), simulate(**fields)
    found = [statuses(world, world.launch("test", *world.ids)) for world in (first, second)]
    assert 15 <= found[0].count("FAILED") <= 45
    assert found[0] == found[1]


def test_events_fault_of_no_probability_loses_nothing(simulate: Any) -> None:
    world = simulate(faults=[{"kind": "events", "drop": 1, "probability": 0}])
    world.launch("test", *world.ids)
    assert len(world.events()) == 3


def test_events_fault_that_does_not_hit_leaves_the_next_one_to_decide(simulate: Any) -> None:
    world = simulate(faults=[{"kind": "events", "probability": 0}, {"kind": "events", "drop": 1}])
    world.launch("test", *world.ids)
    assert world.events() == []


def test_terminate_fault_can_be_for_one_attempt_only(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "terminate", "attempts": [2]}])
    found = []
    for _ in range(3):
        world.launch("test", world.ids[0])
        world.mark(world.ids[0], "READY_FOR_TEST")
        job_id = world.mgn.terminate_target_instances(sourceServerIDs=world.ids)["job"]["jobID"]
        world.simulator.finish_jobs()
        found += statuses(world, job_id)
    assert found == ["TERMINATED", "FAILED", "TERMINATED"]


@pytest.mark.parametrize("state", ["BACKLOG", "RESCAN"])
def test_replication_fault_without_end_never_heals(simulate: Any, state: str) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "replication", "state": state}])
    world.simulator.advance(1_000)
    world.mgn.pause_replication(sourceServerID=world.ids[0])
    world.mgn.resume_replication(sourceServerID=world.ids[0])
    world.simulator.advance(1_000_000)
    info = world.server(world.ids[0])["dataReplicationInfo"]
    assert (info["dataReplicationState"], "etaDateTime" in info) == (state, False)
    assert info["replicatedDisks"][0]["backloggedStorageBytes"] == 1024**3


@pytest.mark.parametrize(
    ("lifecycle", "replication", "fault"),
    [("NOT_READY", "INITIATING", "RESCAN"), ("NOT_READY", "INITIATING", "BACKLOG"), ("STOPPED", "STOPPED", "STALLED")],
)
def test_replication_fault_without_effect_is_reported(
    simulate: Any, lifecycle: str, replication: str, fault: str
) -> None:
    world = simulate(lifecycle, faults=[{"kind": "replication", "state": fault}])
    world.simulator.advance(1)
    assert world.server(world.ids[0])["dataReplicationInfo"]["dataReplicationState"] == replication
    reported = world.simulator.log(kind="fault")[0]
    assert (reported["state"], reported["missed"]) == (fault, replication)


def test_stall_does_not_undo_a_pause(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST")
    world.mgn.pause_replication(sourceServerID=world.ids[0])
    world.simulator.inject({"kind": "replication", "lasts_seconds": 60})
    world.simulator.advance(3600)
    assert world.server(world.ids[0])["dataReplicationInfo"]["dataReplicationState"] == "PAUSED"
    assert world.simulator.log(kind="fault")[-1]["missed"] == "PAUSED"


def test_call_fault_counts_matching_calls(simulate: Any) -> None:
    fault = {"kind": "call", "operations": ["Describe*"], "outcome": "unavailable", "calls": [2]}
    answer = simulate(faults=[fault]).simulator.answer
    paths = ["/ListWaves", "/DescribeJobs", "/DescribeJobs", "/DescribeJobs"]
    assert [answer("POST", path, body=b"{}").status for path in paths] == [200, 200, 503, 200]


def test_call_fault_can_be_for_one_server(simulate: Any, refused: Any) -> None:
    fault = {"kind": "call", "operations": ["*"], "servers": ["server-1"], "outcome": "access_denied"}
    world = simulate(faults=[fault])
    world.mgn.get_launch_configuration(sourceServerID=world.ids[0])
    refused(world.mgn.get_launch_configuration, {"sourceServerID": world.ids[1]}, "AccessDeniedException")


def test_every_fault_is_reported(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "launch"}, {"kind": "replication"}])
    world.launch("test", world.ids[0])
    reported = {(entry["fault"], entry.get("at")) for entry in world.simulator.log(kind="fault")}
    assert reported == {("launch", "launch"), ("replication", None)}


@pytest.mark.parametrize(("at", "status", "ssm"), [("status", "impaired", "online"), ("ssm", "ok", "offline")])
def test_booted_instance_can_fail_one_check_only(simulate: Any, at: str, status: str, ssm: str) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": at}])
    world.launch("test", world.ids[0])
    world.simulator.advance(121)
    instance = next(iter(world.simulator.compute.instances.values()))
    assert (instance.status, instance.ssm) == (status, ssm)
    assert world.server(world.ids[0])["launchedInstance"]["firstBoot"] == "SUCCEEDED"


def test_fault_injected_later_goes_first(simulate: Any) -> None:
    world = simulate(faults=[{"kind": "events", "drop": 1}])
    world.simulator.inject({"kind": "events"})
    world.launch("test", world.ids[0])
    assert len(world.events()) == 1


@pytest.mark.parametrize("knob", ["reads_per_second", "writes_per_second"])
def test_call_rates_are_knobs(simulate: Any, knob: str) -> None:
    world = simulate(knobs={knob: 2})
    path = "/DescribeJobs" if knob == "reads_per_second" else "/InitializeService"
    answers = [world.simulator.answer("POST", path, body=b"{}").status for _ in range(3)]
    assert answers[2] == 429
    world.simulator.advance(1)
    assert world.simulator.answer("POST", path, body=b"{}").status < 300


@pytest.mark.parametrize("knob", ["reads_per_second", "writes_per_second"])
def test_first_call_passes_at_any_rate(simulate: Any, knob: str) -> None:
    world = simulate(knobs={knob: 0.5})
    path = "/DescribeJobs" if knob == "reads_per_second" else "/InitializeService"
    answers: list[int] = []
    for seconds in (0, 1, 1):
        world.simulator.advance(seconds)
        answers.append(world.simulator.answer("POST", path, body=b"{}").status)
    assert [status < 300 for status in answers] == [True, False, True]


@pytest.mark.parametrize(
    "body",
    ['{"filters": 5}', '{"sourceServerIDs": 5}', '{"sourceServerIDs": [[]]}', '{"filters": {"sourceServerIDs": 5}}'],
)
def test_fault_for_one_server_leaves_malformed_requests_to_the_check(simulate: Any, body: str) -> None:
    fault = {"kind": "call", "servers": ["server-1"], "outcome": "internal"}
    answer = simulate(faults=[fault]).simulator.answer("POST", "/DescribeSourceServers", body=body.encode())
    assert answer.status == (200 if "filters" not in body else 400)


def test_jitter_spreads_the_servers_of_a_job(simulate: Any) -> None:
    world = simulate(timings={"jitter": 0.5})
    world.launch("test", *world.ids)
    times = {entry["time"] for entry in world.simulator.log(kind="instance") if entry["event"] == "launched"}
    assert len(times) == 3


def test_cleanup_fault_leaves_the_earlier_instance(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "cleanup"}])
    world.launch("test", world.ids[0])
    world.launch("test", world.ids[0])
    states = [instance.state for instance in world.simulator.compute.instances.values()]
    assert states == ["running", "running"]
