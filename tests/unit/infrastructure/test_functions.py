"""The functions and their environments."""

from importlib import import_module
from pathlib import Path

import pytest

import runtime.handlers
from runtime.adapters.aws import clients
from runtime.models.functions.catalogue import FUNCTIONS, STEPS
from runtime.models.functions.environment import (
    CallbackEnvironment,
    StepEnvironment,
)
from tests.unit.infrastructure.synthesis import (
    DELETION_POLICIES,
    Json,
    context,
    functions,
    key_of,
    plain,
    resources,
    template,
)

FUNCTION = "AWS::Lambda::Function"
STEP_NAMES = [function.name for function in STEPS]
ENVIRONMENTS = {function.name: function.environment for function in FUNCTIONS}


def variables(module: str, stage: str = "dev") -> dict[str, str]:
    found: dict[str, str] = plain(functions(stage)[module]["Environment"]["Variables"])
    return found


def all_have(properties: Json, stage: str = "dev") -> None:
    template(stage, "Orchestration").all_resources_properties(FUNCTION, properties)


@pytest.mark.parametrize("module", sorted(ENVIRONMENTS))
def test_handler_exists(module: str) -> None:
    package, name, attribute = functions()[module]["Handler"].rsplit(".", 2)
    assert callable(getattr(import_module(f"{package}.{name}"), attribute))


def test_every_handler_module_is_a_function() -> None:
    (folder,) = runtime.handlers.__path__
    modules = {file.stem for file in Path(folder).glob("*.py") if "\ndef handler(" in file.read_text()}
    assert modules == set(functions())


@pytest.mark.parametrize("module", sorted(ENVIRONMENTS))
def test_handler_reads_the_environment_its_function_has(module: str) -> None:
    read = ENVIRONMENTS[module].from_variables(variables(module))
    assert read.to_variables().items() <= variables(module).items()


@pytest.mark.parametrize("module", sorted(ENVIRONMENTS))
def test_environment_names_the_state_table(module: str) -> None:
    assert variables(module)["STATE_TABLE"].startswith("${")


def test_local_stage_shortens_the_waits() -> None:
    budgets = StepEnvironment.from_variables(variables("verify_migration", "local")).budgets
    assert budgets.boot < StepEnvironment.from_variables(variables("verify_migration")).budgets.boot


@pytest.mark.parametrize(("stage", "allowed"), [("local", True), ("dev", False), ("prod", False)])
def test_callbacks_reach_private_addresses_only_on_a_laptop(stage: str, allowed: bool) -> None:
    read = CallbackEnvironment.from_variables(variables("callback_handler", stage))
    assert read.allows_private_addresses is allowed


@pytest.mark.parametrize("module", sorted(ENVIRONMENTS))
def test_function_names_itself_in_logs_and_metrics(module: str) -> None:
    expected = {"POWERTOOLS_SERVICE_NAME": module, "POWERTOOLS_METRICS_NAMESPACE": "MigrationOrchestrator"}
    assert expected.items() <= variables(module).items()


def test_environments_are_encrypted_with_the_stages_key() -> None:
    all_have({"KmsKeyArn": key_of()})


def test_functions_are_traced() -> None:
    all_have({"TracingConfig": {"Mode": "Active"}})


def test_functions_run_one_runtime_on_arm() -> None:
    all_have({"Runtime": "python3.13", "Architectures": ["arm64"]})


@pytest.mark.parametrize("stage", ["local", "dev"])
def test_functions_share_one_asset(stage: str) -> None:
    assert len({str(function["Code"]) for function in functions(stage).values()}) == 1


def test_two_synths_of_the_same_code_give_the_same_asset() -> None:
    assert _code_key("dev") == _code_key("prod")


def test_every_function_has_its_own_log_group() -> None:
    groups = [str(function["LoggingConfig"]["LogGroup"]) for function in functions().values()]
    assert len(set(groups)) == len(groups)


@pytest.mark.parametrize(("stage", "days"), [("local", 7), ("dev", 30), ("prod", 365)])
def test_logs_are_encrypted_and_kept_as_the_stage_says(stage: str, days: int) -> None:
    template(stage, "Orchestration").all_resources_properties(
        "AWS::Logs::LogGroup",
        {"RetentionInDays": days, "KmsKeyId": key_of(stage)},
    )


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_no_function_takes_concurrency_from_the_account(stage: str) -> None:
    assert not [name for name, found in functions(stage).items() if "ReservedConcurrentExecutions" in found]


