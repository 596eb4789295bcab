"""Other accounts and Regions: what they have of the pipeline, and what the pipeline may do there."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pydantic import ValidationError

from migration_constructs import CLAIM
from runtime.models.functions.catalogue import FUNCTIONS
from runtime.models.functions.environment import StepEnvironment, SweepEnvironment, Targets
from runtime.models.scope import Scope
from stacks.settings import TargetSettings
from tests.unit.infrastructure.synthesis import Json, context, plain, resources, stacks, synthesized

HOME, OTHER = "111122223333", "222233334444"
TARGETS: Json = {
    "home_account": HOME,
    "home_region": "us-east-1",
    "role_name": "migration-dev",
    "external_id": "shibboleth",
    "regions": {OTHER: ["eu-west-1", "us-east-1"], HOME: ["eu-west-1"]},
}
PLACES = [(OTHER, "eu-west-1"), (OTHER, "us-east-1"), (HOME, "eu-west-1")]
FUNCTIONS_THAT_ENTER = {function.name for function in FUNCTIONS if function.permissions}


@cache
def assembly() -> Path:
    stage = context("dev")["stages"]["dev"] | {"targets": TARGETS}
    return synthesized(context("dev", dev=stage))


def found(stack: str, type_: str) -> dict[str, Json]:
    template: Json = json.loads(stacks(assembly())[f"MigrationDev{stack}"].file.read_text())
    return {id_: plain(r["Properties"]) for id_, r in template["Resources"].items() if r["Type"] == type_}


def target(account: str = OTHER, region: str = "eu-west-1") -> str:
    return f"TargetAccess-{account}-{region}"


def role() -> Json:
    (properties,) = (r for r in found(target(), "AWS::IAM::Role").values() if "RoleName" in r)
    return properties


def settings(**changes: object) -> TargetSettings:
    return TargetSettings.model_validate(TARGETS | changes)


def test_each_target_has_a_stack_in_its_account_and_region() -> None:
    found = {name: (each.account, each.region) for name, each in stacks(assembly()).items() if "TargetAccess" in name}
    assert found == {f"MigrationDev{target(*place)}": place for place in PLACES}


def test_stages_own_stacks_are_for_the_home_account_alone() -> None:
    """Named in the assembly, the CDK deploys them with no other account's credentials."""
    home = {(each.account, each.region) for name, each in stacks(assembly()).items() if "TargetAccess" not in name}
    assert home == {(HOME, "us-east-1")}


def test_each_target_is_claimed_for_the_stage() -> None:
    claims = [found(target(*place), "AWS::SSM::Parameter") for place in PLACES]
    assert [[each["Name"] for each in claim.values()] for claim in claims] == [[CLAIM]] * len(PLACES)


def test_role_lets_in_the_stages_account_under_the_external_id_only() -> None:
    (statement,) = role()["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": "shibboleth"}},
    }


def test_account_that_does_not_answer_leaves_dispatchers_for_the_others() -> None:
    mappings = found("Orchestration", "AWS::Lambda::EventSourceMapping").values()
    (wakes,) = (m for m in mappings if "DispatchLaunches" in m["FunctionName"])
    assert (wakes["BatchSize"], wakes["ScalingConfig"]["MaximumConcurrency"]) == (1, 2 + len(PLACES))


def test_roles_of_one_account_are_told_apart_by_region() -> None:
    names = {
        r["RoleName"] for place in PLACES for r in found(target(*place), "AWS::IAM::Role").values() if "RoleName" in r
    }
    assert names == {"migration-dev-eu-west-1", "migration-dev-us-east-1"}


def test_role_may_do_there_what_the_functions_may_do_at_home() -> None:
    policies = [p["PolicyDocument"] for p in found(target(), "AWS::IAM::Policy").values()]
    granted = {action for policy in policies for s in policy["Statement"] for action in listed(s["Action"])}
    wanted = {action for function in FUNCTIONS for p in function.permissions for action in p.actions}
    assert granted == {action for action in wanted if not action.startswith("states:")} | {"events:PutEvents"}


def test_conditions_hold_in_a_target_too() -> None:
    policies = [p["PolicyDocument"] for p in found(target(), "AWS::IAM::Policy").values()]
    through_mgn = {"ForAnyValue:StringEquals": {"aws:CalledVia": "mgn.amazonaws.com"}}
    runs = [s for policy in policies for s in policy["Statement"] if "ec2:RunInstances" in listed(s["Action"])]
    assert [s["Condition"] for s in runs] == [through_mgn]


