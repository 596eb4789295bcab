"""signal_handler and sweep: MGN's events, decisions and dead executions, twice, late and lost (I10)."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.handlers import entry, prepare_source, signal_handler, sweep
from runtime.models.functions.environment import Targets
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from simulator.memory import MemoryBus
from tests.builders import SERVER_ID, TARGET_ACCOUNT, TARGET_REGION
from tests.integration.cloud import ACCOUNT, EXECUTION, REGION, SCOPE, SENDER, Cloud, sqs_event, take_wakes
from tests.integration.journey import bring_to, looked, record_of, submitted, validated

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


def woken(cloud: Cloud, *events: dict[str, Any]) -> None:
    """The handler gets the events, then the dispatcher its wakes."""
    assert {signal(cloud, event) for event in events} == {"woke the dispatcher"}
    cloud.dispatch()


def test_i10_mgn_event_delivered_twice_and_late_resumes_once(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    woken(cloud, mgn_event())
    assert "launch-test" not in cloud.tokens()
    cloud.simulator.finish_jobs()
    woken(cloud, mgn_event(), mgn_event())
    cloud.simulator.advance(86_400)
    woken(cloud, mgn_event())
    assert [sent["taskToken"] for _, sent in cloud.resumed].count("launch-test") == 1


def use_target(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = Targets(role_name="r", external_id="x", scopes=(Scope(TARGET_ACCOUNT, TARGET_REGION),))
    monkeypatch.setenv("TARGETS", targets.model_dump_json())
    for made in (entry.environment, entry.kept_ports):
        made.cache_clear()


def event_of(account: str, region: str, *, server_in: tuple[str, str] | None = None) -> dict[str, Any]:
    there, place = server_in or (account, region)
    arn = f"arn:aws:mgn:{place}:{there}:source-server/{SERVER_ID}"
    return mgn_event() | {"account": account, "region": region, "resources": [arn]}


@pytest.mark.parametrize("place", [(ACCOUNT, REGION), (TARGET_ACCOUNT, TARGET_REGION)])
def test_mgn_event_wakes_the_dispatcher_of_its_own_account_and_region(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, place: tuple[str, str]
) -> None:
    use_target(monkeypatch)
    signal(cloud, event_of(*place))
    assert [wake["body"] for wake in take_wakes()] == ["#".join(place)]


@pytest.mark.parametrize(
    "event",
    [
        event_of(TARGET_ACCOUNT, REGION),
        event_of(ACCOUNT, TARGET_REGION),
        event_of("999999999999", REGION),
        event_of(TARGET_ACCOUNT, TARGET_REGION, server_in=(ACCOUNT, REGION)),
        event_of(ACCOUNT, REGION, server_in=(TARGET_ACCOUNT, TARGET_REGION)),
        {name: value for name, value in mgn_event().items() if name != "account"},
        mgn_event() | {"resources": ["no-arn"]},
    ],
)
def test_mgn_event_of_a_strange_place_or_about_another_one_wakes_nobody_and_is_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, log_lines: StringIO, event: dict[str, Any]
) -> None:
    use_target(monkeypatch)
    assert signal(cloud, event).startswith("refused: ")
    assert take_wakes() == []
    assert '"level":"WARNING"' in log_lines.getvalue()


def test_event_that_mgn_really_sends_wakes_the_dispatcher(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    bus = cloud.simulator.bus
    assert isinstance(bus, MemoryBus)
    sent = next(event for event in bus.events if event.detail_type == "MGN Source Server Launch Result")
    woken(cloud, {**mgn_event(), "resources": [sent.resource], "detail": dict(sent.detail)})
    assert cloud.tokens()["launch-test"] is None


@pytest.mark.parametrize("server", ["s-99999999999999999", "s-short"])
def test_event_of_a_server_nobody_migrates_is_harmless(cloud: Cloud, server: str) -> None:
    woken(cloud, mgn_event(server))
    assert cloud.resumed == []


def test_i10_with_every_event_lost_the_sweep_resumes(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    assert cloud.invoke(sweep.handler, {}) == {"scopes": 1, "restarted": 0, "frozen": 0}
    cloud.dispatch()
    assert cloud.tokens()["launch-test"] is None
    assert list(cloud.state.waits.open(SCOPE)) == []


def test_i10_failed_launch_inside_a_completed_job_fails_its_step(cloud: Cloud) -> None:
    cloud.simulator.inject({"kind": "launch", "at": "conversion"})
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    looked(cloud)
    assert cloud.tokens()["launch-test"] == "LaunchFailedError"


def test_token_step_functions_dropped_is_closed_not_kept(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.gone.add("launch-test")
    cloud.simulator.finish_jobs()
    looked(cloud)
    assert cloud.state.waits.of(SCOPE, "mig-1") == ()


def test_decision_opens_its_gate_once(cloud: Cloud) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    cloud.step(prepare_source.handler, phase="cutover")
    cloud.step(signal_handler.handler, kind="approval", gate="cutover", taskToken="approval")
    approve = decision(decision="approve", gate="cutover", reason="all green")
    assert [signal(cloud, approve), signal(cloud, approve)] == ["taken", "ignored: decided before"]
    cloud.dispatch()
    assert cloud.tokens()["approval"] is None
    (kept,) = cloud.state.decisions.of("mig-1")
    assert (kept.by, kept.reason) == ("ada@example.com", "all green")


def test_i14_decision_from_the_queue_is_kept_with_its_sender_and_only_an_unreadable_one_comes_back(
    cloud: Cloud,
) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    cloud.step(prepare_source.handler, phase="cutover")
    cloud.step(signal_handler.handler, kind="approval", gate="cutover", taskToken="approval")
    approve = decision(decision="approve", gate="cutover", reason="all green")["detail"]
    misspelt = {**approve, "decision": "aprove"}
    answer = cloud.invoke(signal_handler.handler, sqs_event(misspelt, approve, approve))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    (kept,) = cloud.state.decisions.of("mig-1")
    assert (kept.by, kept.sender, kept.message_id) == ("ada@example.com", SENDER, "message-2")
    cloud.dispatch()
    assert cloud.tokens()["approval"] is None


def test_i10_decision_that_comes_before_its_step_is_kept_for_it(cloud: Cloud) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    cloud.step(prepare_source.handler, phase="cutover")
    assert signal(cloud, decision(decision="reject", gate="cutover")) == "taken"
    cloud.park(signal_handler.handler, kind="approval", gate="cutover", taskToken="approval")
    assert cloud.tokens()["approval"] == "ApprovalRejectedError"


def test_i7_cancel_with_the_longest_reason_ends_the_step(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    assert signal(cloud, decision(decision="cancel", reason="x" * 2048)) == "taken"
    cloud.dispatch()
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
    assert cloud.state.migrations.lock_of(SCOPE, SERVER_ID) is not None
    assert signal(cloud, decision(decision="release", reason="looked at it")) == "released"
    assert cloud.state.migrations.lock_of(SCOPE, SERVER_ID) is None


def test_i1_sweep_starts_what_was_accepted_and_never_began(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted(cloud)
    cloud.published()
    assert cloud.invoke(sweep.handler, {})["restarted"] == 0
    monkeypatch.setattr("runtime.logic.sweep.START_GRACE", timedelta(minutes=-1))
    assert cloud.invoke(sweep.handler, {})["restarted"] == 1
    assert [event["detail-type"] for event in cloud.published()] == ["MigrationRequested"]


def test_approval_replayed_from_before_the_request_opens_no_gate(cloud: Cloud) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    accepted = record_of(cloud).created_at
    event = decision(decision="approve", gate="cutover")
    old = {**event, "time": (accepted - timedelta(days=1)).isoformat()}
    assert signal(cloud, old).startswith("ignored: sent before the request was accepted")
    assert signal(cloud, {**event, "time": f"{accepted:%Y-%m-%dT%H:%M:%SZ}"}) == "taken"


@pytest.mark.parametrize("wrong", [{"by": "a\x1bda"}, {"reason": "fine\nfrom: eve"}, {"migration_id": "mig-1"}])
def test_decision_that_is_not_written_to_the_letter_is_refused(cloud: Cloud, wrong: dict[str, str]) -> None:
    bring_to("test-verified", cloud, approval={"cutover": True})
    with pytest.raises(ValidationError):
        signal(cloud, decision(decision="approve", gate="cutover", **wrong))
