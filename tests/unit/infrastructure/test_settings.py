"""Settings of the stages."""

import platform
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from pydantic import ValidationError

from app import build
from localcloud.demo.run import SCENARIOS
from localcloud.network import TARGET_ACCOUNT, TARGET_REGION
from runtime.models.functions.catalogue import DISPATCH_LAUNCHES, STEPS, SWEEP
from runtime.models.scope import Scope
from simulator.scenario import load_scenario
from stacks.settings import StageSettings
from tests.unit.infrastructure.synthesis import NO_BUNDLING, Json, context
from tests.unit.infrastructure.test_permissions import policies


def settings(stage: str, **changes: Any) -> StageSettings:
    stages = context(stage)["stages"]
    found = {**stages.get(stage, {}), **changes}
    return StageSettings.from_context(App(context={"stage": stage, "stages": {**stages, stage: found}}).node)


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_settings_know_their_stage(stage: str) -> None:
    assert settings(stage).stage == stage


def test_stage_is_dev_unless_named() -> None:
    assert StageSettings.from_context(App(context={"stages": context("dev")["stages"]}).node).stage == "dev"


def test_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no stage 'test' in context.stages, only \['dev', 'local', 'prod'\]"):
        StageSettings.from_context(App(context={"stage": "test", "stages": context("dev")["stages"]}).node)


def test_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="log_levle"):
        settings("dev", log_levle={})


@pytest.mark.parametrize("seconds", [5, 60])
def test_i3_batch_given_up_while_its_dispatcher_may_live_is_refused_with_what_to_do(seconds: int) -> None:
    told = f"budgets.launch_doubt: {seconds} .* timeout of 60 s.* 61 or more"
    with pytest.raises(ValidationError, match=told):
        settings("dev", budgets={"launch_doubt": seconds})


def test_shortest_doubt_outlives_the_dispatcher_by_a_second() -> None:
    assert settings("dev", budgets={"launch_doubt": 61}).budgets.launch_doubt == 61


def test_smallest_budget_of_requests_leaves_one_to_everybody() -> None:
    assert settings("dev", mgn_requests=2).mgn_requests_of_steps == 1
    with pytest.raises(ValidationError, match="mgn_requests"):
        settings("dev", mgn_requests=1)


def test_stage_that_shares_mgn_has_to_say_how_much_of_it_is_its_own() -> None:
    with pytest.raises(ValidationError, match=r"shares_mgn: .* set mgn_requests to this stage's part"):
        settings("dev", shares_mgn=True)
    assert settings("dev", shares_mgn=True, mgn_requests=10).shares_mgn


HOME_AND_TARGET: Json = {
    "home_account": "111122223333",
    "home_region": "us-east-1",
    "role_name": "migration-dev",
    "external_id": "shibboleth",
    "regions": {"222233334444": ["eu-west-1"]},
}


@pytest.mark.parametrize("account", ["111122223333", "222233334444", None])
def test_credentials_of_home_or_target_or_none_may_synthesize(account: str | None) -> None:
    settings("dev", targets=HOME_AND_TARGET).check_account(account)


def test_credentials_of_another_account_are_refused_with_the_ones_that_are_meant() -> None:
    told = r"is at home in 111122223333, but the credentials are of 999999999999.*\['111122223333', '222233334444'\]"
    with pytest.raises(ValueError, match=told):
        settings("dev", targets=HOME_AND_TARGET).check_account("999999999999")


def test_any_credentials_may_synthesize_for_the_local_cloud() -> None:
    settings("local").check_account("999999999999")


@pytest.mark.parametrize(("requests", "shards"), [(2, 1), (9, 1), (20, 4), (1_000, 4)])
def test_every_shard_of_the_requests_has_some_for_the_dispatcher_alone(requests: int, shards: int) -> None:
    found = settings("dev", mgn_requests=requests)
    assert found.mgn_request_shards == shards
    of_steps = [len(range(shard, found.mgn_requests_of_steps, shards)) for shard in range(shards)]
    of_all = [len(range(shard, requests, shards)) for shard in range(shards)]
    assert all(few < many for few, many in zip(of_steps, of_all, strict=True))


