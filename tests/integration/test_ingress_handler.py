"""ingress_handler: queue messages in; records, events and rejections out."""

import json
from io import StringIO
from typing import Any

from runtime.handlers.ingress_handler import handler
from runtime.models.status import MigrationStatus
from tests.integration.cloud import SENDER, Cloud, sqs_event


def failed(answer: dict[str, Any]) -> list[str]:
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def test_good_messages_of_a_batch_are_accepted_and_only_the_bad_ones_returned(cloud: Cloud) -> None:
    # Given a batch of good and bad messages
    missing = {name: value for name, value in cloud.message(migrationId="mig-2").items() if name != "appName"}
    batch = sqs_event(cloud.message(), missing, "not json", cloud.message(migrationId="mig-4"))
    # When it arrives
    answer = cloud.invoke(handler, batch)
    # Then only the bad ones come back, each with its rejection stored
    assert failed(answer) == ["message-2", "message-3"]
    assert {record.migration_id for record in cloud.state.migrations.find()} == {"mig-1", "mig-4"}
    reasons = {rejection.message_id: rejection.reason for rejection in cloud.state.migrations.rejections()}
    assert reasons["message-2"] == "appName: required and missing; add it"
    assert reasons["message-3"].startswith("body is not JSON")
    assert [event["detail-type"] for event in cloud.published()] == ["MigrationRequested"] * 2


def test_i14_who_aws_says_sent_a_message_is_kept_with_its_migration_or_its_rejection(cloud: Cloud) -> None:
    cloud.invoke(handler, sqs_event(cloud.message(), "not json"))
    (entry,) = cloud.state.migrations.journal("mig-1")
    (rejection,) = cloud.state.migrations.rejections()
    assert entry.facts.requester == rejection.sender == SENDER


def test_i1_same_message_ten_times_is_one_migration(cloud: Cloud) -> None:
    for _ in range(2):
        assert failed(cloud.invoke(handler, sqs_event(*[cloud.message()] * 5))) == []
    assert len(cloud.state.migrations.journal("mig-1")) == 1
    assert {event["detail"]["correlationId"] for event in cloud.published()} == {"cor-1"}


def test_same_id_with_another_body_is_returned_and_its_rejection_kept_once(cloud: Cloud) -> None:
    cloud.invoke(handler, sqs_event(cloud.message()))
    for _ in range(3):
        assert failed(cloud.invoke(handler, sqs_event(cloud.message(wave=2)))) == ["message-1"]
    (kept,) = cloud.state.migrations.rejections()
    assert "different: wave" in kept.reason
    assert (kept.migration_id, kept.correlation_id) == ("mig-1", "cor-1")


def test_message_without_a_correlation_id_gets_one_and_keeps_it(cloud: Cloud) -> None:
    message = cloud.message()
    del message["correlationId"]
    for _ in range(2):
        cloud.invoke(handler, sqs_event(message))
    record = cloud.state.migrations.record("mig-1")
    assert record is not None
    assert (len(record.correlation_id), record.status) == (32, MigrationStatus.RECEIVED)
    assert {event["detail"]["correlationId"] for event in cloud.published()} == {record.correlation_id}


def test_batch_in_which_every_message_is_bad_is_answered_not_raised(cloud: Cloud) -> None:
    assert failed(cloud.invoke(handler, sqs_event("", "[]", {"migrationId": "\ud800"}))) == [
        "message-1",
        "message-2",
        "message-3",
    ]
    assert len(list(cloud.state.migrations.rejections())) == 3


def test_i9_every_log_line_carries_the_ids_of_its_own_message(cloud: Cloud, log_lines: StringIO) -> None:
    bad = {"migrationId": "mig-bad", "correlationId": "cor-bad"}
    cloud.invoke(handler, sqs_event(cloud.message(), bad, "not json"))
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    ids = [(line["message"], line["migration_id"], line["correlation_id"]) for line in lines]
    assert ids == [
        ("request accepted", "mig-1", "cor-1"),
        ("record refused", "mig-bad", "cor-bad"),
        ("record refused", "unknown", "unknown"),
    ]


def test_i11_no_tag_of_a_message_is_logged(cloud: Cloud, log_lines: StringIO) -> None:
    good = cloud.message(tags={"owner": "hush-hush"})
    bad = cloud.message(migrationId="mig-2", tags={"owner": "hush-hush" * 50})
    cloud.invoke(handler, sqs_event(good, bad))
    assert "record refused" in log_lines.getvalue()
    assert "hush" not in log_lines.getvalue()


def test_refused_message_is_logged_once_as_a_warning_with_its_reason_and_without_its_body(
    cloud: Cloud, log_lines: StringIO
) -> None:
    cloud.invoke(handler, sqs_event({**cloud.message(), "approval": {"cutover": 1, "hush-hush": "hush-hush"}}))
    (line,) = map(json.loads, log_lines.getvalue().splitlines())
    assert (line["level"], line["record"], line["error"]) == ("WARNING", "message-1", "RequestError")
    assert line["reason"].startswith("approval.cutover: Input should be a valid boolean; sent 1; approval.hush-hush:")
    assert "exception" not in line
    assert "sourceVmId" not in log_lines.getvalue()
