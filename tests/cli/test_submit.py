"""`migrate submit`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from cli.commands.handing_in import DOOR_LOOKS
from cli.sending import PER_CALL, batches
from runtime.logic.ingress import parse_request
from runtime.models.record import MigrationRecord
from tests.builders import a_rejection, a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stacks, Stage, a_message, run

Meanwhile = list[Callable[[], object]]


@pytest.fixture
def request_file(folder: Path) -> str:
    """Three requests as JSON Lines."""
    (folder / "wave.jsonl").write_text("\n".join(json.dumps(a_message(f"mig-{n}")) for n in (1, 2, 3)))
    return "wave.jsonl"


def test_requests_arrive_on_the_queue_as_they_are(stage: Stage, request_file: str) -> None:
    ran = run("submit", request_file, "--no-wait")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "3 requests sent to dev by sqs")
    assert sorted(json.loads(body)["migrationId"] for body in stage.bodies()) == ["mig-1", "mig-2", "mig-3"]


def test_requests_arrive_on_the_bus_as_events_of_the_cli(stage: Stage, request_file: str) -> None:
    assert run("submit", request_file, "--via", "eventbridge", "--no-wait").code == 0
    events = stage.events()
    assert {(event["source"], event["detail-type"]) for event in events} == {("migration.cli", "MigrationRequest")}
    assert {parse_request(json.dumps(event["detail"])).migration_id for event in events} == {"mig-1", "mig-2", "mig-3"}


def test_standard_input_is_read(stage: Stage) -> None:
    assert run("submit", "-", "--no-wait", stdin=json.dumps(a_message())).code == 0
    assert len(stage.bodies()) == 1


def test_json_names_each_message(stage: Stage, request_file: str) -> None:
    rows = run("submit", request_file, "--no-wait", "--json").json
    assert [(row["line"], row["migrationId"]) for row in rows] == [(1, "mig-1"), (2, "mig-2"), (3, "mig-3")]
    assert all(row["messageId"] for row in rows)


def test_a_dry_run_sends_nothing_and_needs_no_deployment(request_file: str) -> None:
    ran = run("submit", request_file, "--dry-run")
    assert (ran.code, ran.err) == (0, "3 requests valid, nothing sent\n")
    assert (ran.code, ran.out.splitlines(keepends=True)[0]) == (0, "mig-1\tbilling-web-01\tbilling\t1\n")


def test_one_bad_request_keeps_all_from_being_sent(stage: Stage) -> None:
    text = "\n".join([json.dumps(a_message("mig-1")), json.dumps(a_message("mig-2", bogus=1))])
    assert run("submit", "-", stdin=text).code == 3
    assert stage.bodies() == []


def test_raw_sends_what_is_no_request(stage: Stage) -> None:
    assert run("submit", "-", "--raw", "--no-wait", stdin='{"migrationId": "x"}\nnot json\n').code == 0
    assert set(stage.bodies()) == {'{"migrationId": "x"}', "not json"}


def test_a_hundred_requests_arrive_once_each(stage: Stage) -> None:
    text = "\n".join(json.dumps(a_message(f"mig-{n}")) for n in range(100))
    assert run("submit", "-", "--no-wait", stdin=text).out.startswith("100 requests sent to dev by sqs\n")
    assert len({json.loads(body)["migrationId"] for body in stage.bodies()}) == 100


def test_what_the_queue_refuses_for_a_moment_goes_again(stage: Stage, stacks: Stacks, request_file: str) -> None:
    stacks.answers["SendMessageBatch"] = [_refusal("1", sender_fault=False)]
    assert all(row["messageId"] for row in run("submit", request_file, "--no-wait", "--json").json)
    assert sorted(json.loads(body)["migrationId"] for body in stage.bodies()).count("mig-2") == 2


def test_what_the_queue_refuses_for_good_is_named(stage: Stage, stacks: Stacks, request_file: str) -> None:
    stacks.answers["SendMessageBatch"] = [_refusal("1", sender_fault=True)]
    ran = run("submit", request_file)
    assert ran.code == 4
    assert "1 of 3 messages were refused" in ran.err
    assert "wave.jsonl:2: Broken: no good" in ran.err


def test_what_the_bus_refuses_is_named(stage: Stage, stacks: Stacks) -> None:
    refused = {"ErrorCode": "MalformedDetail", "ErrorMessage": "bad"}
    stacks.answers["PutEvents"] = [lambda answer: {"Entries": [refused]}]
    ran = run("submit", "-", "--via", "eventbridge", stdin=json.dumps(a_message()))
    assert ran.code == 4
    assert "stdin:1: MalformedDetail: bad" in ran.err


def test_what_became_of_each_request_is_told(stage: Stage, meanwhile: Meanwhile, request_file: str) -> None:
    stage.accept("mig-3", request=parse_request(json.dumps(a_message("mig-3", wave=9))))

    def door() -> None:
        for message in stage.receive():
            request = parse_request(message["Body"])
            if request.migration_id == "mig-3":
                stage.state.migrations.reject(
                    a_rejection(message["MessageId"], migration_id="mig-3", reason="accepted before with another body")
                )
            else:
                stage.accept(request.migration_id, request=request)

    meanwhile += [lambda: None, door]
    ran = run("submit", request_file)
    assert ran.code == 1
    assert ran.out == "3 requests sent to dev by sqs\n2 accepted\n"
    assert ran.err == "error: 1 rejected\n  mig-3: accepted before with another body\n"


def test_what_became_of_each_request_is_in_the_document(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: accepted(stage)]
    [row] = run("submit", "-", "--json", stdin=json.dumps(a_message())).json
    assert (row["file"], row["line"], row["migrationId"], row["became"]) == ("stdin", 1, "mig-1", "accepted")


def test_a_request_that_nobody_takes_is_left_on_its_way(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: None] * DOOR_LOOKS
    ran = run("submit", "-", stdin=json.dumps(a_message()))
    assert ran.code == 0
    assert "1 SENT, neither accepted nor rejected yet" in ran.out


def test_a_sender_who_may_not_look_is_told_so(stage: Stage, stacks: Stacks) -> None:
    def deny(answer: object) -> object:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "BatchGetItem")

    stacks.answers["BatchGetItem"] = [deny]
    ran = run("submit", "-", stdin=json.dumps(a_message()))
    assert ran.code == 0
    assert "you may send requests, but not see what becomes of them" in ran.err


def test_wait_follows_to_the_end_and_succeeds(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: None, lambda: stage.move(accepted(stage), *TO_COMPLETED)]
    ran = run("submit", "-", "--wait", stdin=json.dumps(a_message()))
    assert ran.code == 0
    assert "mig-1\tFINALIZING -> COMPLETED" in ran.out
    assert ran.err == "1 migration · 1 COMPLETED\n"


def test_wait_fails_when_a_migration_ends_otherwise(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: stage.move(accepted(stage), S.VALIDATING, S.REJECTED, reason="no such server")]
    ran = run("submit", "-", "--wait", stdin=json.dumps(a_message()))
    assert ran.code == 1
    assert "VALIDATING -> REJECTED\tno such server" in ran.out


def test_wait_ends_when_the_message_is_rejected_at_the_door(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: reject(stage, reason="body is not JSON")]
    ran = run("submit", "-", "--raw", "--wait", stdin="not json")
    assert ran.code == 1
    assert "\trejected\tbody is not JSON" in ran.out


def test_wait_does_not_take_another_migration_with_its_id_for_its_own(stage: Stage, meanwhile: Meanwhile) -> None:
    stage.move(stage.accept("mig-1", request=a_request(wave="7")), *TO_COMPLETED)
    meanwhile += [lambda: reject(stage, migration_id="mig-1", reason="accepted before")]
    ran = run("submit", "-", "--wait", stdin=json.dumps(a_message(wave=8)))
    assert ran.code == 1
    assert "mig-1\trejected\taccepted before" in ran.out


def test_wait_by_the_bus_goes_by_the_migration_id(stage: Stage) -> None:
    stage.state.migrations.reject(a_rejection("old", migration_id="mig-1", at=datetime.now(UTC) - timedelta(days=1)))
    stage.state.migrations.reject(a_rejection("new", migration_id="mig-1", at=datetime.now(UTC), reason="too late"))
    ran = run("submit", "-", "--wait", "--via", "eventbridge", stdin=json.dumps(a_message()))
    assert ran.code == 1
    assert ran.out.count("\trejected\t") == 1
    assert "too late" in ran.out


def test_wait_as_json_is_json_lines(stage: Stage, meanwhile: Meanwhile) -> None:
    meanwhile += [lambda: stage.move(accepted(stage), S.FROZEN)]
    ran = run("submit", "-", "--wait", "--json", stdin=json.dumps(a_message()))
    assert [json.loads(line)["toStatus"] for line in ran.out.splitlines()] == ["RECEIVED", "FROZEN"]


def test_unvalidated_events_cannot_be_waited_for(stage: Stage) -> None:
    ran = run("submit", "-", "--raw", "--wait", "--via", "eventbridge", stdin="{}")
    assert ran.code == 2
    assert "--via sqs" in ran.err


@given(st.lists(st.integers(0, 120), max_size=60))
def test_batches_keep_to_both_limits_and_lose_nothing(sizes: list[int]) -> None:
    found = list(batches(sizes, 100))
    assert [index for batch in found for index in batch] == list(range(len(sizes)))
    for batch in found:
        assert 1 <= len(batch) <= PER_CALL
        assert len(batch) == 1 or sum(sizes[index] for index in batch) <= 100


def _refusal(id_: str, *, sender_fault: bool) -> Callable[[Any], Any]:
    failed = {"Id": id_, "Code": "Broken", "Message": "no good", "SenderFault": sender_fault}
    return lambda answer: {
        "Successful": [one for one in answer["Successful"] if one["Id"] != id_],
        "Failed": [failed],
    }


def accepted(stage: Stage) -> MigrationRecord:
    """The message on the queue becomes a migration."""
    [message] = stage.receive()
    request = parse_request(message["Body"])
    return stage.accept(request.migration_id, request=request)


def reject(stage: Stage, **changes: Any) -> None:
    """The message on the queue becomes a rejection."""
    [message] = stage.receive()
    stage.state.migrations.reject(a_rejection(message["MessageId"], **changes))
