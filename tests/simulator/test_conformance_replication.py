"""Data replication: how it proceeds, is interrupted and ends."""

from typing import Any

import pytest

NEW = [{"name": "new", "lifecycle": "NOT_READY"}]


CURABLE = "FAILED_TO_BOOT_REPLICATION_SERVER"


def replication(world: Any, index: int = 0) -> Any:
    return world.server(world.ids[index])["dataReplicationInfo"]


def test_new_server_passes_all_states_in_order(simulate: Any) -> None:
    """§replication [docs UG/migration-dashboard]: initiation, sync, backlog, snapshot, continuous; names [inferred]."""
    world = simulate(servers=NEW)
    while replication(world)["dataReplicationState"] != "CONTINUOUS":
        world.simulator.advance_to_next()
    seen = [entry["state"] for entry in world.simulator.log(kind="replication")]
    assert seen == ["INITIATING", "INITIAL_SYNC", "BACKLOG", "CREATING_SNAPSHOT", "CONTINUOUS"]


def test_server_is_ready_for_test_after_its_first_snapshot(simulate: Any) -> None:
    """§lifecycle [docs UG/migration-dashboard]: NOT_READY until the first launchable snapshot."""
    world = simulate(servers=NEW)
    world.simulator.advance(660 + 3600 + 120 + 119)
    assert (world.state(world.ids[0]), "lagDuration" in replication(world)) == ("NOT_READY", False)
    world.simulator.advance(2)
    assert (world.state(world.ids[0]), replication(world)["lagDuration"]) == ("READY_FOR_TEST", "P0D")


def test_initiation_steps_succeed_one_after_the_other(simulate: Any) -> None:
    """§replication [model]: eleven steps in their order."""
    world = simulate(servers=NEW)
    world.simulator.advance(150)
    steps = replication(world)["dataReplicationInitiation"]["steps"]
    assert [step["status"] for step in steps[:4]] == ["SUCCEEDED", "SUCCEEDED", "IN_PROGRESS", "NOT_STARTED"]
    assert (len(steps), steps[0]["name"], steps[-1]["name"]) == (11, "WAIT", "START_DATA_TRANSFER")


def test_initial_sync_shows_progress_and_eta(simulate: Any) -> None:
    """§replication [model]: replicatedStorageBytes grows, etaDateTime tells when."""
    world = simulate(servers=NEW)
    world.simulator.advance(660 + 1800)
    info = replication(world)
    disk = info["replicatedDisks"][0]
    assert disk["replicatedStorageBytes"] == disk["totalStorageBytes"] // 2
    assert info["etaDateTime"] == "2026-01-05T09:11:00.000000+00:00"


def test_stall_shows_error_and_growing_lag(simulate: Any) -> None:
    """§replication [docs UG/Replication-Related-FAQ]: lag is the time since continuous mode, backlog what waits."""
    world = simulate(faults=[{"kind": "replication", "servers": ["server-0"], "error": "UNSTABLE_NETWORK"}])
    world.simulator.advance(90)
    info = replication(world)
    assert (info["dataReplicationState"], info["lagDuration"]) == ("STALLED", "PT1M30S")
    assert info["dataReplicationError"]["error"] == "UNSTABLE_NETWORK"
    assert info["replicatedDisks"][0]["backloggedStorageBytes"] > 0


def test_stall_that_heals_catches_up(simulate: Any) -> None:
    """§replication [inferred]: some stalls heal by themselves, through a backlog."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "replication", "lasts_seconds": 60}])
    world.simulator.advance(61)
    assert replication(world)["dataReplicationState"] == "BACKLOG"
    world.simulator.advance(120)
    assert (replication(world)["dataReplicationState"], replication(world)["lagDuration"]) == ("CONTINUOUS", "P0D")


def test_stall_during_initiation_marks_the_step_failed(simulate: Any) -> None:
    """§replication [model]: step status FAILED."""
    world = simulate(servers=NEW, faults=[{"kind": "replication", "after_seconds": 200}])
    world.simulator.advance(201)
    steps = replication(world)["dataReplicationInitiation"]["steps"]
    assert [step["status"] for step in steps].count("FAILED") == 1


def test_retry_restarts_a_stalled_initiation(simulate: Any) -> None:
    """§replication [model doc]: RetryDataReplication."""
    world = simulate(servers=NEW, faults=[{"kind": "replication", "after_seconds": 200, "error": CURABLE}])
    world.simulator.advance(201)
    world.mgn.retry_data_replication(sourceServerID=world.ids[0])
    world.simulator.advance(60)
    assert replication(world)["dataReplicationState"] == "INITIATING"


def test_retry_waits_for_the_next_handshake(simulate: Any) -> None:
    """§replication [model doc]: at the next agent handshake; that nextAttemptDateTime tells it [inferred]."""
    world = simulate(servers=NEW, faults=[{"kind": "replication", "after_seconds": 200, "error": CURABLE}])
    world.simulator.advance(201)
    assert "nextAttemptDateTime" not in replication(world)["dataReplicationInitiation"]
    answer = world.mgn.retry_data_replication(sourceServerID=world.ids[0])
    info = answer["dataReplicationInfo"]
    assert info["dataReplicationState"] == "STALLED"
    assert info["dataReplicationInitiation"]["nextAttemptDateTime"] == "2026-01-05T08:04:00.000000+00:00"
    world.simulator.advance(39)
    assert "nextAttemptDateTime" not in replication(world)["dataReplicationInitiation"]
    assert replication(world)["dataReplicationState"] == "INITIATING"


def test_retry_of_a_launchable_server_catches_up(simulate: Any) -> None:
    """§replication [ours]: what is replicated is not replicated again."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "replication", "error": CURABLE}])
    world.simulator.advance(30)
    world.mgn.retry_data_replication(sourceServerID=world.ids[0])
    world.mgn.retry_data_replication(sourceServerID=world.ids[0])
    world.simulator.advance(60 + 121)
    assert replication(world)["dataReplicationState"] == "CONTINUOUS"
    assert [each["detail"]["state"] for each in world.events()] == ["STALLED", "NOT_STALLED"]