def test_mgn_events_go_to_the_homes_default_bus() -> None:
    (rule,) = found(target(), "AWS::Events::Rule").values()
    (sent,) = rule["Targets"]
    assert rule["EventPattern"]["source"] == ["aws.mgn"]
    assert sent["Arn"] == f"arn:${{AWS::Partition}}:events:us-east-1:{HOME}:event-bus/default"


def test_default_bus_takes_events_of_other_target_accounts_only() -> None:
    (policy,) = found("Messaging", "AWS::Events::EventBusPolicy").values()
    assert policy["Statement"]["Principal"] == {"AWS": [f"arn:${{AWS::Partition}}:iam::{OTHER}:root"]}
    assert policy["Statement"]["Action"] == "events:PutEvents"
    assert "EventBusName" not in policy


def test_default_bus_takes_mgns_events_of_those_accounts_and_nothing_else() -> None:
    (policy,) = found("Messaging", "AWS::Events::EventBusPolicy").values()
    (rule,) = found(target(), "AWS::Events::Rule").values()
    assert policy["Statement"]["Condition"] == {
        "ForAllValues:StringEquals": {"events:source": "aws.mgn"},
        "StringEquals": {"events:detail-type": rule["EventPattern"]["detail-type"]},
    }


def test_stage_without_targets_opens_nothing() -> None:
    assert not resources("dev", "Messaging", "AWS::Events::EventBusPolicy")
    policies = resources("dev", "Orchestration", "AWS::IAM::Policy").values()
    assert "sts:AssumeRole" not in json.dumps([policy["PolicyDocument"] for policy in policies])


def test_only_functions_that_speak_to_mgn_may_enter_targets_and_only_by_their_roles() -> None:
    entering = {}
    for policy in found("Orchestration", "AWS::IAM::Policy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if "sts:AssumeRole" in listed(statement["Action"]):
                entering[policy["Roles"][0]] = set(listed(statement["Resource"]))
    functions = found("Orchestration", "AWS::Lambda::Function").values()
    modules = {f["Handler"].split(".")[2] for f in functions if f["Role"].replace(".Arn", "") in entering}
    assert modules == FUNCTIONS_THAT_ENTER
    roles = {f"arn:${{AWS::Partition}}:iam::{account}:role/migration-dev-{region}" for account, region in PLACES}
    assert all(allowed == roles for allowed in entering.values())


@pytest.mark.parametrize(("module", "kind"), [("trigger_migration", StepEnvironment), ("sweep", SweepEnvironment)])
def test_functions_know_the_targets(module: str, kind: type[StepEnvironment]) -> None:
    functions = found("Orchestration", "AWS::Lambda::Function").values()
    (function,) = (f for f in functions if f["Handler"] == f"runtime.handlers.{module}.handler")
    scopes = tuple(Scope(account, region) for account, region in PLACES)
    expected = Targets(role_name="migration-dev", external_id="shibboleth", scopes=scopes)
    assert kind.from_variables(function["Environment"]["Variables"]).targets == expected


def test_cdk_nag_finds_nothing_in_a_stage_with_targets() -> None:
    report = json.loads((assembly() / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_cfn_lint_finds_no_errors_with_targets() -> None:
    names = ("Messaging", target())
    paths = [stacks(assembly())[f"MigrationDev{name}"].file for name in names]
    linter = shutil.which("cfn-lint", path=str(Path(sys.executable).parent)) or "cfn-lint"
    done = subprocess.run(
        [linter, "--non-zero-exit-code", "error", *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_home_cannot_be_its_own_target() -> None:
    with pytest.raises(ValidationError, match="always served"):
        settings(regions={HOME: ["us-east-1"]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"regions": {OTHER: []}},
        {"regions": {"1234": ["eu-west-1"]}},
        {"regions": {OTHER: ["EU"]}},
        {"role_name": "a b"},
        {"role_name": "r" * 49},
        {"external_id": "x"},
    ],
)
def test_impossible_targets_are_refused(wrong: Json) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        settings(**wrong)


def test_every_setting_of_targets_is_described() -> None:
    assert not [name for name, field in TargetSettings.model_fields.items() if not field.description]


def listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
