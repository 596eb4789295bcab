"""How executions of the local engine begin and end."""

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

SLEEP = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 20, "End": True}}}


def test_start_repeated_with_the_same_input_is_the_same_execution(aws: "Aws") -> None:
    machine, states = aws.machine(SLEEP), aws.client("stepfunctions")
    arns = {states.start_execution(stateMachineArn=machine, name="n", input="{}")["executionArn"] for _ in range(2)}
    assert len(arns) == 1
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=machine, name="n", input='{"other": 1}')


def test_execution_begins_at_once(aws: "Aws") -> None:
    machine = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    ends = [aws.run(machine) for _ in range(5)]
    assert min((end["stopDate"] - end["startDate"]).total_seconds() for end in ends) < 0.1


def test_name_of_an_ended_execution_is_taken(aws: "Aws") -> None:
    machine = aws.machine({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    states = aws.client("stepfunctions")
    aws.end_of(states.start_execution(stateMachineArn=machine, name="n", input="{}")["executionArn"])
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=machine, name="n", input="{}")


def test_execution_that_outlasts_its_machine_times_out(aws: "Aws") -> None:
    assert aws.run({**SLEEP, "TimeoutSeconds": 1})["status"] == "TIMED_OUT"


def test_stopped_execution_stays_aborted_when_its_task_ends(aws: "Aws") -> None:
    queue, states = aws.queue(), aws.client("stepfunctions")
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue.url, "MessageBody": {"token.$": "$$.Task.Token"}},
        "TimeoutSeconds": 1,
        "End": True,
    }
    execution = aws.start(aws.machine({"StartAt": "A", "States": {"A": task}}))
    assert aws.receive(queue)
    states.stop_execution(executionArn=execution, error="Enough")
    assert not aws.receive(queue, seconds=1.5)
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_status_changes_are_events_of_the_default_bus(aws: "Aws") -> None:
    events, queue = aws.client("events"), aws.queue()
    machine = aws.machine({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    pattern = f'{{"source": ["aws.states"], "detail": {{"stateMachineArn": ["{machine}"], "status": ["SUCCEEDED"]}}}}'
    events.put_rule(Name="ended", EventPattern=pattern)
    events.put_targets(Rule="ended", Targets=[{"Id": "1", "Arn": queue.arn}])
    aws.start(machine)
    assert len(aws.receive(queue)) == 1
