"""The app as a whole: rules, lint, tags."""

import json
from pathlib import Path
from typing import cast

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from app import build
from runtime.models.deployment import stack_name
from runtime.models.functions.catalogue import INGRESS_HANDLER
from stacks.orchestration import OrchestrationStack
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


@pytest.mark.parametrize(("stage", "protected"), [("local", False), ("dev", False), ("prod", True)])
def test_only_production_stacks_are_protected_from_termination(stage: str, protected: bool) -> None:
    artifacts = json.loads((assembly(stage) / "manifest.json").read_text())["artifacts"]
    home = (artifacts[stack_name(stage, stack)]["properties"] for stack in STACKS)
    assert {bool(properties.get("terminationProtection")) for properties in home} == {protected}


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_failed_first_deployment_made_is_never_left_behind(stack: str) -> None:
    policies = {each.get("DeletionPolicy", "Delete") for each in document("prod", stack)["Resources"].values()}
    assert policies <= {"Delete", "RetainExceptOnCreate"}


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_that_outlives_its_stack_has_a_name_that_the_next_stack_needs(stack: str) -> None:
    found = document("prod", stack)["Resources"].values()
    kept = [each["Properties"] for each in found if each.get("DeletionPolicy", "Delete") != "Delete"]
    names = [value for properties in kept for name, value in properties.items() if name.endswith("Name")]
    assert all("AWS::StackId" in json.dumps(name) for name in names), names


@pytest.mark.parametrize("stage", STAGES)
def test_no_stack_holds_on_to_what_another_uses(stage: str) -> None:
    """An import forbids to replace the table, the bus, a queue or the key for as long as the other stack is there."""
    for name, found in stacks(assembly(stage)).items():
        text = found.file.read_text()
        assert "Fn::ImportValue" not in text, name
        assert '"Export"' not in text, name


def test_right_on_everything_is_found_in_a_role_that_has_no_such_right_yet(tmp_path: Path) -> None:
    app = build(App(context=context("dev") | NO_BUNDLING, outdir=str(tmp_path)))
    orchestration = cast(OrchestrationStack, app.node.find_child(stack_name("dev", "Orchestration")))
    orchestration.functions[INGRESS_HANDLER].role.add_to_policy(
        iam.PolicyStatement(actions=["s3:ListAllMyBuckets"], resources=["*"])
    )
    with pytest.raises(RuntimeError, match=r"IngressHandler/Role/DefaultPolicy[\s\S]*IAM5\[Resource::\*\]"):
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