@pytest.mark.parametrize("module", ["sweep", "dispatch_launches", *STEP_NAMES])
def test_whoever_may_wake_knows_the_queue(module: str) -> None:
    assert variables(module)["WAKE_QUEUE"].startswith("${RefWakes")


@pytest.mark.parametrize("stage", sorted(context("dev")["stages"]))
def test_i3_dispatcher_is_dead_before_its_batch_is_given_up(stage: str) -> None:
    budgets = StepEnvironment.from_variables(variables("dispatch_launches", stage)).budgets
    assert functions(stage)["dispatch_launches"]["Timeout"] < budgets.launch_doubt


def test_service_that_stays_silent_leaves_the_dispatcher_half_of_its_time() -> None:
    # botocore pauses for at most 1, 2, 4, … seconds between attempts.
    longest = clients.SHARED_ATTEMPTS * clients.SHARED_READ_TIMEOUT + 2 ** (clients.SHARED_ATTEMPTS - 1) - 1
    assert longest <= functions()["dispatch_launches"]["Timeout"] / 2


@pytest.mark.parametrize(("stage", "whole", "of_steps"), [("dev", 20, 16), ("local", 1_000, 800)])
def test_steps_leave_a_fifth_of_the_requests_to_the_dispatcher(stage: str, whole: int, of_steps: int) -> None:
    allowed = {
        module: StepEnvironment.from_variables(variables(module, stage)).mgn_requests
        for module in (*STEP_NAMES, "dispatch_launches")
    }
    assert allowed == dict.fromkeys(STEP_NAMES, of_steps) | {"dispatch_launches": whole}


def test_all_functions_count_requests_in_the_same_shards() -> None:
    shards = {
        StepEnvironment.from_variables(variables(module)).mgn_request_shards
        for module in (*STEP_NAMES, "dispatch_launches")
    }
    assert shards == {4}


def test_failed_sweep_is_not_repeated() -> None:
    assert _invoke_configs()["sweep"]["MaximumRetryAttempts"] == 0


def test_signal_no_attempt_could_handle_is_kept() -> None:
    destination = _invoke_configs()["signal_handler"]["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination.startswith("${FnGetAttEventsUndelivered")


@pytest.mark.parametrize(("stage", "policy"), DELETION_POLICIES.items())
def test_signing_key_that_receivers_hold_outlives_the_stack_only_in_production(stage: str, policy: str) -> None:
    template(stage, "Orchestration").has_resource("AWS::SecretsManager::Secret", {"DeletionPolicy": policy})


def test_signing_key_is_generated_and_encrypted() -> None:
    template("dev", "Orchestration").has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True},
            "KmsKeyId": key_of(),
        },
    )


def _code_key(stage: str) -> str:
    return str(functions(stage)["sweep"]["Code"]["S3Key"])


def _invoke_configs() -> dict[str, Json]:
    """By handler module."""
    named = {
        id_: properties["Handler"].split(".")[2]
        for id_, properties in resources("dev", "Orchestration", FUNCTION).items()
    }
    configs = resources("dev", "Orchestration", "AWS::Lambda::EventInvokeConfig").values()
    return {named[config["FunctionName"]["Ref"]]: plain(config) for config in configs}


def test_only_the_dispatcher_may_wake_itself_for_longer_than_lambda_lets_a_loop_go_on() -> None:
    allowed = {module: function.get("RecursiveLoop") for module, function in functions().items()}
    assert allowed == dict.fromkeys(functions()) | {"dispatch_launches": "Allow"}


def test_no_other_function_reads_the_signing_key() -> None:
    (policy,) = plain(resources("dev", "Orchestration", "AWS::SecretsManager::ResourcePolicy")).values()
    (statement,) = policy["ResourcePolicy"]["Statement"]
    roles = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/migration-dev-"
    assert (statement["Effect"], statement["Action"]) == ("Deny", "secretsmanager:GetSecretValue")
    assert statement["Condition"] == {
        "ArnLike": {"aws:PrincipalArn": f"{roles}*-${{AWS::Region}}"},
        "ArnNotEquals": {"aws:PrincipalArn": f"{roles}callback_handler-${{AWS::Region}}"},
    }
