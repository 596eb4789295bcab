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
from runtime.models.deployment import function_role_name
from runtime.models.functions.catalogue import FUNCTIONS, STEPS
from runtime.models.functions.environment import StepEnvironment, SweepEnvironment, Targets, ValidateEnvironment
from runtime.models.functions.permissions import Named, given
from runtime.models.scope import Scope
from stacks.settings import TargetSettings
from tests.unit.infrastructure.synthesis import Json, context, document, plain, resources, stacks, synthesized
from tests.unit.infrastructure.test_permissions import policies

HOME, OTHER = "111122223333", "222233334444"
KEYS, AT_HOME = "arn:aws:kms", f"arn:aws:kms:us-east-1:{HOME}:key/c"
TARGETS: Json = {
    "home_account": HOME,
    "home_region": "us-east-1",
    "role_name": "migration-dev",
    "external_id": "shibboleth",
    "regions": {OTHER: ["eu-west-1", "us-east-1"], HOME: ["eu-west-1"]},
    "ebs_key_arns": {OTHER: [f"{KEYS}:eu-west-1:{OTHER}:key/a", f"{KEYS}:us-east-1:{OTHER}:key/b"]},
}
PLACES = [(OTHER, "eu-west-1"), (OTHER, "us-east-1"), (HOME, "eu-west-1")]
FUNCTIONS_THAT_ENTER = {function.name for function in FUNCTIONS if function.permissions}


@cache
def assembly() -> Path:
    concurrency = {"account": 1_000, "steps": 30}
    of_dev = context("dev")["stages"]["dev"]
    stage = of_dev | {"targets": TARGETS, "ebs_key_arns": [AT_HOME], "concurrency": concurrency}
    return synthesized(context("dev", dev=stage))


def found(stack: str, type_: str) -> dict[str, Json]:
    template: Json = json.loads(stacks(assembly())[f"MigrationDev{stack}"].file.read_text())
    return {id_: plain(r["Properties"]) for id_, r in template["Resources"].items() if r["Type"] == type_}


def target(account: str = OTHER, region: str = "eu-west-1") -> str:
    return f"TargetAccess-{account}-{region}"


def roles(account: str = OTHER, region: str = "eu-west-1") -> dict[str, Json]:
    """The roles of a target, by the function that may assume each."""
    named = (r for r in found(target(account, region), "AWS::IAM::Role").values() if "RoleName" in r)
    of_names = {TargetSettings.model_validate(TARGETS).role_in(region, f): f.name for f in FUNCTIONS}
    return {of_names[role["RoleName"]]: role for role in named}


def granted() -> dict[str, set[str]]:
    """What each function may do in a target."""
    ids = {id_: r["RoleName"] for id_, r in found(target(), "AWS::IAM::Role").items() if "RoleName" in r}
    modules = {role["RoleName"]: module for module, role in roles().items()}
    may: dict[str, set[str]] = {}
    for policy in policies_of(target()):
        if (role := _role_of(policy)) in ids:
            may.setdefault(modules[ids[role]], set()).update(_actions(policy))
    return may


def policies_of(stack: str) -> list[Json]:
    template: Json = json.loads(stacks(assembly())[f"MigrationDev{stack}"].file.read_text())
    found: list[Json] = plain(policies(template))
    return found


def _role_of(policy: Json) -> str:
    (role,) = policy["Roles"]
    return str(role).strip("${}")


def _actions(policy: Json) -> set[str]:
    return {action for s in policy["PolicyDocument"]["Statement"] for action in listed(s["Action"])}


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


def test_role_lets_in_its_one_function_under_the_external_id_only() -> None:
    assert set(roles()) == FUNCTIONS_THAT_ENTER
    for module, role in roles().items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        function = f"arn:${{AWS::Partition}}:iam::{HOME}:role/migration-dev-{module}-us-east-1"
        assert statement == {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"},
            "Condition": {
                "ArnEquals": {"aws:PrincipalArn": function},
                "StringEquals": {"sts:ExternalId": "shibboleth"},
            },
        }


def test_functions_have_the_roles_that_targets_trust() -> None:
    functions = found("Orchestration", "AWS::Lambda::Function").values()
    named = {id_: r.get("RoleName") for id_, r in found("Orchestration", "AWS::IAM::Role").items()}
    modules = {f["Handler"].split(".")[2]: named[f["Role"].removeprefix("${").removesuffix(".Arn}")] for f in functions}
    assert modules == {module: f"migration-dev-{module}-${{AWS::Region}}" for module in modules}


def test_account_that_does_not_answer_leaves_dispatchers_for_the_others() -> None:
    mappings = found("Orchestration", "AWS::Lambda::EventSourceMapping").values()
    (wakes,) = (m for m in mappings if "DispatchLaunches" in m["FunctionName"])
    assert (wakes["BatchSize"], wakes["ScalingConfig"]["MaximumConcurrency"]) == (1, 2 + len(PLACES))


def test_i12_reserved_concurrency_is_what_the_steps_the_wakes_and_the_sweep_need_and_nobody_elses() -> None:
    reserved = {
        made["Handler"].split(".")[2]: made["ReservedConcurrentExecutions"]
        for made in found("Orchestration", "AWS::Lambda::Function").values()
        if "ReservedConcurrentExecutions" in made
    }
    of_steps = dict.fromkeys((step.name for step in STEPS), 30)
    assert reserved == of_steps | {"dispatch_launches": 2 + len(PLACES), "sweep": 1}


def test_roles_of_one_account_are_told_apart_by_function_and_region() -> None:
    names = [r["RoleName"] for place in PLACES for r in roles(*place).values() if place[0] == OTHER]
    assert len(set(names)) == len(names) == 2 * len(FUNCTIONS_THAT_ENTER)


