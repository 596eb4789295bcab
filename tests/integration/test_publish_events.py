"""publish_events: the table's stream becomes events on the bus."""

import json
from io import StringIO

from runtime.handlers import rollback_handler
from runtime.handlers.publish_events import handler
from tests.integration.cloud import Cloud
from tests.integration.journey import bring_to, submitted, validated


def test_each_change_of_status_becomes_an_event_in_order(cloud: Cloud) -> None:
    bring_to("replicated", cloud)
    cloud.published()
    assert cloud.invoke(handler, {"Records": cloud.stream()}) == {"batchItemFailures": []}
    events = cloud.published()
    changes = [event["detail"]["toStatus"] for event in sorted(events, key=lambda e: e["detail"]["sequence"])]
    assert changes == ["RECEIVED", "VALIDATING", "PREPARING"]
    assert {event["detail-type"] for event in events} == {"MigrationStatusChanged"}
    assert {event["detail"]["correlationId"] for event in events} == {"cor-1"}


def test_notes_without_a_change_of_status_become_no_events(cloud: Cloud) -> None:
    validated(cloud)
    cloud.published()
    notes = [change for change in cloud.stream() if "resolved to" in change["dynamodb"]["NewImage"]["document"]["S"]]
    assert len(notes) == 1
    cloud.invoke(handler, {"Records": notes})
    assert cloud.published() == []


def test_i7_end_of_a_migration_is_one_terminal_event(cloud: Cloud) -> None:
    bring_to("replicated", cloud)
    cloud.step(rollback_handler.handler, failure={"Error": "X", "Cause": "y"}, taskToken="undo")
    cloud.published()
    cloud.invoke(handler, {"Records": cloud.stream()[-1:]})
    assert sorted(event["detail-type"] for event in cloud.published()) == ["MigrationFailed", "MigrationStatusChanged"]


def test_broken_record_is_handed_back_and_the_others_published(cloud: Cloud) -> None:
    submitted(cloud)
    cloud.published()
    broken = {"eventID": "b", "dynamodb": {"SequenceNumber": "99", "NewImage": {"document": {"S": "{}"}}}}
    answer = cloud.invoke(handler, {"Records": [broken, *cloud.stream()]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "99"}]}
    assert len(cloud.published()) == 1


def test_broken_record_leaves_one_warning_that_quotes_nothing_of_it(cloud: Cloud, log_lines: StringIO) -> None:
    image = {"document": {"S": '{"migrationId": "mig-1", "actor": ["hush-hush"]}'}}
    broken = {"eventID": "event-9", "dynamodb": {"SequenceNumber": "99", "NewImage": image}}
    cloud.invoke(handler, {"Records": [broken]})
    (line,) = map(json.loads, log_lines.getvalue().splitlines())
    assert (line["level"], line["record"], line["error"]) == ("WARNING", "event-9", "ValidationError")
    assert "actor: string_type" in line["reason"]
    assert "hush" not in log_lines.getvalue()


def test_change_of_a_migration_that_is_not_in_the_table_any_more_is_passed_over(cloud: Cloud) -> None:
    submitted(cloud)
    cloud.published()
    stream = json.loads(json.dumps(cloud.stream()).replace("mig-1", "mig-gone"))
    assert cloud.invoke(handler, {"Records": stream}) == {"batchItemFailures": []}
    assert cloud.published() == []


def test_i9_log_lines_carry_the_ids_of_their_entry(cloud: Cloud, log_lines: StringIO) -> None:
    submitted(cloud)
    log_lines.truncate(0)
    cloud.invoke(handler, {"Records": cloud.stream()})
    (line,) = [json.loads(text) for text in log_lines.getvalue().strip("\x00").splitlines()]
    assert (line["message"], line["migration_id"], line["correlation_id"]) == ("status changed", "mig-1", "cor-1")
