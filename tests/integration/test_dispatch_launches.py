"""dispatch_launches: the one function that starts MGN jobs, through its queue."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.handlers import dispatch_launches, ingress_handler, prepare_source, trigger_migration, validate_input
from runtime.logic.dispatch.batching import CORRELATION_TAG, LAUNCH_TAG
from runtime.models.mgn import SourceServer
from runtime.models.record import Launch
from runtime.models.scope import Scope, Wake
from runtime.models.status import MigrationStatus
from tests.builders import JOB_ID, OTHER_SERVER_ID, SERVER_ID, TARGET_SCOPE, a_wait
from tests.integration.cloud import SCOPE, Cloud, sqs_event, take_wakes
from tests.integration.journey import bring_to, looked, record_of, swept

SECOND = {"migrationId": "mig-2", "correlationId": "cor-2", "execution": "arn:of-mig-2"}


def launch_of_test(cloud: Cloud) -> Launch:
    launch = record_of(cloud).test_launch
    assert launch is not None
    return launch


def ask_for_test_launch(cloud: Cloud, *faults: dict[str, Any]) -> None:
    """A migration parked for its test launch that no dispatcher has seen."""
    bring_to("replicated", cloud)
    cloud.step(prepare_source.handler, phase="test")
    cloud.step(trigger_migration.handler, phase="test", taskToken="launch")
    for fault in faults:
        cloud.simulator.inject({"kind": "call", "operations": ["StartTest"], **fault})


def ask_together(cloud: Cloud) -> None:
    """Two migrations, each of its own server, parked for their test launches."""
    request = cloud.message(migrationId="mig-2", correlationId="cor-2", sourceVmId="billing-web-02")
    cloud.invoke(ingress_handler.handler, sqs_event(request))
    cloud.step(validate_input.handler, **SECOND)
    cloud.park(prepare_source.handler, taskToken="replication-2", **SECOND)
    ask_for_test_launch(cloud)
    cloud.step(prepare_source.handler, phase="test", **SECOND)
    cloud.step(trigger_migration.handler, phase="test", taskToken="launch-2", **SECOND)


def a_wake(message_id: str, *, scope: Scope = SCOPE, sent: int = 9_999_999_999_999) -> dict[str, Any]:
    """A sweep's record of the wake queue, sent in milliseconds of the epoch and received at once."""
    attributes = {
        "SentTimestamp": f"{sent}",
        "ApproximateFirstReceiveTimestamp": f"{sent}",
        "ApproximateReceiveCount": "1",
    }
    body = Wake(scope, everything=True).to_text()
    return {"messageId": message_id, "body": body, "eventSource": "aws:sqs", "attributes": attributes}


def test_step_that_asks_for_a_launch_starts_no_job(cloud: Cloud) -> None:
    ask_for_test_launch(cloud)
    assert (len(cloud.simulator.account.jobs), record_of(cloud).test_launch) == (0, None)
    assert [wake["body"] for wake in take_wakes()] == [str(SCOPE)]


def test_i9_migrations_that_ask_together_share_a_job_that_names_them_all(cloud: Cloud) -> None:
    ask_together(cloud)
    cloud.dispatch()
    (job,) = cloud.simulator.account.jobs.values()
    second = cloud.state.migrations.record("mig-2")
    assert second is not None
    assert second.test_launch == launch_of_test(cloud)
    assert (job.tags[LAUNCH_TAG], job.tags[CORRELATION_TAG].split()) == (
        launch_of_test(cloud).launch_id,
        ["cor-1", "cor-2"],
    )
    swept(cloud)
    assert {"launch": None, "launch-2": None}.items() <= cloud.tokens().items()


def test_throttled_launch_is_tried_again_soon(cloud: Cloud) -> None:
    ask_for_test_launch(cloud, {"outcome": "throttle", "calls": [1]})
    cloud.dispatch()
    assert (len(cloud.simulator.account.jobs), cloud.state.dispatches.state(SCOPE).in_flight) == (0, None)
    looked(cloud)
    assert len(cloud.simulator.account.jobs) == 1


