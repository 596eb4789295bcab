"""Tasks of the local engine's state machines: their errors, retries, tokens and limits."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

PASS = {"Type": "Pass", "End": True}
INVOKE = "arn:aws:states:::lambda:invoke"
MISSING_QUEUE = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
    "Parameters": {"QueueName": "nowhere"},
    "End": True,
}


def single(task: dict[str, Any], **machine: Any) -> dict[str, Any]:
    return {"StartAt": "Task", "States": {"Task": {"Type": "Task", "End": True, **task}, "Caught": PASS}, **machine}


def awaiting(url: str, **limits: Any) -> dict[str, Any]:
    """A task that sends its token to a queue and waits for the answer."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
        "End": True,
        **limits,
    }


def tokens(aws: "Aws", queue: Any, count: int = 1) -> list[str]:
    return [json.loads(message["Body"])["token"] for message in aws.receive(queue, count)]


def seconds_of(end: dict[str, Any]) -> float:
    return float((end["stopDate"] - end["startDate"]).total_seconds())


def test_retry_delay_grows_up_to_its_maximum(aws: "Aws") -> None:
    retry = {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 4,
        "BackoffRate": 100,
        "MaxAttempts": 2,
        "MaxDelaySeconds": 5,
    }
    end = aws.run(single({**MISSING_QUEUE, "Retry": [retry]}))
    assert 0.9 <= seconds_of(end) < 20


def test_retry_and_catch_match_an_exception_by_its_class_name(aws: "Aws") -> None:
    function = aws.function("""
class PassingError(Exception): pass
class LastingError(Exception): pass
calls = []
def handler(event, context):
    calls.append(1)
    raise PassingError() if len(calls) < 3 else LastingError(f"after {len(calls)}")
""")
    retry = {"ErrorEquals": ["PassingError"], "IntervalSeconds": 1, "MaxAttempts": 5}
    catch = {"ErrorEquals": ["LastingError"], "Next": "Caught"}
    task = {"Resource": INVOKE, "Parameters": {"FunctionName": function}, "Retry": [retry], "Catch": [catch]}
    end = aws.run(single(task))
    assert json.loads(end["output"]["Cause"])["errorMessage"] == "after 3"


def test_all_errors_do_not_include_the_runtime_error(aws: "Aws") -> None:
    bad_path = {"Resource": INVOKE, "Parameters": {"FunctionName": "x"}, "ResultPath": None}
    unknown = {**bad_path, "Resource": "arn:aws:states:::nonsense:call"}
    end = aws.run(single({**unknown, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}))
    assert (end["status"], end["error"]) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize(
    ("resource", "error"),
    [
        ("arn:aws:states:::dynamodb:putItem", "DynamoDB.ResourceNotFoundException"),
        ("arn:aws:states:::aws-sdk:dynamodb:putItem", "DynamoDb.ResourceNotFoundException"),
    ],
)
def test_errors_of_services_carry_the_integrations_prefix(aws: "Aws", resource: str, error: str) -> None:
    parameters = {"TableName": "nowhere", "Item": {"pk": {"S": "1"}}}
    assert aws.run(single({"Resource": resource, "Parameters": parameters}))["error"] == error


def test_task_ends_with_what_its_token_is_answered_with(aws: "Aws") -> None:
    queue = aws.queue()
    execution = aws.start(aws.machine({"StartAt": "A", "States": {"A": awaiting(queue.url)}}))
    (token,) = tokens(aws, queue)
    aws.client("stepfunctions").send_task_success(taskToken=token, output='{"ok": 1}')
    assert aws.end_of(execution)["output"] == {"ok": 1}


def test_token_is_answered_once(aws: "Aws") -> None:
    queue, states = aws.queue(), aws.client("stepfunctions")
    execution = aws.start(aws.machine({"StartAt": "A", "States": {"A": awaiting(queue.url)}}))
    (token,) = tokens(aws, queue)
    states.send_task_success(taskToken=token, output="{}")
    with pytest.raises(ClientError, match="TaskTimedOut"):
        states.send_task_failure(taskToken=token, error="Late")
    assert aws.end_of(execution)["status"] == "SUCCEEDED"


def test_answer_to_a_task_that_timed_out_is_refused(aws: "Aws") -> None:
    queue = aws.queue()
    end = aws.run({"StartAt": "A", "States": {"A": awaiting(queue.url, TimeoutSeconds=1)}})
    assert end["error"] == "States.Timeout"
    with pytest.raises(ClientError, match="TaskTimedOut"):
        aws.client("stepfunctions").send_task_success(taskToken=tokens(aws, queue)[0], output="{}")


def test_unknown_token_is_invalid(aws: "Aws") -> None:
    with pytest.raises(ClientError, match="InvalidToken"):
        aws.client("stepfunctions").send_task_success(taskToken="nobody's", output="{}")


def test_each_attempt_has_its_own_token(aws: "Aws") -> None:
    queue, states = aws.queue(), aws.client("stepfunctions")
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    execution = aws.start(aws.machine(single({**awaiting(queue.url), "Retry": retry})))
    (first,) = tokens(aws, queue)
    states.send_task_failure(taskToken=first, error="Again")
    (second,) = tokens(aws, queue)
    assert first != second
    states.send_task_success(taskToken=second, output="{}")
    assert aws.end_of(execution)["status"] == "SUCCEEDED"


def test_failing_function_fails_the_task_that_waits_for_its_token(aws: "Aws") -> None:
    function = aws.function("class OwnError(Exception): pass\ndef handler(event, context): raise OwnError()")
    parameters = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}}
    end = aws.run(single({"Resource": f"{INVOKE}.waitForTaskToken", "Parameters": parameters}))
    assert (end["status"], end["error"]) == ("FAILED", "OwnError")


def test_function_that_outlasts_its_task_is_caught_as_a_timeout(aws: "Aws") -> None:
    function = aws.function("import time\ndef handler(event, context): time.sleep(60)")
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}]
    task = {"Resource": INVOKE, "Parameters": {"FunctionName": function}, "TimeoutSeconds": 1, "Catch": catch}
    end = aws.run(single(task))
    assert end["status"] == "SUCCEEDED"
    assert seconds_of(end) < 50


def test_nested_execution_returns_its_output(aws: "Aws") -> None:
    child = aws.machine({"StartAt": "A", "States": {"A": {**PASS, "Result": {"child": 1}}}})
    resource = "arn:aws:states:::states:startExecution.sync:2"
    end = aws.run(single({"Resource": resource, "Parameters": {"StateMachineArn": child, "Input": {}}}))
    assert end["output"]["Output"] == {"child": 1}


def test_mgn_is_called_as_a_service_integration(aws: "Aws") -> None:
    resource = "arn:aws:states:::aws-sdk:mgn:describeSourceServers"
    end = aws.run(single({"Resource": resource, "Parameters": {"Filters": {}}}))
    assert "/DescribeSourceServers" in end["output"]["Items"][0]["Arn"]