def test_name_of_a_role_fits_whatever_the_stage_function_and_region() -> None:
    longest = settings(role_name="r" * 31)
    names = [longest.role_in("ap-southeast-1", f) for f in FUNCTIONS]
    names += [function_role_name("s" * 16, f.name, "ap-southeast-1") for f in FUNCTIONS]
    assert max(map(len, names)) <= 64


def test_each_function_may_do_in_a_target_what_it_may_do_at_home() -> None:
    wanted = {
        f.name: {
            action
            for p in given(f.permissions, {Named.EBS_KEYS: ("key",)})
            for action in p.actions
            if not action.startswith("states:")
        }
        for f in FUNCTIONS
    }
    assert granted() == {module: actions for module, actions in wanted.items() if actions}


@pytest.mark.parametrize(
    ("action", "module"),
    [
        ("mgn:StartCutover", "dispatch_launches"),
        ("mgn:TerminateTargetInstances", "dispatch_launches"),
        ("mgn:FinalizeCutover", "finalize_cutover"),
    ],
)
def test_in_a_target_too_only_one_function_may(action: str, module: str) -> None:
    assert [name for name, actions in granted().items() if action in actions] == [module]


def test_conditions_hold_in_a_target_too() -> None:
    documents = [p["PolicyDocument"] for p in policies_of(target())]
    through_mgn = {"ForAnyValue:StringEquals": {"aws:CalledVia": "mgn.amazonaws.com"}}
    runs = [s for policy in documents for s in policy["Statement"] if "ec2:RunInstances" in listed(s["Action"])]
    assert runs
    assert all(s["Condition"].items() >= through_mgn.items() for s in runs)


@pytest.mark.parametrize(
    ("stack", "region", "key"),
    [
        ("Orchestration", "${AWS::Region}", AT_HOME),
        (target(OTHER, "eu-west-1"), "${AWS::Region}", f"{KEYS}:eu-west-1:{OTHER}:key/a"),
        (target(OTHER, "us-east-1"), "${AWS::Region}", f"{KEYS}:us-east-1:{OTHER}:key/b"),
        (target(HOME, "eu-west-1"), "${AWS::Region}", None),
    ],
)
def test_launches_use_customer_keys_of_their_own_place_through_ec2_only(
    stack: str, region: str, key: str | None
) -> None:
    statements = [s for p in policies_of(stack) for s in p["PolicyDocument"]["Statement"]]
    through_ec2 = {"kms:ViaService": f"ec2.{region}.amazonaws.com"}
    keys = {
        action: (s["Resource"], s["Condition"])
        for s in statements
        for action in listed(s["Action"])
        if through_ec2 == s.get("Condition", {}).get("StringEquals")
    }
    uses = ("Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo")
    expected = {f"kms:{use}": (key, {"StringEquals": through_ec2}) for use in uses}
    for_aws = {"StringEquals": through_ec2, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert keys == (expected | {"kms:CreateGrant": (key, for_aws)} if key else {})


def test_validation_knows_the_keys_of_home_and_targets() -> None:
    functions = found("Orchestration", "AWS::Lambda::Function").values()
    (function,) = (f for f in functions if f["Handler"] == "runtime.handlers.validate_input.handler")
    read = ValidateEnvironment.from_variables(function["Environment"]["Variables"])
    assert read.ebs_key_arns == (AT_HOME,)
    assert {account: list(keys) for account, keys in read.target_ebs_key_arns.items()} == TARGETS["ebs_key_arns"]


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
    documents = [policy["PolicyDocument"] for policy in policies(document("dev", "Orchestration"))]
    assert "sts:AssumeRole" not in json.dumps(documents)


def test_only_functions_that_speak_to_mgn_may_enter_targets_and_only_by_their_roles() -> None:
    entering = {}
    for policy in policies_of("Orchestration"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if "sts:AssumeRole" in listed(statement["Action"]):
                entering[policy["Roles"][0]] = set(listed(statement["Resource"]))
    functions = found("Orchestration", "AWS::Lambda::Function").values()
    modules = {f["Handler"].split(".")[2] for f in functions if f["Role"].replace(".Arn", "") in entering}
    assert modules == FUNCTIONS_THAT_ENTER
    named = {f["Role"].replace(".Arn", ""): f["Handler"].split(".")[2] for f in functions}
    for role, allowed in entering.items():
        names = {(account, f"migration-dev-{named[role]}-{region}") for account, region in PLACES}
        assert allowed == {f"arn:${{AWS::Partition}}:iam::{account}:role/{name}" for account, name in names}


@pytest.mark.parametrize(("module", "kind"), [("trigger_migration", StepEnvironment), ("sweep", SweepEnvironment)])
def test_functions_know_the_targets(module: str, kind: type[StepEnvironment]) -> None:
    functions = found("Orchestration", "AWS::Lambda::Function").values()
    (function,) = (f for f in functions if f["Handler"] == f"runtime.handlers.{module}.handler")
    scopes = tuple(Scope(account, region) for account, region in PLACES)
    expected = Targets(role_name=f"migration-dev-{module}", external_id="shibboleth", scopes=scopes)
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
        {"role_name": "r" * 32},
        {"external_id": "x"},
        {"ebs_key_arns": {OTHER: [f"{KEYS}:ap-south-1:{OTHER}:key/a"]}},
        {"ebs_key_arns": {"999988887777": [f"{KEYS}:eu-west-1:{OTHER}:key/a"]}},
        {"ebs_key_arns": {OTHER: ["alias/ours"]}},
    ],
)
def test_impossible_targets_are_refused(wrong: Json) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        settings(**wrong)


def test_every_setting_of_targets_is_described() -> None:
    assert not [name for name, field in TargetSettings.model_fields.items() if not field.description]


def listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
