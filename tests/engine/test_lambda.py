"""Functions of the local engine and what triggers them."""

import json
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.engine.conftest import Aws, Queue

RELAY = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""

LOOP = """
import boto3
def handler(event, context):
    for record in event["Records"]:
        url, seen, number = record["body"].split()
        sqs = boto3.client("sqs")
        sqs.send_message(QueueUrl=seen, MessageBody=number)
        if int(number) < 20:
            sqs.send_message(QueueUrl=url, MessageBody=f"{url} {seen} {int(number) + 1}")
"""


def relay_to(aws: "Aws", url: str, **settings: Any) -> str:
    return aws.function(RELAY, Environment={"Variables": {"QUEUE": url}}, **settings)


def test_function_answers_with_its_result(aws: "Aws") -> None:
    function = aws.function("def handler(event, context): return [event, context.aws_request_id]")
    payload = aws.invoke(function, {"a": 1})["payload"]
    assert payload[0] == {"a": 1}
    assert payload[1]


def test_exception_is_reported_by_class_name_with_its_trace(aws: "Aws") -> None:
    function = aws.function("class OwnError(Exception): pass\ndef handler(event, context): raise OwnError('boom')")
    answer = aws.invoke(function)
    assert answer["error"] == "Unhandled"
    assert answer["payload"]["errorType"] == "OwnError"
    assert answer["payload"]["errorMessage"] == "boom"
    assert "in handler" in answer["payload"]["stackTrace"][-1]


def test_environment_survives_an_exception(aws: "Aws") -> None:
    function = aws.function(
        "calls = []\ndef handler(event, context):\n    calls.append(1)\n    assert False, len(calls)"
    )
    messages = [aws.invoke(function)["payload"]["errorMessage"] for _ in range(2)]
    assert messages == ["1", "2"]


def test_death_of_the_process_is_an_exit_error_and_the_next_one_is_new(aws: "Aws") -> None:
    function = aws.function("import os\ndef handler(event, context): return event or os._exit(1)")
    answer = aws.invoke(function)
    assert (answer["error"], answer["payload"]["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert aws.invoke(function, 1)["payload"] == 1


def test_log_lines_stay_with_their_invocation(aws: "Aws") -> None:
    function = aws.function("def handler(event, context): print('line', event)")
    for number in range(3):
        aws.invoke(function, number)
    events = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function.split(':')[-1]}")["events"]
    streams = {event["logStreamName"] for event in events}
    lines = [[e["message"] for e in events if e["logStreamName"] == stream] for stream in streams]
    assert sorted(line for stream in lines for line in stream if line.startswith("line")) == [
        "line 0",
        "line 1",
        "line 2",
    ]
    assert all(sum(line.startswith("line") for line in stream) == 1 for stream in lines)


def test_packages_of_the_engine_are_not_visible_to_handlers(aws: "Aws") -> None:
    source = """
import importlib.util
def handler(event, context): return {name: importlib.util.find_spec(name) is not None for name in event}
"""
    found = aws.invoke(aws.function(source), ["boto3", "botocore", "ministack", "cryptography", "yaml"])["payload"]
    assert found == {"boto3": True, "botocore": True, "ministack": False, "cryptography": False, "yaml": False}


def test_invocations_beyond_the_worker_bound_queue(aws: "Aws") -> None:
    function = aws.function(
        "import os, time\ndef handler(event, context):\n    time.sleep(0.2)\n    return os.getpid()"
    )
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: results.append(aws.invoke(function))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert not any(result["error"] for result in results)
    assert len({result["payload"] for result in results}) <= 8


def test_failed_batch_items_alone_return_to_the_queue(aws: "Aws") -> None:
    dead = aws.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    queue = aws.queue(VisibilityTimeout="2", RedrivePolicy=redrive)
    function = aws.function("""
def handler(event, context):
    bad = [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "bad"]
    return {"batchItemFailures": bad}
""")
    # A cold start could outlast the short visibility timeout.
    aws.invoke(function, {"Records": []})
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=queue.arn, FunctionName=function, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    for body in ("good", "bad", "fine"):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=body)
    assert [message["Body"] for message in aws.receive(dead)] == ["bad"]
    assert not aws.receive(queue, seconds=0.2)


