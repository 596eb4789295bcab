"""Jobs: their course, their log, quotas and refusals."""

from collections import Counter
from typing import Any

import pytest


def test_starter_answers_with_a_pending_job(simulate: Any) -> None:
    """§jobs [field T22]: job and servers PENDING, no instance id, no endDateTime."""
    world = simulate("READY_FOR_TEST")
    job = world.mgn.start_test(sourceServerIDs=world.ids, tags={"wave": "1"})["job"]
    assert (job["type"], job["initiatedBy"], job["status"], job["tags"]) == (
        "LAUNCH",
        "START_TEST",
        "PENDING",
        {"wave": "1"},
    )
    assert job["participatingServers"] == [{"sourceServerID": world.ids[0], "launchStatus": "PENDING"}]
    assert "endDateTime" not in job


def test_job_is_pending_then_started_then_completed(simulate: Any) -> None:
    """§jobs [model]: PENDING, STARTED, COMPLETED; server PENDING, IN_PROGRESS, LAUNCHED [inferred]."""
    world = simulate("READY_FOR_TEST")
    job_id = world.mgn.start_test(sourceServerIDs=world.ids)["job"]["jobID"]
    seen = [(job["status"], job["participatingServers"][0]["launchStatus"]) for job in _steps(world, job_id, 30, 420)]
    assert seen == [("PENDING", "PENDING"), ("STARTED", "IN_PROGRESS"), ("COMPLETED", "LAUNCHED")]


def _steps(world: Any, job_id: str, *advances: float) -> list[Any]:
    jobs = [world.job(job_id)]
    for seconds in advances:
        world.simulator.advance(seconds)
        jobs.append(world.job(job_id))
    return jobs


def test_failed_server_leaves_its_job_completed(simulate: Any) -> None:
    """§jobs [model]: there is no FAILED job; success is each server's own."""
    world = simulate(faults=[{"kind": "launch", "at": "conversion", "servers": ["server-1"]}])
    job = world.job(world.launch("test", *world.ids))
    assert job["status"] == "COMPLETED"
    assert [each["launchStatus"] for each in job["participatingServers"]] == ["LAUNCHED", "FAILED", "LAUNCHED"]


def test_launch_log_has_its_events_in_order(simulate: Any) -> None:
    """§jobs [inferred]: JOB_START, snapshot, conversion, launch, JOB_END; there is no LAUNCH_END [model]."""
    world = simulate("READY_FOR_TEST")
    job_id = world.launch("test", world.ids[0])
    assert world.log(job_id) == [
        "JOB_START", "SNAPSHOT_START", "SNAPSHOT_END", "CONVERSION_START", "CONVERSION_END", "LAUNCH_START", "JOB_END",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "event"),
    [("snapshot", "SNAPSHOT_FAIL"), ("conversion", "CONVERSION_FAIL"), ("launch", "LAUNCH_FAILED")],
)
def test_failure_shows_in_the_log_with_its_raw_error(simulate: Any, at: str, event: str) -> None:
    """§jobs [model]: the fail events and eventData.rawError."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": at, "error": "boom"}])
    job_id = world.launch("test", world.ids[0])
    item = world.mgn.describe_job_log_items(jobID=job_id)["items"][-2]
    assert (item["event"], item["eventData"]["rawError"]) == (event, "boom")


def test_previous_snapshot_launches_with_old_data(simulate: Any) -> None:
    """§jobs [docs UG/Troubleshooting-Launch-Errors]: USING_PREVIOUS_SNAPSHOT, and the launch succeeds."""
    world = simulate("READY_FOR_CUTOVER", faults=[{"kind": "launch", "at": "previous_snapshot"}])
    job_id = world.launch("cutover", world.ids[0])
    assert "USING_PREVIOUS_SNAPSHOT" in world.log(job_id)
    assert world.job(job_id)["participatingServers"][0]["launchStatus"] == "LAUNCHED"


def test_second_test_first_deletes_the_earlier_instance(simulate: Any) -> None:
    """§jobs [docs UG/AWS-Related-FAQ]: StartTest destroys the earlier test instance."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    first = world.server(world.ids[0])["launchedInstance"]["ec2InstanceID"]
    job_id = world.launch("test", world.ids[0])
    assert world.log(job_id)[:3] == ["JOB_START", "CLEANUP_START", "CLEANUP_END"]
    assert world.simulator.compute.instances[first].state == "terminated"


def test_cutover_first_deletes_the_test_instance(simulate: Any) -> None:
    """§jobs [docs UG/launch-cutover]: cleanup, then the new launch; one instance is left."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    world.cut_over(world.ids[0])
    states = Counter(instance.state for instance in world.simulator.compute.instances.values())
    assert states == {"terminated": 1, "running": 1}


def test_termination_protection_prevents_the_cleanup(simulate: Any) -> None:
    """§jobs [docs UG/AWS-Related-FAQ]: the earlier instance stays."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    first = world.server(world.ids[0])["launchedInstance"]["ec2InstanceID"]
    world.simulator.compute.protected.add(first)
    job_id = world.launch("test", world.ids[0])
    assert "CLEANUP_FAIL" in world.log(job_id)
    assert world.simulator.compute.instances[first].state == "running"


def test_launched_instance_carries_this_jobs_id(simulate: Any) -> None:
    """§launched-instances [model]: compare launchedInstance.jobID, the last one shows until cleaned up [inferred]."""
    world = simulate("READY_FOR_TEST")
    first = world.launch("test", world.ids[0])
    world.mgn.start_test(sourceServerIDs=world.ids)
    assert world.server(world.ids[0])["launchedInstance"]["jobID"] == first
    world.simulator.finish_jobs()
    assert world.server(world.ids[0])["launchedInstance"]["jobID"] != first


