"""What IAM would say to each call, by an evaluator that is not ours, and which rights no call needs."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

from runtime.models.functions.catalogue import HTTP_HANDLER
from tests.policies.calls import Call
from tests.policies.templates import (
    ELSEWHERE,
    STAGES,
    Statement,
    arn_of,
    role_of_function,
    statements,
)
from tests.unit.infrastructure.synthesis import Json

SIMULATE = Path(__file__).with_name("simulate.mjs")
IN_TARGETS = ("mgn:", "ec2:", "ssm:")
"""What functions ask for in other accounts and Regions, too."""

NEED_SETTINGS = ("ssm:GetCommandInvocation", "ssm:SendCommand", "sts:AssumeRole")
"""What is allowed where the stage names documents or targets."""

NOT_CALLED: Mapping[str, str] = {
    "logs:*": "Lambda writes the function's log.",
    "xray:*": "Lambda and the tracer send traces of sampled invocations.",
    "sqs:ReceiveMessage": "The event source mapping reads the queue in the function's name.",
    "sqs:DeleteMessage": "Likewise.",
    "sqs:ChangeMessageVisibility": "Likewise.",
    "sqs:GetQueueAttributes": "Likewise; CDK grants it to senders as well.",
    "sqs:GetQueueUrl": "CDK grants it to whoever sends or receives.",
    "dynamodb:DescribeStream": "The event source mapping reads the stream in the function's name.",
    "dynamodb:GetRecords": "Likewise.",
    "dynamodb:GetShardIterator": "Likewise.",
    "dynamodb:ListStreams": "Likewise.",
    "kms:DescribeKey": "CDK grants it to readers of an encrypted stream.",
    "kms:Encrypt": "CDK grants it to whoever writes under a key; these services make data keys instead.",
    "kms:ReEncrypt*": "Likewise.",
    "kms:GenerateDataKey*": "CDK grants it to whoever writes under a key; only queues need it.",
    "ec2:AssignPrivateIpAddresses": "Lambda makes the function's interface, in a stage with a network.",
    "ec2:CreateNetworkInterface": "Likewise.",
    "ec2:DeleteNetworkInterface": "Likewise.",
    "ec2:DescribeNetworkInterfaces": "Likewise.",
    "ec2:DescribeSubnets": "Likewise.",
    "ec2:UnassignPrivateIpAddresses": "Likewise.",
    "sqs:SendMessage": "Lambda hands on what publish_events failed on.",
    "mgn:ListTagsForResource": "MGN asks for it when it launches.",
    "secretsmanager:DescribeSecret": "CDK grants it with GetSecretValue.",
    "sts:AssumeRole": "The clients of targets assume roles; the demo and the contract tests have targets.",
    "ssm:ListCommands": "Asked after a command whose answer was lost; the contract tests show it.",
    "ssm:ListTagsForResource": "Asked of hybrid nodes only; the contract tests and the engine's show it.",
    "states:DescribeExecution": "The sweep asks about executions nobody heard of; the tests have a fake of them.",
    "states:SendTaskFailure": "Steps are resumed by success or failure; the two are one permission.",
    "mgn:Describe*": "Servers and jobs are read; the two are one permission.",
    "ec2:DescribeLaunchTemplates": "Templates and their versions are read; the two are one permission.",
    "dynamodb:*Item": "Readers and writers of the table have one set of rights each.",
    "dynamodb:Query": "Likewise.",
}
"""Rights that no code of ours uses, and who does."""


class Verdict(NamedTuple):
    """What was decided on one call in one stage."""

    stage: str
    role: str
    call: Call
    decision: str

    @property
    def is_allowed(self) -> bool:
        return self.decision == "Allowed"


def judged(stage: str, calls: Iterable[Call]) -> list[Verdict]:
    """Each call under the policies of a stage: at home, and as a target's role where the stage has one."""
    asked = [each for call in sorted(calls) for each in _asked(stage, call)]
    policies = {
        holder: {
            "Version": "2012-10-17",
            "Statement": [s.source for s in statements(stage) if s.holder == holder and not s.is_trust],
        }
        for holder in {s.holder for s in statements(stage)}
    }
    node = shutil.which("node") or "node"
    told = json.dumps({"policies": policies, "requests": [request for *_, request in asked]})
    # Documents of AWS belong to no account, which the evaluator takes for no ARN of a document.
    told = re.sub(r"(arn:aws:ssm:[a-z0-9-]+)::", r"\1:000000000000:", told)
    done = subprocess.run([node, SIMULATE], input=told, capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    return [
        Verdict(stage, role, call, decision if not why or decision == "Allowed" else f"{decision}: {why}")
        for (role, call, _), (decision, why) in zip(asked, answers, strict=True)
    ]


def unused(calls: Iterable[Call]) -> set[tuple[str, str]]:
    """Function and right, for what is granted in any stage, used by no call and explained by nothing."""
    called = {(call.function, call.action) for call in calls}
    return {
        (function, right)
        for function, right in granted()
        if not any(function == caller and fnmatchcase(action, right) for caller, action in called)
        and not reason_for(right)
    }


def reason_for(right: str) -> str:
    """Who uses a right that no code of ours uses."""
    return next((reason for pattern, reason in NOT_CALLED.items() if fnmatchcase(right, pattern)), "")


@cache
def granted() -> frozenset[tuple[str, str]]:
    """Function and right, without those that only MGN may use in the function's name."""
    return frozenset(
        (function, right)
        for stage in STAGES
        for function, role in role_of_function(stage).items()
        for s in statements(stage)
        if s.holder == role and s.is_identity and not is_for_mgn(s)
        for right in s.actions
    )


def is_for_mgn(statement: Statement) -> bool:
    """Whether only a service may use it in the function's name: MGN and EC2 launch with their caller's rights."""
    keys = {key.lower() for keys in statement.conditions.values() for key in keys}
    return bool(keys & {"aws:calledvia", "iam:passedtoservice", "kms:viaservice"})


def _asked(stage: str, call: Call) -> Iterator[tuple[str, Call, Json]]:
    if call.action in NEED_SETTINGS and stage != "everything":
        return
    role = role_of_function(stage).get(call.function, "")
    if call.function == HTTP_HANDLER.name and not role:
        return
    home = next(s.place for s in statements(stage) if s.holder == role)
    yield role, call, _request(stage, call, role, home)
    if stage == "everything" and call.action.startswith(IN_TARGETS):
        there = _role_there(call.function)
        yield there, call, _request(stage, call, there, ELSEWHERE)


def _role_there(function: str) -> str:
    """A function's role in the target: its own, named after it, or the one of all functions."""
    found = {s.holder for s in statements("everything") if s.place == ELSEWHERE and _speaks_to_mgn(s)}
    own = {role for role in found if function.replace("_", "") in role.replace("_", "").replace("-", "").casefold()}
    return min(own or found)


def _speaks_to_mgn(statement: Statement) -> bool:
    return statement.is_identity and any(action.startswith("mgn:") for action in statement.actions)


def _request(stage: str, call: Call, role: str, place: tuple[str, str]) -> Json:
    account, region = place
    return {
        "principal": f"arn:aws:sts::{account}:assumed-role/{role}/session",
        "holder": role,
        "action": call.action,
        "resource": _arn(stage, call, place),
        "account": account,
        "context": {key: _value(key, value, region) for key, value in call.context},
        "resourcePolicy": "EncryptionKey" if call.resource == "key" else None,
    }


def _value(key: str, value: str, region: str) -> str | list[str]:
    if key == "kms:ViaService":
        return f"{value}.{region}.amazonaws.com"
    return [value] if key == "dynamodb:LeadingKeys" else value


def _arn(stage: str, call: Call, place: tuple[str, str]) -> str:
    kind, slash, rest = call.resource.partition("/")
    if kind in _DEPLOYED:
        return f"{arn_of(stage, *_DEPLOYED[kind])}{slash}{rest}"
    account, region = place
    machine = arn_of(stage, "AWS::StepFunctions::StateMachine")
    return _KNOWN_AT_RUN_TIME[kind].format(
        account=account,
        region=region,
        executions=machine.replace(":stateMachine:", ":execution:"),
        target=f"arn:aws:iam::{ELSEWHERE[0]}:role/{_role_there(call.function)}",
    )


_DEPLOYED = {
    "bus": ("AWS::Events::EventBus",),
    "callbacks": ("AWS::SQS::Queue", "CallbacksQueue"),
    "decisions": ("AWS::SQS::Queue", "DecisionsQueue"),
    "key": ("AWS::KMS::Key",),
    "requests": ("AWS::SQS::Queue", "RequestsQueue"),
    "secret": ("AWS::SecretsManager::Secret",),
    "table": ("AWS::DynamoDB::Table", "StateTable"),
    "tokens": ("AWS::DynamoDB::Table", "TokensTable"),
    "undelivered": ("AWS::SQS::Queue", "EventsUndelivered"),
    "wakes": ("AWS::SQS::Queue", "WakesQueue"),
}
_KNOWN_AT_RUN_TIME = {
    "*": "*",
    "document": "arn:aws:ssm:{region}:{account}:document/checks",
    "document-of-aws": "arn:aws:ssm:{region}::document/AWS-RunShellScript",
    "execution": "{executions}:one",
    "instance": "arn:aws:ec2:{region}:{account}:instance/i-0123456789abcdef0",
    "job": "arn:aws:mgn:{region}:{account}:job/mgnjob-0123456789abcdef0",
    "launch-template": "arn:aws:ec2:{region}:{account}:launch-template/lt-0123456789abcdef0",
    "managed-instance": "arn:aws:ssm:{region}:{account}:managed-instance/mi-0123456789abcdef0",
    "source-server": "arn:aws:mgn:{region}:{account}:source-server/s-0123456789abcdef0",
    "target-role": "{target}",
}