@pytest.mark.parametrize("state", ["NOT_READY", "READY_FOR_TEST"])
def test_retry_does_not_bring_back_an_agent_that_is_gone(simulate: Any, state: str) -> None:
    """§replication [inferred]: it waits for a handshake, and the agent is not seen."""
    world = simulate(state, faults=[{"kind": "replication", "error": "AGENT_NOT_SEEN", "lasts_seconds": 600}])
    world.simulator.advance(30)
    answer = world.mgn.retry_data_replication(sourceServerID=world.ids[0])
    assert "nextAttemptDateTime" not in answer["dataReplicationInfo"].get("dataReplicationInitiation", {})
    world.simulator.advance(569)
    assert replication(world)["dataReplicationState"] == "STALLED"
    world.simulator.advance(1)
    assert replication(world)["dataReplicationState"] != "STALLED"


@pytest.mark.parametrize("state", ["READY_FOR_TEST", "DISCONNECTED", "STOPPED"])
def test_retry_is_refused_unless_stalled(simulate: Any, refused: Any, state: str) -> None:
    """§replication [model doc]: not when not stalled, nor DISCONNECTED or STOPPED."""
    world = simulate(state)
    asked = {"sourceServerID": world.ids[0]}
    refused(world.mgn.retry_data_replication, asked, "ValidationException", "RetryDataReplication while")


def test_stop_discards_everything_and_start_begins_anew(simulate: Any) -> None:
    """§replication [docs UG/server-replication-main]: restartable, with a new initial sync."""
    world = simulate("READY_FOR_TEST")
    stopped = world.mgn.stop_replication(sourceServerID=world.ids[0])
    assert (stopped["lifeCycle"]["state"], stopped["dataReplicationInfo"]["dataReplicationState"]) == (
        "STOPPED",
        "STOPPED",
    )
    assert "lagDuration" not in stopped["dataReplicationInfo"]
    started = world.mgn.start_replication(sourceServerID=world.ids[0])
    assert (started["lifeCycle"]["state"], started["dataReplicationInfo"]["dataReplicationState"]) == (
        "NOT_READY", "INITIATING",
    )  # fmt: skip


def test_lifecycle_after_stop_is_a_knob(simulate: Any) -> None:
    """§replication [inferred]: the lifecycle value after Stop is not established."""
    world = simulate("READY_FOR_CUTOVER", knobs={"lifecycle_after_stop": "unchanged"})
    assert world.mgn.stop_replication(sourceServerID=world.ids[0])["lifeCycle"]["state"] == "READY_FOR_CUTOVER"


def test_pause_keeps_everything_and_resume_syncs_the_rest(simulate: Any) -> None:
    """§replication [docs UG/server-replication-main]: changes since the pause are synced."""
    world = simulate("READY_FOR_TEST")
    world.mgn.pause_replication(sourceServerID=world.ids[0])
    world.simulator.advance(100)
    assert (replication(world)["dataReplicationState"], replication(world)["lagDuration"]) == ("PAUSED", "PT1M40S")
    answer = world.mgn.resume_replication(sourceServerID=world.ids[0])
    assert answer["dataReplicationInfo"]["dataReplicationState"] == "BACKLOG"
    world.simulator.advance(121)
    assert replication(world)["dataReplicationState"] == "CONTINUOUS"