def test_terminate_job_removes_the_instance(simulate: Any) -> None:
    """§endings [model]: TERMINATE job, servers TERMINATED, CLEANUP events [inferred]."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    world.mark(world.ids[0], "READY_FOR_CUTOVER")
    job_id = world.mgn.terminate_target_instances(sourceServerIDs=world.ids)["job"]["jobID"]
    world.simulator.finish_jobs()
    job = world.job(job_id)
    assert (job["type"], job["initiatedBy"]) == ("TERMINATE", "TERMINATE")
    assert job["participatingServers"][0]["launchStatus"] == "TERMINATED"
    assert world.log(job_id) == ["JOB_START", "CLEANUP_START", "CLEANUP_END", "JOB_END"]
    assert world.server(world.ids[0])["launchedInstance"] == {}


def test_failed_termination_fails_its_server(simulate: Any) -> None:
    """§endings [model]: CLEANUP_FAIL."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "terminate"}])
    world.launch("test", world.ids[0])
    world.mark(world.ids[0], "READY_FOR_TEST")
    job_id = world.mgn.terminate_target_instances(sourceServerIDs=world.ids)["job"]["jobID"]
    world.simulator.finish_jobs()
    assert "CLEANUP_FAIL" in world.log(job_id)
    assert world.job(job_id)["participatingServers"][0]["launchStatus"] == "FAILED"


def test_terminating_nothing_is_a_knob(simulate: Any, refused: Any) -> None:
    """§endings [ours]: it says what TerminateTargetInstances does with an instance."""
    world = simulate("READY_FOR_TEST")
    job_id = world.mgn.terminate_target_instances(sourceServerIDs=world.ids)["job"]["jobID"]
    world.simulator.finish_jobs()
    assert "SERVER_SKIPPED" in world.log(job_id)
    strict = simulate("READY_FOR_TEST", knobs={"terminate_without_instance": "refuse"})
    asked = {"sourceServerIDs": strict.ids}
    refused(strict.mgn.terminate_target_instances, asked, "ConflictException", "without a launched instance")


def test_launched_instance_after_terminate_is_a_knob(simulate: Any) -> None:
    """§launched-instances [ours]: a terminate job ends TERMINATED; what becomes of launchedInstance it does not say."""
    world = simulate("READY_FOR_TEST", knobs={"launched_instance_after_terminate": "kept"})
    world.launch("test", world.ids[0])
    world.mark(world.ids[0], "READY_FOR_TEST")
    world.mgn.terminate_target_instances(sourceServerIDs=world.ids)
    world.simulator.finish_jobs()
    world.simulator.advance(600)
    assert world.server(world.ids[0])["launchedInstance"]["firstBoot"] == "WAITING"


def test_jobs_are_listed_newest_first(simulate: Any) -> None:
    """§jobs [model doc]: sorted by creation, latest first; pages keep that order."""
    world = simulate()
    made = [world.launch("test", each) for each in world.ids]
    pages = world.mgn.get_paginator("describe_jobs").paginate(PaginationConfig={"PageSize": 2})
    assert [job["jobID"] for page in pages for job in page["items"]] == made[::-1]


def test_jobs_are_filtered_by_date(simulate: Any) -> None:
    """§jobs [model]: fromDate and toDate."""
    world = simulate()
    world.launch("test", world.ids[0])
    later = world.launch("test", world.ids[1])
    found = world.mgn.describe_jobs(filters={"fromDate": "2026-01-05T08:07:00Z"})["items"]
    assert [job["jobID"] for job in found] == [later]
    assert world.mgn.describe_jobs(filters={"toDate": "2026-01-05T07:00:00Z"})["items"] == []


def test_only_completed_jobs_can_be_deleted(simulate: Any, refused: Any) -> None:
    """§jobs [docs UG/Other-Troubleshooting-Topics]: DeleteJob needs COMPLETED."""
    world = simulate("READY_FOR_TEST")
    job_id = world.mgn.start_test(sourceServerIDs=world.ids)["job"]["jobID"]
    refused(world.mgn.delete_job, {"jobID": job_id}, "ConflictException", "only COMPLETED jobs")
    world.simulator.finish_jobs()
    world.mgn.delete_job(jobID=job_id)
    assert world.mgn.describe_jobs()["items"] == []


def test_jobs_of_support_show_up(simulate: Any) -> None:
    """§jobs [model doc]: expect DIAGNOSTIC jobs that nobody of us made."""
    assert simulate(diagnostic_jobs=1).mgn.describe_jobs()["items"][0]["initiatedBy"] == "DIAGNOSTIC"


@pytest.mark.parametrize(
    ("order", "second", "last"),
    [("by_time", "s-b", "JOB_END"), ("by_server", "s-a", "JOB_END"), ("newest_first", None, "JOB_START")],
)
def test_job_log_order_is_a_knob(simulate: Any, order: str, second: str | None, last: str) -> None:
    """§jobs [inferred]: the order of job log items is not established."""
    servers = [{"name": name, "id": f"s-{name}" + "0" * 16} for name in "ab"]
    world = simulate(servers=servers, knobs={"job_log_order": order})
    items = world.mgn.describe_job_log_items(jobID=world.launch("test", *world.ids))["items"]
    who = items[2]["eventData"].get("sourceServerID")
    assert items[-1]["event"] == last
    assert second is None or who.startswith(second)
