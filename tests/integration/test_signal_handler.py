"""signal_handler and sweep: MGN's events, decisions and dead executions, twice, late and lost (I10)."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.handlers import prepare_source, signal_handler, sweep
from runtime.models.status import MigrationStatus
from simulator.memory_effects import MemoryBus
from tests.builders import (
    JOB_ID,
    SERVER_ID,
    TARGET_ACCOUNT,
    TARGET_REGION,
    TARGET_SCOPE,
    a_job,
    a_lock,
    a_server,
    a_wait,
)
from tests.fakes import FakePorts
from tests.integration.cloud import ACCOUNT, EXECUTION, REGION, SCOPE, Cloud
from tests.integration.journey import bring_to, record_of, submitted, validated

ARN = f"arn:aws:mgn:{REGION}:{ACCOUNT}:source-server/"


def mgn_event(server: str = SERVER_ID) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "11111111-1111-1111-1111-111111111111",
        "detail-type": "MGN Source Server Launch Result",
        "source": "aws.mgn",
        "account": ACCOUNT,
        "time": "2026-01-01T00:00:00Z",
        "region": REGION,
        "resources": [ARN + server],
        "detail": {"state": "TEST_LAUNCH_SUCCEEDED", "job-id": "mgnjob-12345678901234567"},
    }


def decision(**detail: Any) -> dict[str, Any]:
    sent = {"migrationId": "mig-1", "by": "ada@example.com", **detail}
    return {"source": "people", "detail-type": "MigrationSignal", "detail": sent}


def execution_change(status: str, execution: str = EXECUTION) -> dict[str, Any]:
    detail = {"executionArn": execution, "status": status, "input": '{"migrationId": "mig-1"}'}
    return {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}


def signal(cloud: Cloud, event: dict[str, Any]) -> str:
    return str(cloud.invoke(signal_handler.handler, event)["result"])


def test_i10_mgn_event_delivered_twice_and_late_resumes_once(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    assert signal(cloud, mgn_event()) == "woke 0 waits"
    cloud.simulator.finish_jobs()
    assert signal(cloud, mgn_event()) == "woke 1 waits"
    assert signal(cloud, mgn_event()) == "woke 0 waits"
    cloud.simulator.advance(86_400)
    assert signal(cloud, mgn_event()) == "woke 0 waits"
    assert [token for token in cloud.tokens() if token == "launch-test"] == ["launch-test"]


def test_mgn_event_of_another_account_or_region_wakes_nothing_of_ours(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    assert signal(cloud, mgn_event() | {"account": "222233334444"}) == "woke 0 waits"
    assert signal(cloud, mgn_event() | {"region": "eu-west-1"}) == "woke 0 waits"
    assert signal(cloud, mgn_event()) == "woke 1 waits"


def test_mgn_event_wakes_the_server_of_its_own_account(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = FakePorts(targets=(TARGET_SCOPE,))
    there = ports.at(TARGET_SCOPE)
    there.mgn.add(a_server(state="TESTING"))
    there.mgn.started.append(a_job(launch_status="LAUNCHED"))
    ports.store.lock(a_lock(scope=TARGET_SCOPE))
    ports.store.park(a_wait(scope=TARGET_SCOPE, job_id=JOB_ID))
    monkeypatch.setattr(signal_handler, "aws_ports", lambda *_: ports)
    event = mgn_event() | {"account": TARGET_ACCOUNT, "region": TARGET_REGION}
    assert signal(cloud, event) == "woke 1 waits"


def test_event_that_mgn_really_sends_wakes_the_wait(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    bus = cloud.simulator.bus
    assert isinstance(bus, MemoryBus)
    sent = next(event for event in bus.events if event.detail_type == "MGN Source Server Launch Result")
    envelope = {**mgn_event(), "resources": [sent.resource], "detail": dict(sent.detail)}
    assert signal(cloud, envelope) == "woke 1 waits"


@pytest.mark.parametrize("server", ["s-99999999999999999", "s-short"])
def test_event_of_a_server_nobody_migrates_is_harmless(cloud: Cloud, server: str) -> None:
    assert signal(cloud, mgn_event(server)) == "woke 0 waits"


def test_i10_with_every_event_lost_the_sweep_resumes(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    assert cloud.invoke(sweep.handler, {}) == {"waiting": 1, "resumed": 0, "restarted": 0, "frozen": 0}
    cloud.simulator.finish_jobs()
    assert cloud.invoke(sweep.handler, {}) == {"waiting": 1, "resumed": 1, "restarted": 0, "frozen": 0}
    assert cloud.tokens()["launch-test"] is None
    assert cloud.invoke(sweep.handler, {}) == {"waiting": 0, "resumed": 0, "restarted": 0, "frozen": 0}


def test_i10_failed_launch_inside_a_completed_job_fails_its_step(cloud: Cloud) -> None:
    cloud.simulator.inject({"kind": "launch", "at": "conversion"})
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    cloud.invoke(sweep.handler, {})
    assert cloud.tokens()["launch-test"] == "LaunchFailedError"


def test_token_step_functions_dropped_is_closed_not_kept(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.gone.add("launch-test")
    cloud.simulator.finish_jobs()
    assert cloud.invoke(sweep.handler, {})["resumed"] == 1
    assert cloud.store.waits("mig-1") == ()


def test_decision_opens_its_gate_once(cloud: Cloud) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    cloud.step(prepare_source.handler, phase="cutover")
    cloud.step(signal_handler.handler, kind="approval", gate="cutover", taskToken="approval")
    approve = decision(decision="approve", gate="cutover", reason="all green")
    assert [signal(cloud, approve), signal(cloud, approve)] == ["taken", "ignored: decided before"]
    assert cloud.tokens()["approval"] is None
    (kept,) = cloud.store.signals("mig-1")
    assert (kept.by, kept.reason) == ("ada@example.com", "all green")


def test_i10_decision_that_comes_before_its_step_is_kept_for_it(cloud: Cloud) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    cloud.step(prepare_source.handler, phase="cutover")
    assert signal(cloud, decision(decision="reject", gate="cutover")) == "taken"
    cloud.step(signal_handler.handler, kind="approval", gate="cutover", taskToken="approval")
    assert cloud.tokens()["approval"] == "ApprovalRejectedError"


def test_i7_cancel_with_the_longest_reason_ends_the_step(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    assert signal(cloud, decision(decision="cancel", reason="x" * 2048)) == "taken"
    assert cloud.tokens()["launch-test"] == "MigrationCancelledError"


def test_decision_on_an_unknown_migration_is_harmless(cloud: Cloud) -> None:
    assert signal(cloud, decision(decision="cancel")) == "ignored: no such migration"


def test_decision_nobody_can_read_is_refused_naming_what_is_wrong(cloud: Cloud) -> None:
    with pytest.raises(ValidationError, match="decision"):
        signal(cloud, decision(decision="perhaps"))


def test_i7_dead_execution_freezes_its_migration_and_release_frees_the_server(cloud: Cloud) -> None:
    validated(cloud)
    assert signal(cloud, execution_change("FAILED", "arn:another")).startswith("ignored: not the execution")
    assert signal(cloud, execution_change("TIMED_OUT")) == "frozen"
    assert signal(cloud, execution_change("TIMED_OUT")) == "ignored: the migration is FROZEN"
    assert record_of(cloud).status is MigrationStatus.FROZEN
    assert cloud.store.lock_of(SCOPE, SERVER_ID) is not None
    assert signal(cloud, decision(decision="release", reason="looked at it")) == "released"
    assert cloud.store.lock_of(SCOPE, SERVER_ID) is None


def test_i1_sweep_starts_what_was_accepted_and_never_began(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted(cloud)
    cloud.published()
    assert cloud.invoke(sweep.handler, {})["restarted"] == 0
    monkeypatch.setattr("runtime.logic.sweeping.START_GRACE", timedelta(minutes=-1))
    assert cloud.invoke(sweep.handler, {})["restarted"] == 1
    assert [event["detail-type"] for event in cloud.published()] == ["MigrationRequested"]