def test_event_source_filter_drops_other_messages(aws: "Aws") -> None:
    queue, seen = aws.queue(), aws.queue()
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=queue.arn,
        FunctionName=relay_to(aws, seen.url),
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"wanted": [True]}})}]},
    )
    for wanted in (False, True):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=json.dumps({"wanted": wanted}))
    (message,) = aws.receive(seen)
    assert [json.loads(r["body"]) for r in json.loads(message["Body"])["Records"]] == [{"wanted": True}]


def test_table_stream_reaches_its_function(aws: "Aws") -> None:
    seen = aws.queue()
    table = aws.client("dynamodb").create_table(
        TableName="streamed",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"],
        FunctionName=relay_to(aws, seen.url),
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["MODIFY"]})}]},
    )
    for value in ("1", "2"):
        aws.client("dynamodb").put_item(TableName="streamed", Item={"pk": {"S": "x"}, "n": {"N": value}})
    (message,) = aws.receive(seen)
    assert [r["eventName"] for r in json.loads(message["Body"])["Records"]] == ["MODIFY"]


def test_every_python_runtime_is_the_engines_own_interpreter(aws: "Aws") -> None:
    source = "import sys\ndef handler(event, context): return sys.version"
    versions = {aws.invoke(aws.function(source, Runtime=name))["payload"] for name in ("python3.11", "python3.13")}
    assert len(versions) == 1


def test_functions_with_the_same_code_share_one_copy_of_it(aws: "Aws") -> None:
    source = "import os\ndef handler(event, context): return os.path.realpath(__file__)"
    files = {aws.invoke(aws.function(source))["payload"] for _ in range(2)}
    assert len(files) == 1


def test_handler_that_runs_too_long_is_stopped(aws: "Aws") -> None:
    function = aws.function("import time\ndef handler(event, context): time.sleep(60)", Timeout=1)
    begun = time.monotonic()
    assert "Task timed out after 1.00 seconds" in aws.invoke(function)["payload"]["errorMessage"]
    assert time.monotonic() - begun < 50


def run_loop(aws: "Aws", function: str, **attributes: str) -> "Queue":
    """Have a function wake itself through a queue, up to 20 times; the queue that hears of each invocation."""
    queue, seen = aws.queue(**attributes), aws.queue()
    aws.client("lambda").create_event_source_mapping(EventSourceArn=queue.arn, FunctionName=function, BatchSize=1)
    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=f"{queue.url} {seen.url} 1")
    return seen


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    return sorted(int(message["Body"].split()[-1]) for message in messages)


def test_function_that_wakes_itself_through_a_queue_is_stopped_after_sixteen_invocations(aws: "Aws") -> None:
    dead, function = aws.queue(), aws.function(LOOP)
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 3})
    seen = run_loop(aws, function, RedrivePolicy=redrive)
    assert numbers(aws.receive(dead)) == [17]
    assert numbers(aws.receive(seen, 16)) == list(range(1, 17))
    dropped = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="RecursiveInvocationsDropped",
        Dimensions=[{"Name": "FunctionName", "Value": function.split(":")[-1]}],
        StartTime=time.time() - 3_600,
        EndTime=time.time() + 60,
        Period=3_600,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in dropped["Datapoints"]) == 1


def test_function_whose_template_allows_the_loop_goes_on(aws: "Aws") -> None:
    code = {"Code": {"ZipFile": LOOP}, "Handler": "index.handler", "Runtime": "python3.13", "Timeout": 20}
    properties = {**code, "Role": aws.everything_role(), "RecursiveLoop": "Allow"}
    stack = aws.stack({"Loop": {"Type": "AWS::Lambda::Function", "Properties": properties}}, {"Name": {"Ref": "Loop"}})
    assert numbers(aws.receive(run_loop(aws, stack["Name"]), 20)) == list(range(1, 21))


def test_each_message_starts_a_chain_of_its_own(aws: "Aws") -> None:
    queue, seen = aws.queue(), aws.queue()
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=queue.arn, FunctionName=aws.function(LOOP), BatchSize=1
    )
    for _ in range(20):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=f"{queue.url} {seen.url} 20")
    assert numbers(aws.receive(seen, 20)) == [20] * 20
