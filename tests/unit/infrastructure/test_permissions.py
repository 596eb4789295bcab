"""Least privilege: who may do what."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import runtime.adapters
from runtime.models.functions.catalogue import FUNCTIONS, STEPS
from runtime.models.functions.permissions import RUN_ON_LAUNCHED, Named, given
from tests.unit.infrastructure.synthesis import Json, document, functions, plain, resources


def policies(template: Json) -> list[Json]:
    """The policies of a template's roles; a role with many statements has more than its default one."""
    kinds = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    return [r["Properties"] for r in template["Resources"].values() if r["Type"] in kinds]


class Allowed(NamedTuple):
    """One action a role may take."""

    role: str
    action: str
    resource: str
    conditions: Json


def allowed(stage: str = "dev") -> Iterator[Allowed]:
    for policy in policies(document(stage, "Orchestration")):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    for role in policy["Roles"]:
                        yield Allowed(role["Ref"], action, plain(resource), statement.get("Condition", {}))


def of(module: str, stage: str = "dev") -> list[Allowed]:
    """What the function of a handler may do."""
    role = functions(stage)[module]["Role"]["Fn::GetAtt"][0]
    return [permission for permission in allowed(stage) if permission.role == role]


def conditions(module: str, action: str) -> list[Json]:
    return [permission.conditions for permission in of(module) if permission.action == action]


def test_every_function_has_a_role_of_its_own() -> None:
    roles = [str(function["Role"]) for function in functions().values()]
    assert len(set(roles)) == len(roles)


def test_no_role_of_a_function_has_a_managed_policy() -> None:
    roles = resources("dev", "Orchestration", "AWS::IAM::Role").values()
    managed = [role for role in roles if role.get("ManagedPolicyArns")]
    trusted = [role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] for role in managed]
    # API Gateway writes its logs by a role of the account's, for which AWS offers this policy only.
    assert trusted == ["apigateway.amazonaws.com"]


def test_no_role_may_do_everything() -> None:
    wide = {permission.action for permission in allowed() if "*" in permission.action}
    assert wide <= {"kms:GenerateDataKey*", "kms:ReEncrypt*"}


def test_no_role_may_use_another_key() -> None:
    keys = {permission.resource for permission in allowed() if permission.action.startswith("kms:")}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("action", "modules"),
    [
        ("mgn:StartTest", {"dispatch_launches"}),
        ("mgn:StartCutover", {"dispatch_launches"}),
        ("mgn:FinalizeCutover", {"finalize_cutover"}),
        ("mgn:TerminateTargetInstances", {"dispatch_launches"}),
        ("mgn:ChangeServerLifeCycleState", {"prepare_source", "rollback_handler"}),
        ("ec2:CreateLaunchTemplateVersion", {"prepare_source", "dispatch_launches"}),
        ("ec2:RunInstances", {"dispatch_launches"}),
        ("ec2:TerminateInstances", {"dispatch_launches"}),
        ("iam:PassRole", {"dispatch_launches"}),
        ("ssm:SendCommand", {"dispatch_launches"}),
        ("events:PutEvents", {"http_handler", "ingress_handler", "sweep", "publish_events"}),
        ("secretsmanager:GetSecretValue", {"callback_handler"}),
        ("states:DescribeExecution", {"sweep"}),
        ("states:SendTaskSuccess", {"dispatch_launches", "rollback_handler"}),
    ],
)
def test_only_these_functions_may(action: str, modules: set[str]) -> None:
    assert {module for module in functions() if any(p.action == action for p in of(module))} == modules


def tokens(module: str) -> set[str]:
    """What a function may do to the table of task tokens."""
    return {p.action for p in of(module) if p.action.startswith("dynamodb:") and "Tokens" in p.resource}


def test_only_who_parks_may_keep_task_tokens_and_only_the_dispatcher_may_read_them() -> None:
    found = {module: tokens(module) for module in functions()}
    assert {module: actions for module, actions in found.items() if actions} == {
        "prepare_source": {"dynamodb:PutItem"},
        "trigger_migration": {"dynamodb:PutItem"},
        "verify_migration": {"dynamodb:PutItem"},
        "signal_handler": {"dynamodb:PutItem"},
        "rollback_handler": {"dynamodb:PutItem"},
        "dispatch_launches": {"dynamodb:GetItem"},
    }


