"""State machines on moto's interpreter, the second opinion."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import engine
from localcloud.settings import CloudSettings
from tests.engine.conftest import Aws as Account
from tests.engine.test_states_versions import Deployed

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

PASS = {"Type": "Pass", "End": True}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory, mgn_urls: dict[str, str]) -> Iterator["Aws"]:
    """An engine with IAM enforced on which moto runs the state machines and waits last a tenth."""
    settings = CloudSettings(folder=tmp_path_factory.mktemp("moto"), state_machines="moto", wait_scale=0.1, auth=True)
    with engine(settings, mgn_urls=mgn_urls) as endpoint:
        yield Account(endpoint, settings.folder)


def single(task: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "Task", "States": {"Task": {"Type": "Task", "End": True, **task}, "Caught": PASS}}


def test_expressions_and_variables(moto: "Aws") -> None:
    keep = {
        "Type": "Pass",
        "Assign": {"text": "{% $states.input.text %}", "hash": "{% $hash('a', 'MD5') %}"},
        "Next": "Use",
    }
    use = {
        "Type": "Pass",
        "Output": {"text": "{% $text %}", "hash": "{% $hash %}", "parts": "{% $partition([1, 2], 1) %}"},
        "End": True,
    }
    machine = {"QueryLanguage": "JSONata", "StartAt": "Keep", "States": {"Keep": keep, "Use": use}}
    text = 'a "quoted"\nline'
    expected = {"text": text, "hash": "0cc175b9c0f1b6a831c399e269772661", "parts": [[1], [2]]}
    assert moto.run(machine, {"text": text})["output"] == expected


def test_jsonpath_variables(moto: "Aws") -> None:
    assign = {"Type": "Pass", "Assign": {"kept.$": "$.value"}, "Next": "Use"}
    use = {"Type": "Pass", "Parameters": {"value.$": "$kept"}, "End": True}
    end = moto.run({"StartAt": "Assign", "States": {"Assign": assign, "Use": use}}, {"value": 5})
    assert end["output"] == {"value": 5}


def test_retry_by_the_name_of_an_exception_is_scaled(moto: "Aws") -> None:
    function = moto.function("""
class PassingError(Exception): pass
calls = []
def handler(event, context):
    calls.append(1)
    if len(calls) < 3: raise PassingError()
    return len(calls)
""")
    retry = {"ErrorEquals": ["PassingError"], "IntervalSeconds": 5, "BackoffRate": 1, "MaxAttempts": 5}
    end = moto.run(single({"Resource": function, "Retry": [retry]}))
    assert end["output"] == 3
    assert (end["stopDate"] - end["startDate"]).total_seconds() < 4


def test_answer_from_inside_the_called_function_counts(moto: "Aws") -> None:
    function = moto.function("""
import boto3
def handler(event, context):
    boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='{"early": true}')
""")
    parameters = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}}
    task = {
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": parameters,
        "HeartbeatSeconds": 2,
    }
    assert moto.run(single(task))["output"] == {"early": True}


def test_token_is_answered_once(moto: "Aws") -> None:
    function = moto.function("""
import boto3
def handler(event, context):
    states = boto3.client("stepfunctions")
    states.send_task_success(taskToken=event["token"], output='1')
    try:
        states.send_task_success(taskToken=event["token"], output='2')
    except states.exceptions.TaskTimedOut as refusal:
        print(refusal)
    else:
        raise AssertionError("both were taken")
""")
    parameters = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}}
    task = {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": parameters}
    assert moto.run(single(task))["output"] == 1


def test_missed_heartbeat_is_a_timeout(moto: "Aws") -> None:
    parameters = {"QueueUrl": moto.queue().url, "MessageBody": {"token.$": "$$.Task.Token"}}
    task = {
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": parameters,
        "HeartbeatSeconds": 1,
        "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}],
    }
    assert "Timeout" in moto.run(single(task))["output"]["Error"]


def test_mgn_is_called_as_a_service_integration(moto: "Aws") -> None:
    resource = "arn:aws:states:::aws-sdk:mgn:describeSourceServers"
    end = moto.run(single({"Resource": resource, "Parameters": {"Filters": {}}}))
    assert "/DescribeSourceServers" in end["output"]["Items"][0]["Arn"]


def test_task_does_only_what_the_machines_role_may(moto: "Aws") -> None:
    queue = moto.queue()
    task = {"Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": queue.url, "MessageBody": "x"}}
    other = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}]}
    assert moto.run(single(task), role=moto.role(other))["status"] == "FAILED"
    assert moto.run(single(task))["status"] == "SUCCEEDED"


def test_rule_starts_an_execution_and_hears_of_its_end(moto: "Aws") -> None:
    events, queue = moto.client("events"), moto.queue()
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    moto.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})
    properties = {"DefinitionString": json.dumps(single(PASS)), "RoleArn": moto.everything_role()}
    machine = moto.stack(
        {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}, {"Arn": {"Ref": "Machine"}}
    )["Arn"]
    # By name: executions of other tests end on this bus, too.
    ended = {"source": ["aws.states"], "detail": {"status": ["SUCCEEDED"], "stateMachineArn": [machine]}}
    for name, pattern, target in (
        ("start", {"source": ["shop"]}, {"Arn": machine, "RoleArn": moto.everything_role()}),
        ("end", ended, {"Arn": queue.arn}),
    ):
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])
    events.put_events(Entries=[{"Source": "shop", "DetailType": "Sold", "Detail": "{}"}])
    (message,) = moto.receive(queue)
    assert json.loads(message["Body"])["detail"]["stateMachineArn"] == machine
    assert not moto.receive(queue, seconds=0.5)


def test_alias_of_a_template_stands_for_the_newest_definition(moto: "Aws") -> None:
    deployed = Deployed(moto)
    first, second = deployed.deploy("old"), deployed.deploy("new")
    assert first["Alias"] == second["Alias"]
    assert moto.end_of(moto.start(second["Alias"]))["output"]["answer"] == "new"
