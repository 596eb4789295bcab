"""Every call that the functions were seen to make is allowed, and every right they have is used or has its reason."""

import json
from pathlib import Path

import pytest

from tests.policies.calls import LISTED, Call, Parameters, asked, read
from tests.policies.demo import decided
from tests.policies.judging import judged, unused
from tests.policies.templates import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_every_call_is_allowed(stage: str) -> None:
    assert [verdict for verdict in judged(stage, read(LISTED)) if not verdict.is_allowed] == []


def test_every_right_is_used_or_has_its_reason() -> None:
    assert sorted(unused(read(LISTED))) == []


@pytest.mark.parametrize(
    "refused",
    [
        Call("sweep", "mgn:StartCutover", "source-server"),
        Call("trigger_migration", "mgn:StartTest", "source-server"),
        Call("callback_handler", "dynamodb:PutItem", "table"),
        Call("prepare_source", "ec2:ModifyLaunchTemplate", "launch-template"),
        Call("dispatch_launches", "mgn:TagResource", "job", (("mgn:CreateAction", "StartReplication"),)),
    ],
)
def test_call_of_another_function_or_without_its_condition_is_denied(refused: Call) -> None:
    assert [verdict.decision for verdict in judged("prod", [refused])] == ["ImplicitlyDenied"]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "wanted"),
    [
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Delete": {"TableName": "state", "Key": {"pk": {"S": "SERVER#s-1"}}}}]},
            {("dynamodb:DeleteItem", "table"), ("kms:Decrypt", "key")},
        ),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/Stage-WakesQueue1A-2B"},
            {("sqs:SendMessage", "wakes"), ("kms:GenerateDataKey", "key"), ("kms:Decrypt", "key")},
        ),
        (
            "mgn",
            "StartTest",
            {"sourceServerIDs": ["s-1"], "tags": {"launch": "one"}},
            {("mgn:StartTest", "source-server"), ("mgn:TagResource", "job")},
        ),
        (
            "ssm",
            "SendCommand",
            {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-1", "mi-1"]},
            {("ssm:SendCommand", kind) for kind in ("document-of-aws", "instance", "managed-instance")},
        ),
    ],
)
def test_call_asks_for_all_that_aws_authorises_it_by(
    service: str, operation: str, parameters: Parameters, wanted: set[tuple[str, str]]
) -> None:
    assert {(action, resource) for action, resource, _ in asked(service, operation, parameters)} == wanted


def test_demo_is_a_second_opinion_on_each_right(tmp_path: Path) -> None:
    sweep = "arn:aws:sts::000000000000:assumed-role/MigrationLocalOrchestration-FunctionsSweepRole0A/sweep"
    there = "arn:aws:sts::222222222222:assumed-role/migration-local-dispatch_launches-eu-west-1/one"
    told = [
        # The queue's own policy says nothing of the role, whose policy allows it.
        (sweep, "sqs:SendMessage", "arn:aws:sqs:us-east-1:000000000000:wakes", "Allow"),
        (sweep, "sqs:SendMessage", "arn:aws:sqs:us-east-1:000000000000:wakes", "ImplicitDeny"),
        (there, "mgn:StartTest", "arn:aws:mgn:eu-west-1:222222222222:source-server/s-1", "Allow"),
        (there, "mgn:StartTest", "arn:aws:mgn:eu-west-1:222222222222:source-server/s-2", "ImplicitDeny"),
        ("arn:aws:sts::000000000000:assumed-role/cdk-deploy-role/x", "s3:PutObject", "*", "ImplicitDeny"),
    ]
    file = tmp_path / "decisions.jsonl"
    keys = ("principal", "action", "resource", "decision")
    file.write_text("\n".join(json.dumps(dict(zip(keys, each, strict=True))) for each in told))
    assert decided(file) == {("sweep", "sqs:SendMessage"): True, ("dispatch_launches", "mgn:StartTest"): False}