def test_no_concurrency_is_reserved_unless_the_stage_says_so() -> None:
    assert settings("prod").reserved_concurrency == {}


def test_reserved_concurrency_is_for_the_steps_the_dispatchers_and_one_sweep() -> None:
    found = settings("local", concurrency={"account": 1_000, "steps": 20})
    of_steps = dict.fromkeys(STEPS, 20)
    assert found.reserved_concurrency == of_steps | {DISPATCH_LAUNCHES: found.dispatchers, SWEEP: 1}


@pytest.mark.parametrize(("account", "wanted"), [(10, 178), (277, 178)])
def test_concurrency_the_account_cannot_spare_is_refused_with_what_to_do(account: int, wanted: int) -> None:
    told = f"{wanted} invocations would be reserved of {account}.* keeps 100 .*lower concurrency.steps"
    with pytest.raises(ValidationError, match=told):
        settings("dev", concurrency={"account": account})
    assert sum(settings("dev", concurrency={"account": 278}).reserved_concurrency.values()) == wanted


@pytest.mark.parametrize(
    "doors", [{}, {"requests_by_bus": False, "decisions": {"requester_may_approve": False, "by_bus": True}}]
)
def test_i14_two_people_where_the_bus_hides_who_they_are_are_refused_with_what_to_do(doors: Json) -> None:
    with pytest.raises(ValidationError, match=r"set requests_by_bus and .* to false"):
        settings("dev", **{"decisions": {"requester_may_approve": False}, **doors})


def test_i14_two_people_are_told_apart_on_the_queues() -> None:
    found = settings("dev", requests_by_bus=False, decisions={"requester_may_approve": False})
    assert not found.decisions.requester_may_approve


def test_every_setting_is_described() -> None:
    assert not [name for name, field in StageSettings.model_fields.items() if not field.description]


def test_local_stage_builds_for_this_interpreter_and_machine() -> None:
    local = settings("local")
    assert local.lambda_runtime.name == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert local.lambda_architecture.name == {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    assert local.bundle_target.platform is None


def test_local_stages_target_is_where_the_sample_has_servers() -> None:
    targets = settings("local").targets
    places = {Scope(scenario.account_id, scenario.region) for scenario in map(load_scenario, SCENARIOS)}
    assert targets is not None
    assert {Scope(targets.home_account, targets.home_region), *targets.places} == places
    assert targets.places == (Scope(TARGET_ACCOUNT, TARGET_REGION),)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_deployed_stages_build_for_graviton(stage: str) -> None:
    target = settings(stage).bundle_target
    assert (target.python_version, target.platform) == ("3.13", "aarch64-manylinux2014")


def test_functions_run_in_the_network_they_are_given(tmp_path: Path) -> None:
    network = {
        "vpc_id": "vpc-0a1b2c3d",
        "availability_zones": ["us-east-1a"],
        "private_subnet_ids": ["subnet-0a1b2c3d"],
        "security_group_ids": ["sg-0a1b2c3d"],
    }
    stages = context("dev")["stages"]
    changed = context("dev", dev={**stages["dev"], "network": network})
    assembly = build(App(context=changed | NO_BUNDLING, outdir=str(tmp_path))).synth()
    template = assembly.get_stack_by_name("MigrationDevOrchestration").template
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    expected = {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]}
    assert all(function["Properties"]["VpcConfig"] == expected for function in functions)
    statements = [s for policy in policies(template) for s in policy["PolicyDocument"]["Statement"]]
    interfaces = [s for s in statements if "ec2:CreateNetworkInterface" in s["Action"]]
    # The right is Lambda's own: calls that the code of a function makes name the function.
    assert len(interfaces) == len(functions)
    assert all(s["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}} for s in interfaces)


def test_i3_launch_repeated_while_its_first_request_may_arrive_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValidationError, match=r"budgets.request_life: AWS takes .* 300 s.* after 299 s.* 300 or more"):
        settings("dev", budgets={"request_life": 299})
    assert settings("dev", budgets={"request_life": 300}).budgets.request_life == 300