@pytest.mark.parametrize(
    ("action", "modules"),
    [
        ("dynamodb:ConditionCheckItem", set()),
        ("ec2:DescribeLaunchTemplates", {"dispatch_launches"}),
        ("mgn:DescribeJobs", {"validate_input", "verify_migration", "rollback_handler", "dispatch_launches"}),
    ],
)
def test_right_that_is_not_used_is_not_given(action: str, modules: set[str]) -> None:
    assert {module for module in functions() if any(p.action == action for p in of(module))} == modules


def test_only_who_parks_signals_or_sweeps_and_the_dispatcher_may_wake() -> None:
    wakers = {module for module in functions() for p in of(module) if p.action == "sqs:SendMessage" and _is_wakes(p)}
    assert wakers == {
        "prepare_source",
        "trigger_migration",
        "verify_migration",
        "rollback_handler",
        "signal_handler",
        "http_handler",
        "sweep",
        "dispatch_launches",
    }


def test_only_the_dispatcher_takes_wakes() -> None:
    takers = {module for module in functions() for p in of(module) if p.action == "sqs:ReceiveMessage" and _is_wakes(p)}
    assert takers == {"dispatch_launches"}


def test_whoever_calls_mgn_may_count_its_requests_in_the_state_table_and_nowhere_else() -> None:
    callers = {module for module in functions() if any(p.action.startswith("mgn:") for p in of(module))}
    tables = {module: [p.resource for p in of(module) if p.action == "dynamodb:UpdateItem"] for module in callers}
    assert callers == {f.name for f in FUNCTIONS if any(a.startswith("mgn:") for p in f.permissions for a in p.actions)}
    assert all(len(found) == 1 and "StateTable" in found[0] for found in tables.values()), tables


@pytest.mark.parametrize("module", ["publish_events", "callback_handler"])
def test_tellers_only_read_the_table(module: str) -> None:
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    assert not writes & {permission.action for permission in of(module)}


@pytest.mark.parametrize("action", ["ec2:RunInstances", "ec2:CreateTags", "ec2:TerminateInstances", "ec2:DeleteVolume"])
def test_launching_rights_work_only_through_mgn(action: str) -> None:
    through_mgn = {"ForAnyValue:StringEquals": {"aws:CalledVia": "mgn.amazonaws.com"}}
    found = conditions("dispatch_launches", action)
    assert found
    assert all(condition.items() >= through_mgn.items() for condition in found)


@pytest.mark.parametrize("module", ["prepare_source", "rollback_handler"])
def test_only_mgns_launch_templates_are_changed(module: str) -> None:
    managed = {"Null": {"aws:ResourceTag/AWSApplicationMigrationServiceManaged": "false"}}
    found = conditions(module, "ec2:ModifyLaunchTemplate")
    assert found
    assert all(condition == managed for condition in found)