def test_pause_during_sync_resumes_where_it_was(simulate: Any) -> None:
    """§replication [docs UG/server-replication-main]: pausing keeps what is replicated."""
    world = simulate(servers=NEW)
    world.simulator.advance(660 + 1800)
    world.mgn.pause_replication(sourceServerID=world.ids[0])
    world.simulator.advance(5000)
    world.mgn.resume_replication(sourceServerID=world.ids[0])
    world.simulator.advance(1799)
    assert replication(world)["dataReplicationState"] == "INITIAL_SYNC"
    world.simulator.advance(2)
    assert replication(world)["dataReplicationState"] == "BACKLOG"


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        ("start_replication", "READY_FOR_TEST"),
        ("start_replication", "DISCONNECTED"),
        ("stop_replication", "STOPPED"),
        ("stop_replication", "DISCONNECTED"),
        ("pause_replication", "DISCONNECTED"),
        ("resume_replication", "READY_FOR_TEST"),
    ],
)
def test_replication_call_in_the_wrong_state_conflicts(simulate: Any, refused: Any, operation: str, state: str) -> None:
    """§replication [model]: ConflictException is modelled; which state refuses is [inferred]."""
    world = simulate(state)
    refused(getattr(world.mgn, operation), {"sourceServerID": world.ids[0]}, "ConflictException", f"in state {state}")


def test_replicating_servers_have_a_quota(simulate: Any, refused: Any) -> None:
    """§quotas [docs GR-mgn]: active source servers, L-9A599620; interrupted ones are active too [inferred]."""
    world = simulate("STOPPED", "STOPPED", "READY_FOR_TEST", "CUTOVER", quotas={"replicating_servers": 2})
    first, second, third, _ = world.ids
    world.mgn.pause_replication(sourceServerID=third)
    world.mgn.start_replication(sourceServerID=first)
    error = refused(world.mgn.start_replication, {"sourceServerID": second}, "ServiceQuotaExceededException")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 402
    assert (error["quotaCode"], error["quotaValue"], error["serviceCode"]) == ("L-9A599620", 2, "mgn")
    world.mgn.stop_replication(sourceServerID=third)
    world.mgn.start_replication(sourceServerID=second)


def test_default_quota_of_replicating_servers_is_the_published_one(simulate: Any) -> None:
    """§quotas [docs GR-mgn]: 150."""
    assert simulate().simulator.account.quotas.replicating_servers == 150


def test_snapshots_follow_each_other_in_continuous_replication(simulate: Any) -> None:
    """§replication [model]: lastSnapshotDateTime moves on."""
    world = simulate("READY_FOR_TEST")
    first = replication(world)["lastSnapshotDateTime"]
    world.simulator.advance(601)
    assert replication(world)["lastSnapshotDateTime"] > first


def test_agentless_server_alternates_between_shipping_states(simulate: Any) -> None:
    """§agentless [model]: PENDING_SNAPSHOT_SHIPPING and SHIPPING_SNAPSHOT; lag about a cycle [inferred]."""
    world = simulate(servers=[{"name": "vm", "replication_type": "SNAPSHOT_SHIPPING"}])
    world.simulator.advance(1000)
    assert (replication(world)["dataReplicationState"], replication(world)["lagDuration"]) == (
        "PENDING_SNAPSHOT_SHIPPING", "PT16M40S",
    )  # fmt: skip
    world.simulator.advance(2500)
    assert replication(world)["dataReplicationState"] == "SHIPPING_SNAPSHOT"


def test_rescan_reads_everything_again(simulate: Any) -> None:
    """§replication [docs UG/Agent-Related-FAQ]: RESCAN re-reads all blocks."""
    fault = {"kind": "replication", "state": "RESCAN", "lasts_seconds": 100}
    world = simulate("READY_FOR_TEST", faults=[fault])
    world.simulator.advance(50)
    disk = replication(world)["replicatedDisks"][0]
    assert replication(world)["dataReplicationState"] == "RESCAN"
    assert disk["rescannedStorageBytes"] == disk["totalStorageBytes"] // 2


def test_backlog_counts_down(simulate: Any) -> None:
    """§replication [docs UG/Replication-Related-FAQ]: backlog is bytes written but not yet replicated."""
    fault = {"kind": "replication", "state": "BACKLOG", "lasts_seconds": 100, "backlog_gib": 4}
    world = simulate("READY_FOR_TEST", faults=[fault])
    world.simulator.advance(50)
    assert replication(world)["replicatedDisks"][0]["backloggedStorageBytes"] == 2 * 1024**3
    world.simulator.advance(51)
    assert replication(world)["dataReplicationState"] == "CONTINUOUS"


def test_replication_type_can_be_changed(simulate: Any) -> None:
    """§agentless [model]: UpdateSourceServerReplicationType."""
    world = simulate()
    answer = world.mgn.update_source_server_replication_type(
        sourceServerID=world.ids[0], replicationType="SNAPSHOT_SHIPPING"
    )
    assert answer["replicationType"] == "SNAPSHOT_SHIPPING"
