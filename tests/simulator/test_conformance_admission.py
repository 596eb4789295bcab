"""Which starters are let in: busy servers, quotas."""

from typing import Any

import pytest

from simulator.model.account.account import BUSY


def test_busy_server_refuses_the_whole_call_with_the_captured_words(simulate: Any, refused: Any) -> None:
    """§jobs [field WS]: one busy server refuses all, nothing starts."""
    world = simulate()
    world.mgn.start_test(sourceServerIDs=world.ids[:1])
    refused(world.mgn.start_test, {"sourceServerIDs": world.ids}, "ConflictException", BUSY)
    assert world.state(world.ids[2]) == "READY_FOR_TEST"


def test_running_terminate_job_blocks_the_cutover(simulate: Any, refused: Any) -> None:
    """§jobs [field WS]: StartCutover is refused while the Terminate job runs."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    world.mark(world.ids[0], "READY_FOR_CUTOVER")
    world.mgn.terminate_target_instances(sourceServerIDs=world.ids)
    refused(world.mgn.start_cutover, {"sourceServerIDs": world.ids}, "ConflictException", BUSY)


def test_busy_server_may_be_skipped_by_knob(simulate: Any) -> None:
    """§jobs [inferred]: whether a starter takes part of a batch is not established."""
    world = simulate(knobs={"busy_batch": "skip_busy"})
    world.mgn.start_test(sourceServerIDs=world.ids[:1])
    job_id = world.mgn.start_test(sourceServerIDs=world.ids)["job"]["jobID"]
    assert "SERVER_SKIPPED" in world.log(job_id)
    world.simulator.finish_jobs()
    assert [each["launchStatus"] for each in world.job(job_id)["participatingServers"]] == [
        "PENDING",
        "LAUNCHED",
        "LAUNCHED",
    ]


@pytest.mark.parametrize(
    ("quotas", "first", "second", "words"),
    [
        ({"active_jobs": 1}, 1, 1, "Maximum of 1 concurrent jobs"),
        ({"servers_per_job": 1}, 1, 2, "A job takes 1 source servers at most"),
        ({"servers_in_active_jobs": 2}, 1, 2, "Maximum of 2 source servers in all active jobs"),
    ],
)
def test_quota_refuses_the_call(simulate: Any, refused: Any, quotas: Any, first: int, second: int, words: str) -> None:
    """§quotas [docs GR-mgn]: 20 jobs, 200 servers a job, 200 in all active jobs; the error class [inferred]."""
    world = simulate(quotas=quotas)
    world.mgn.start_test(sourceServerIDs=world.ids[:first])
    asked = {"sourceServerIDs": world.ids[first : first + second]}
    refused(world.mgn.start_test, asked, "ConflictException", words)
    assert len(world.mgn.describe_jobs()["items"]) == 1


def test_default_quotas_are_the_published_ones(simulate: Any) -> None:
    """§quotas [docs GR-mgn]: 20, 200, 200."""
    quotas = simulate().simulator.account.quotas
    assert (quotas.active_jobs, quotas.servers_per_job, quotas.servers_in_active_jobs) == (20, 200, 200)


def test_quota_error_class_is_a_knob(simulate: Any, refused: Any) -> None:
    """§quotas [model]: 402 is not modelled on the starters, hence a knob."""
    world = simulate(quotas={"servers_per_job": 1}, knobs={"quota_error": "ServiceQuotaExceededException"})
    error = refused(world.mgn.start_test, {"sourceServerIDs": world.ids}, "ServiceQuotaExceededException")
    assert error["quotaValue"] == 1


def test_terminate_jobs_count_and_completed_ones_do_not(simulate: Any, refused: Any) -> None:
    """§quotas [docs UG/General-Questions-FAQ]: launch and terminate jobs count while active."""
    world = simulate(quotas={"active_jobs": 1})
    world.launch("test", world.ids[0])
    world.mgn.terminate_target_instances(sourceServerIDs=world.ids[1:2])
    refused(world.mgn.start_test, {"sourceServerIDs": world.ids[2:]}, "ConflictException", "concurrent jobs")
    world.simulator.finish_jobs()
    world.mgn.start_test(sourceServerIDs=world.ids[2:])


@pytest.mark.parametrize("phase", ["test", "cutover"])
@pytest.mark.parametrize("code", ["ConflictException", "ValidationException"])
def test_not_launchable_server_cannot_be_launched(simulate: Any, refused: Any, phase: str, code: str) -> None:
    """§replication [model doc]: launchable means lagDuration is not null; the error class [inferred]."""
    servers = [{"name": "a", "lifecycle": f"READY_FOR_{phase.upper()}", "replication": "INITIATING"}]
    world = simulate(servers=servers, knobs={"lag_null_error": code, "wrong_state_error": "AccessDeniedException"})
    world.simulator.account.servers[world.ids[0]].replication.launchable = False
    refused(getattr(world.mgn, f"start_{phase}"), {"sourceServerIDs": world.ids}, code, "is not launchable")
