"""The app as a whole: rules, lint, tags."""

import json
from pathlib import Path
from typing import cast

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_sqs as sqs

from app import build
from runtime.models.deployment import stack_name
from tests.unit.infrastructure.synthesis import NO_BUNDLING, STACKS, assembly, context, document, stacks, template

STAGES = ["local", "dev", "prod"]


@pytest.mark.parametrize("stage", STAGES)
def test_cdk_nag_finds_nothing(stage: str) -> None:
    report = json.loads((assembly(stage) / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_finding_of_cdk_nag_stops_the_synthesis(tmp_path: Path) -> None:
    app = build(App(context=context("dev") | NO_BUNDLING, outdir=str(tmp_path)))
    storage = app.node.find_child(stack_name("dev", "Storage"))
    sqs.Queue(cast(Stack, storage), "WithoutDeadLetterQueue", enforce_ssl=True)
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS3"):
        app.synth()


@pytest.mark.parametrize("stage", STAGES)
def test_stacks_are_named_after_their_stage(stage: str) -> None:
    wanted = (*STACKS, "TargetAccess-222222222222-eu-west-1") if stage == "local" else STACKS
    assert stacks(assembly(stage)).keys() == {stack_name(stage, stack) for stack in wanted}


@pytest.mark.parametrize(
    ("stack", "type_"),
    [
        ("Encryption", "AWS::KMS::Key"),
        ("Storage", "AWS::DynamoDB::Table"),
        ("Messaging", "AWS::SQS::Queue"),
        ("Orchestration", "AWS::Lambda::Function"),
        ("Orchestration", "AWS::StepFunctions::StateMachine"),
    ],
)
def test_resources_are_tagged_with_application_and_stage(stack: str, type_: str) -> None:
    application = {"Key": "application", "Value": "migration-orchestrator"}
    template("dev", stack).all_resources_properties(type_, {"Tags": [application, {"Key": "stage", "Value": "dev"}]})


@pytest.mark.parametrize("stack", STACKS)
def test_template_names_no_account_and_no_region(stack: str) -> None:
    text = json.dumps(document("prod", stack))
    assert "us-east-1" not in text
    assert stacks(assembly("prod"))[stack_name("prod", stack)].account == "unknown-account"
