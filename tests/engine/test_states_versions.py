"""Versions and aliases of state machines on the local engine, made by templates."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import unique, until

if TYPE_CHECKING:
    from tests.engine.conftest import Aws


class Deployed:
    """A stack of one machine with a version and an alias."""

    def __init__(self, aws: "Aws") -> None:
        self.aws = aws
        self.name = unique("versions")
        self._formation = aws.client("cloudformation")

    def deploy(self, answer: str, **more: Any) -> dict[str, str]:
        """The outputs once the machine answers so."""
        body = json.dumps(_template(answer, self.aws.everything_role(), more))
        if not self._exists():
            self._formation.create_stack(StackName=self.name, TemplateBody=body)
        else:
            self._formation.update_stack(StackName=self.name, TemplateBody=body)
        until(lambda: self._stack()["StackStatus"].endswith("_COMPLETE"))
        stack = self._stack()
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), stack
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def _exists(self) -> bool:
        return self.name in {each["StackName"] for each in self._formation.list_stacks()["StackSummaries"]}

    def _stack(self) -> dict[str, Any]:
        found: dict[str, Any] = self._formation.describe_stacks(StackName=self.name)["Stacks"][0]
        return found


def _template(answer: str, role: str, more: dict[str, Any]) -> dict[str, Any]:
    wait = {"Type": "Wait", "Seconds": 3, "Next": "Answer"}
    states = {"Wait": wait, "Answer": {"Type": "Pass", "Result": {"answer": answer}, "End": True}}
    machine = {"DefinitionString": json.dumps({"StartAt": "Wait", "States": states}), "RoleArn": role}
    revision = {"Fn::GetAtt": ["Machine", "StateMachineRevisionId"]}
    resources = {
        "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine},
        "Version": {
            "Type": "AWS::StepFunctions::StateMachineVersion",
            "Properties": {"StateMachineArn": {"Ref": "Machine"}, "StateMachineRevisionId": revision},
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
        },
        "Alias": {
            "Type": "AWS::StepFunctions::StateMachineAlias",
            "Properties": {
                "Name": "live",
                "RoutingConfiguration": [{"StateMachineVersionArn": {"Ref": "Version"}, "Weight": 100}],
            },
        },
    }
    outputs = {name: {"Value": {"Ref": name}} for name in resources}
    return {"Resources": resources | more, "Outputs": outputs}


@pytest.fixture
def deployed(aws: "Aws") -> Deployed:
    return Deployed(aws)


def test_changed_definition_is_a_new_version_to_which_the_alias_moves(aws: "Aws", deployed: Deployed) -> None:
    first, second = deployed.deploy("old"), deployed.deploy("new")
    assert first["Alias"] == second["Alias"]
    assert (first["Version"], second["Version"]) == (f"{first['Machine']}:1", f"{first['Machine']}:2")
    assert aws.end_of(aws.start(second["Alias"]))["output"]["answer"] == "new"


def test_unchanged_definition_stays_the_version_it_is(deployed: Deployed) -> None:
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Name": unique("p")}}
    assert deployed.deploy("old")["Version"] == deployed.deploy("old", Other=parameter)["Version"]


def test_execution_under_way_keeps_the_version_it_began_with(aws: "Aws", deployed: Deployed) -> None:
    execution = aws.start(deployed.deploy("old")["Alias"])
    deployed.deploy("new")
    assert aws.end_of(execution)["output"]["answer"] == "old"


def test_replaced_version_can_still_be_started(aws: "Aws", deployed: Deployed) -> None:
    version = deployed.deploy("old")["Version"]
    deployed.deploy("new")
    assert aws.end_of(aws.start(version))["output"]["answer"] == "old"


def test_execution_tells_its_alias_and_version_beside_its_machine(aws: "Aws", deployed: Deployed) -> None:
    made = deployed.deploy("old")
    found = aws.client("stepfunctions").describe_execution(executionArn=aws.start(made["Alias"]))
    assert found["stateMachineArn"] == made["Machine"]
    assert (found["stateMachineAliasArn"], found["stateMachineVersionArn"]) == (made["Alias"], made["Version"])


def test_events_of_an_aliass_executions_are_found_by_the_machine(aws: "Aws", deployed: Deployed) -> None:
    made, events, queue = deployed.deploy("old"), aws.client("events"), aws.queue()
    detail = {"stateMachineArn": [made["Machine"]], "status": ["SUCCEEDED"]}
    rule = unique("ended")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.states"], "detail": detail}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queue.arn}])
    aws.start(made["Alias"])
    (message,) = aws.receive(queue)
    told = json.loads(message["Body"])["detail"]
    assert (told["stateMachineAliasArn"], told["stateMachineVersionArn"]) == (made["Alias"], made["Version"])


def test_start_by_an_alias_is_authorised_on_the_machine(secured: "Aws") -> None:
    made = Deployed(secured).deploy("old")

    def started(resource: str) -> int:
        statement = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": resource}
        role = secured.role({"Version": "2012-10-17", "Statement": [statement]})
        events, rule, bus = secured.client("events"), unique("rule"), unique("bus")
        events.create_event_bus(Name=bus)
        events.put_rule(Name=rule, EventBusName=bus, EventPattern='{"source": ["test"]}')
        target = {"Id": "machine", "Arn": made["Alias"], "RoleArn": role}
        events.put_targets(Rule=rule, EventBusName=bus, Targets=[target])
        events.put_events(Entries=[{"EventBusName": bus, "Source": "test", "DetailType": "any", "Detail": "{}"}])
        return len(secured.client("stepfunctions").list_executions(stateMachineArn=made["Machine"])["executions"])

    assert started(made["Alias"]) == 0
    assert started(made["Machine"]) == 1