def test_i3_lost_answer_of_start_test_is_adopted_by_tag(cloud: Cloud) -> None:
    ask_for_test_launch(cloud, {"outcome": "timeout_after", "calls": [1]})
    cloud.dispatch()
    assert cloud.state.dispatches.state(SCOPE).in_flight is not None
    looked(cloud)
    assert list(cloud.simulator.account.jobs) == [launch_of_test(cloud).job_id]
    assert cloud.state.dispatches.state(SCOPE).in_flight is None


def test_i3_call_that_never_arrived_is_doubt_first_and_made_again_after_it(cloud: Cloud) -> None:
    ask_for_test_launch(cloud, {"outcome": "timeout_before", "calls": [1]})
    cloud.dispatch()
    looked(cloud)
    assert len(cloud.simulator.account.jobs) == 0
    state = cloud.state.dispatches.state(SCOPE)
    assert state.in_flight is not None
    long_ago = state.in_flight.attempted_at - timedelta(hours=1)
    batch = state.in_flight.model_copy(update={"attempted_at": long_ago})
    cloud.state.dispatches.save(state.model_copy(update={"in_flight": batch}))
    looked(cloud)
    assert list(cloud.simulator.account.jobs) == [launch_of_test(cloud).job_id]


def test_i3_dispatcher_does_not_take_what_another_launched_meanwhile_for_drift(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a dispatcher that is about to judge the server it may launch
    ask_for_test_launch(cloud)
    (wake,) = take_wakes()
    judge = MgnMigrationService.servers

    def after_another_launched(mgn: MgnMigrationService, ids: tuple[str, ...]) -> tuple[SourceServer, ...]:
        monkeypatch.setattr(MgnMigrationService, "servers", judge)
        cloud.invoke(dispatch_launches.handler, {"Records": [wake]})
        return tuple(judge(mgn, ids))

    monkeypatch.setattr(MgnMigrationService, "servers", after_another_launched)
    # When another one launches it first
    cloud.invoke(dispatch_launches.handler, {"Records": [wake]})
    # Then the server's new state in MGN is nobody's fault
    assert cloud.simulator.server(SERVER_ID).state == "TESTING"
    assert "launch" not in cloud.tokens()
    swept(cloud)
    assert cloud.tokens()["launch"] is None


def test_server_someone_launched_by_hand_ends_its_wait_alone(cloud: Cloud) -> None:
    ask_together(cloud)
    cloud.simulator.answer("POST", "/StartTest", body=f'{{"sourceServerIDs": ["{SERVER_ID}"]}}'.encode())
    cloud.simulator.finish_jobs()
    cloud.dispatch()
    assert cloud.tokens()["launch"] == "DriftError"
    assert [list(job.participants) for job in cloud.simulator.account.jobs.values()] == [[SERVER_ID], [OTHER_SERVER_ID]]


def test_i3_cancelled_migration_is_not_launched(cloud: Cloud) -> None:
    ask_for_test_launch(cloud)
    record = record_of(cloud)
    rolling_back = record.model_copy(update={"status": MigrationStatus.ROLLING_BACK, "sequence": record.sequence + 1})
    entry = cloud.state.migrations.journal("mig-1")[-1].model_copy(
        update={"sequence": record.sequence + 1, "to_status": MigrationStatus.ROLLING_BACK}
    )
    cloud.state.migrations.append(rolling_back, entry)
    cloud.dispatch()
    assert len(cloud.simulator.account.jobs) == 0


def test_account_nobody_may_enter_does_not_keep_the_others_waiting(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    cloud.simulator.finish_jobs()
    cloud.state.waits.park(a_wait(migration_id="mig-2", scope=TARGET_SCOPE, job_id=JOB_ID))
    wakes = [a_wake("of-the-target", scope=TARGET_SCOPE), a_wake("of-home")]
    answer = cloud.invoke(dispatch_launches.handler, {"Records": wakes})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "of-the-target"}]}
    assert cloud.tokens()["launch-test"] is None


def test_burst_of_wakes_is_one_look(cloud: Cloud) -> None:
    bring_to("test-launched", cloud)
    calls = len(list(cloud.simulator.log(kind="call")))
    cloud.invoke(dispatch_launches.handler, {"Records": [a_wake(f"{number}", sent=0) for number in range(10)]})
    assert len(list(cloud.simulator.log(kind="call"))) == calls
