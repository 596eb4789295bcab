"""The policies of every stage as IAM sees them: each reference resolved to the name or ARN that CloudFormation gives.

Names are the logical ids without their hashes, so that findings read like the template.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from tests.unit.infrastructure.synthesis import Assembled, Json, context, stacks, synthesized

ACCOUNT, REGION = "111122223333", "us-east-1"
ELSEWHERE = ("222233334444", "eu-west-1")

ALL_SETTINGS: Json = {
    "network": {
        "vpc_id": "vpc-0123456789abcdef0",
        "availability_zones": ["us-east-1a"],
        "private_subnet_ids": ["subnet-0123456789abcdef0"],
        "security_group_ids": ["sg-0123456789abcdef0"],
    },
    "targets": {
        "home_account": ACCOUNT,
        "home_region": REGION,
        "role_name": "migration-everything",
        "external_id": "shibboleth",
        "regions": {ELSEWHERE[0]: [ELSEWHERE[1]], ACCOUNT: ["eu-central-1"]},
        "ebs_key_arns": {ELSEWHERE[0]: [f"arn:aws:kms:{ELSEWHERE[1]}:{ELSEWHERE[0]}:key/there"]},
    },
    "documents": ["AWS-RunShellScript", "checks"],
    "http": {"vpc_endpoint_ids": ["vpce-0123456789abcdef0"]},
    "ebs_key_arns": [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/here"],
}
"""Whatever adds a policy to a stage or changes one."""

STAGES = ("local", "dev", "prod", "everything")
"""Those of cdk.json, and production with all that can be set."""


class Statement(NamedTuple):
    """One statement of one policy."""

    stage: str
    place: tuple[str, str]
    """Account and Region."""
    holder: str
    """The role, the managed policy or the resource whose policy it is."""
    is_identity: bool
    """Whether it says what its holder may do; else who may do something to it."""
    is_trust: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]]
    source: Json

    def __str__(self) -> str:
        return f"{self.stage} {self.holder}"


@cache
def statements(stage: str) -> tuple[Statement, ...]:
    """Every statement of every policy of a stage."""
    return tuple(found for stack in _stacks(stage).values() for found in stack.statements(stage))


@cache
def role_of_function(stage: str) -> dict[str, str]:
    """The roles of the functions, by the name of the function."""
    return {
        resource["Properties"]["Handler"].split(".")[2]: stack.named(resource["Properties"]["Role"]["Fn::GetAtt"][0])
        for stack in _stacks(stage).values()
        for resource in stack.resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def arn_of(stage: str, type_: str, containing: str = "") -> str:
    """The ARN of a resource of a type whose name contains this; the first by name, should there be several."""
    return min(
        stack.attribute(id_, "Arn")
        for stack in _stacks(stage).values()
        for id_, resource in stack.resources.items()
        if resource["Type"] == type_ and containing in id_
    )


def listed(value: Any) -> tuple[Any, ...]:
    """One or several as several."""
    return tuple(value) if isinstance(value, list) else (value,)


class _Stack:
    """One template, and what its references stand for."""

    def __init__(self, name: str, assembled: Assembled, outputs: dict[tuple[str, str], Any]) -> None:
        template: Json = json.loads(assembled.file.read_text())
        self.resources: Json = template["Resources"]
        known = re.fullmatch(r"\d{12}", assembled.account)
        self.place = (assembled.account, assembled.region) if known else (ACCOUNT, REGION)
        self._outputs = outputs
        for output, declared in template.get("Outputs", {}).items():
            outputs[name, output] = self.resolved(declared["Value"])

    def statements(self, stage: str) -> Iterator[Statement]:
        for id_, resource in self.resources.items():
            properties = self.resolved(resource.get("Properties", {}))
            attached = [self.named(role["Ref"]) for role in resource.get("Properties", {}).get("Roles", [])]
            is_identity = resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            for holder in attached or [self.named(id_)]:
                for source in _statements_in(properties):
                    yield Statement(
                        stage,
                        self.place,
                        holder,
                        is_identity,
                        resource["Type"] == "AWS::IAM::Role",
                        listed(source["Action"]),
                        listed(source.get("Resource", "*")),
                        source.get("Condition", {}),
                        source,
                    )

    def resolved(self, value: Any) -> Any:
        match value:
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self.resolved(part) for part in parts)
            case {"Ref": name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self.attribute(name, attribute)
            case {"Fn::GetStackOutput": {"StackName": stack, "OutputName": name}}:
                return self._outputs[stack, name]
            case {"Fn::Select": [int(index), parts]}:
                return self.resolved(parts)[index]
            case {"Fn::Split": [separator, text]}:
                return self.resolved(text).split(separator)
            case dict():
                return {key: self.resolved(member) for key, member in value.items()}
            case list():
                return [self.resolved(member) for member in value]
        return value

    def attribute(self, id_: str, attribute: str) -> str:
        if attribute == "Name" or attribute not in ("Arn", "StreamArn"):
            return _plain_name(id_)
        account, region = self.place
        service, resource = _ARNS[self.resources[id_]["Type"]]
        partition_and_place = f"arn:aws:{service}:{'' if service == 'iam' else region}:{account}"
        stream = "/stream/2026-01-01T00:00:00.000" if attribute == "StreamArn" else ""
        return f"{partition_and_place}:{resource.format(self.named(id_))}{stream}"

    def _reference(self, name: str) -> str:
        account, region = self.place
        pseudo = {
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": "arn:aws:cloudformation:stack/name/00000000-0000-0000-0000-000000000000",
        }
        if name in pseudo:
            return pseudo[name]
        if self.resources.get(name, {}).get("Type") in _NAMED_BY_ARN:
            return self.attribute(name, "Arn")
        return self.named(name)

    def named(self, id_: str) -> str:
        """The name a resource is given, or makes up."""
        given = self.resources.get(id_, {}).get("Properties", {}).get("RoleName")
        return str(self.resolved(given)) if given else _plain_name(id_)


_ARNS = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/{}"),
    "AWS::Events::EventBus": ("events", "event-bus/{}"),
    "AWS::Events::Rule": ("events", "rule/{}"),
    "AWS::IAM::Role": ("iam", "role/{}"),
    "AWS::KMS::Key": ("kms", "key/{}"),
    "AWS::Lambda::Alias": ("lambda", "function:{}:live"),
    "AWS::Lambda::Function": ("lambda", "function:{}"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{}:*"),
    "AWS::SQS::Queue": ("sqs", "{}"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "secret:{}-AbCdEf"),
    "AWS::SNS::Topic": ("sns", "{}"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:{}"),
    "AWS::StepFunctions::StateMachineAlias": ("states", "stateMachine:{}:live"),
    "AWS::StepFunctions::StateMachineVersion": ("states", "stateMachine:{}:1"),
}
_NAMED_BY_ARN = {
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
}


@cache
def _stacks(stage: str) -> dict[str, _Stack]:
    outputs: dict[tuple[str, str], Any] = {}
    return {name: _Stack(name, assembled, outputs) for name, assembled in stacks(synthesized(_context(stage))).items()}


def _context(stage: str) -> Json:
    if stage != "everything":
        return context(stage)
    return context(stage, everything=context("prod")["stages"]["prod"] | ALL_SETTINGS)


def _statements_in(value: Any) -> Iterator[Json]:
    if isinstance(value, dict) and "Effect" in value and "Action" in value:
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _statements_in(member)


def _plain_name(id_: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", id_)
