"""A document that this release cannot read is reported and set aside; it stops no look, and stays where it is (I13)."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from runtime.adapters.state import items
from runtime.adapters.state.state import DynamoDbState
from runtime.errors import UnreadableDocumentError
from runtime.handlers.wiring import AwsPorts, Wiring
from runtime.logic.dispatch.looking import look
from runtime.models.decisions import Decision
from runtime.models.dispatch import Dispatch
from runtime.models.status import MigrationStatus
from runtime.observability import metrics
from tests.builders import JOB_ID, SCOPE, a_job, a_record, a_rejection, a_server, a_signal, a_wait, an_entry
from tests.contract.state_table import TABLE_NAME, make_state_table
from tests.fakes import FakeMgn, FakePorts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def client() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        yield make_state_table()


@pytest.fixture
def reported() -> list[UnreadableDocumentError]:
    return []


@pytest.fixture
def state(client: "DynamoDBClient", reported: list[UnreadableDocumentError]) -> DynamoDbState:
    return DynamoDbState(client, TABLE_NAME, reported.append)


def spoil(client: "DynamoDBClient", item: Any, **changes: object) -> None:
    """Store the item as a release wrote it that knows kinds and members we do not."""
    document = {**json.loads(item["document"]["S"]), **changes}
    client.put_item(TableName=TABLE_NAME, Item={**item, "document": {"S": json.dumps(document)}})


def test_unreadable_wait_record_and_decision_do_not_stop_the_look_of_an_account(
    state: DynamoDbState, client: "DynamoDBClient", reported: list[UnreadableDocumentError]
) -> None:
    ports: Any = FakePorts(FakeMgn(a_server()))
    ports.migrations, ports.waits, ports.dispatches, ports.decisions = (
        state.migrations,
        state.waits,
        state.dispatches,
        state.decisions,
    )
    ports.mgn.started.append(a_job(launch_status="LAUNCHED"))
    state.waits.park(a_wait(job_id=JOB_ID, token="good"))
    spoil(client, items.wait_item(a_wait("moonshot", "mig-2")), kind="moonshot", token="secret-token")
    spoil(client, items.wait_item(a_wait("boot-test", "mig-3", kind="boot")), deadline="whenever")
    report = look(ports)
    assert (report.resumed, list(ports.resumer.resumed)) == (1, ["good"])
    assert [str(error).partition(" cannot")[0] for error in reported] == [
        f"SCOPE#{SCOPE} WAIT#mig-2#moonshot",
        f"SCOPE#{SCOPE} WAIT#mig-3#boot-test",
    ]
    assert "secret-token" not in str(reported)


def test_lists_leave_out_what_they_cannot_read_and_keep_it(
    state: DynamoDbState, client: "DynamoDBClient", reported: list[UnreadableDocumentError]
) -> None:
    for name in ("mig-1", "mig-2"):
        state.migrations.append(a_record(name), an_entry(a_record(name)))
    spoil(client, items.record_item(a_record("mig-2")), status="LEVITATING")
    state.decisions.keep(a_signal(Decision.CANCEL))
    spoil(client, items.signal_item(a_signal()), decision="ponder")
    state.migrations.reject(a_rejection())
    spoil(client, items.rejection_item(a_rejection("message-2")), at="whenever")
    before = client.scan(TableName=TABLE_NAME)["Items"]
    assert list(state.migrations.records_of(["mig-1", "mig-2"])) == ["mig-1"]
    assert [record.migration_id for record in state.migrations.find(status=MigrationStatus.RECEIVED)] == ["mig-1"]
    assert [signal.decision for signal in state.decisions.of("mig-1")] == [Decision.CANCEL]
    assert [rejection.message_id for rejection in state.migrations.rejections()] == ["message-1"]
    assert len(reported) == 4
    assert client.scan(TableName=TABLE_NAME)["Items"] == before


def test_asked_for_by_name_it_is_an_error_and_never_absent(state: DynamoDbState, client: "DynamoDBClient") -> None:
    spoil(client, items.record_item(a_record()), status="LEVITATING")
    with pytest.raises(
        UnreadableDocumentError, match=r"MIGRATION#mig-1 RECORD cannot be read by this release \(status"
    ):
        state.migrations.record("mig-1")


def test_i3_unreadable_state_of_a_dispatcher_stops_its_launches(state: DynamoDbState, client: "DynamoDBClient") -> None:
    spoil(client, items.dispatch_item(Dispatch(scope=SCOPE, version=1)), inFlight="two batches")
    with pytest.raises(UnreadableDocumentError):
        state.dispatches.state(SCOPE)


def test_functions_tell_log_and_metrics(
    client: "DynamoDBClient", caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "add_metric", lambda **metric: counted.append(metric["name"]))
    spoil(client, items.wait_item(a_wait()), kind="moonshot")
    ports = AwsPorts(Wiring(state_table=TABLE_NAME), SCOPE)
    assert list(ports.waits.open(SCOPE)) == []
    assert counted == ["UnreadableDocuments"]
    (line,) = caplog.records
    assert "WAIT#mig-1#launch-test cannot be read by this release" in vars(line)["reason"]