@pytest.mark.parametrize("action", ["ssm:StartAutomationExecution", "ssm:GetAutomationExecution"])
def test_post_launch_actions_may_be_automations_run_by_mgn_alone(action: str) -> None:
    executions = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:automation-execution/*"
    through_mgn = {"ForAnyValue:StringEquals": {"aws:CalledVia": "mgn.amazonaws.com"}}
    assert executions in {permission.resource for permission in of("dispatch_launches") if permission.action == action}
    assert all(condition == through_mgn for condition in conditions("dispatch_launches", action))


def commands_of(module: str, stage: str) -> dict[str, Json]:
    """On what a function may run commands itself, and under which conditions."""
    through_mgn = {"ForAnyValue:StringEquals": {"aws:CalledVia": "mgn.amazonaws.com"}}
    sends = (p for p in of(module, stage) if p.action == "ssm:SendCommand")
    return {p.resource: p.conditions for p in sends if not p.conditions.items() >= through_mgn.items()}


def test_stage_without_documents_runs_no_command_itself() -> None:
    assert {module: found for module in functions() if (found := commands_of(module, "dev"))} == {}


@pytest.mark.parametrize(
    ("module", "nodes", "tag"),
    [
        ("prepare_source", {"ec2:instance/*", "ssm:managed-instance/*"}, "migration-source-server"),
        ("verify_migration", {"ec2:instance/*"}, "AWSApplicationMigrationServiceManaged"),
    ],
)
def test_commands_run_from_documents_of_the_stage_on_tagged_machines_only(
    module: str, nodes: set[str], tag: str
) -> None:
    tagged = {"Null": {f"aws:ResourceTag/{tag}": "false"}}
    here = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
    assert commands_of(module, "local") == {
        "arn:${AWS::Partition}:ssm:${AWS::Region}::document/AWS-RunShellScript": {},
        **{here % tuple(node.split(":")): tagged for node in nodes},
    }


@pytest.mark.parametrize(
    ("document", "arn"),
    [
        ("AWS-RunShellScript", "arn:{partition}:ssm:{region}::document/AWS-RunShellScript"),
        ("amazon-thing", "arn:{partition}:ssm:{region}::document/amazon-thing"),
        ("Ours", "arn:{partition}:ssm:{region}:{account}:document/Ours"),
        ("arn:aws:ssm:eu-west-1:1:document/Theirs", "arn:aws:ssm:eu-west-1:1:document/Theirs"),
    ],
)
def test_document_of_aws_belongs_to_no_account_and_one_given_by_arn_to_the_named(document: str, arn: str) -> None:
    found = given(RUN_ON_LAUNCHED, {Named.DOCUMENTS: (document,)})
    assert next(found).resources == (arn,)


def test_jobs_are_tagged_only_while_they_are_made() -> None:
    assert conditions("dispatch_launches", "mgn:TagResource") == [
        {"StringEquals": {"mgn:CreateAction": calls}}
        for calls in (["StartTest", "StartCutover"], ["TerminateTargetInstances"])
    ]


def test_roles_are_passed_to_ec2_only() -> None:
    found = conditions("dispatch_launches", "iam:PassRole")
    assert found
    assert all(condition == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}} for condition in found)


def test_state_machine_invokes_only_its_functions() -> None:
    steps = {re.sub(r"\$\{(.*)\.Arn\}.*", r"\1", p.resource) for p in allowed() if p.action == "lambda:InvokeFunction"}
    named = resources("dev", "Orchestration", "AWS::Lambda::Function")
    assert {named[id_]["Handler"].split(".")[2] for id_ in steps} == {step.name for step in STEPS}


def test_every_call_of_the_adapters_is_permitted_to_someone() -> None:
    granted = {p.action.split(":")[1] for module in functions("local") for p in of(module, "local")}
    # IAM knows a transaction by the actions of its items; roles are assumed by stages with targets only.
    assert _calls() - {"TransactWriteItems", "AssumeRole"} <= granted


def _is_wakes(permission: Allowed) -> bool:
    return "Wakes" in permission.resource


def _calls() -> set[str]:
    """The operations of clients, called, passed on or paginated by the adapters."""
    (folder,) = runtime.adapters.__path__
    found = set()
    for file in Path(folder).rglob("*.py"):
        module = ast.parse(file.read_text())
        clients = set(_clients(module))
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in clients:
                found.add(node.attr)
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".get_paginator"):
                found.update(str(ast.literal_eval(argument)) for argument in node.args)
    return {_camel(call) for call in found - {"exceptions", "get_paginator", "get_waiter", "meta"}}


def _clients(module: ast.Module) -> Iterator[str]:
    """How a module names boto3 clients: as its functions take them and as its objects keep them."""
    for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
        arguments = [*function.args.args, *function.args.kwonlyargs]
        taken = {each.arg for each in arguments if each.annotation and _is_client(each.annotation)}
        yield from taken
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.value) in taken:
                yield from map(ast.unparse, node.targets)


def _is_client(annotation: ast.expr) -> bool:
    return re.fullmatch(r"\w+Client", ast.unparse(annotation).strip("'\"")) is not None


def _camel(call: str) -> str:
    return "".join(word.capitalize() for word in call.split("_"))


def _listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [value]  # type: ignore[list-item]
