"""The state machine's definition, and what no validator checks."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Set
from datetime import timedelta
from pathlib import Path

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn

from migration_constructs.steps import Pace, StepTasks, wire_name
from runtime.errors import TRANSIENT
from runtime.models.functions.catalogue import STEPS
from runtime.models.functions.environment import Budgets
from runtime.models.functions.steps import FinalizeCutover, Plan, Rollback, TriggerMigration, VerifyMigration
from tests.golden.kinds import documents
from tests.unit.infrastructure.synthesis import ROOT, Json, definition, functions, plain, resources, template

ENDS = {"Ended", "Frozen"}
CHECKED = ["PrepareTest", "CheckTest", "PrepareCutover", "CheckCutover"]
WAITS = {
    *(f"{name}Again" for name in CHECKED),
    "AwaitReplication",
    "LaunchTest",
    "BootTest",
    "CleanUp",
    "AwaitApproval",
    "AwaitWindow",
    "LaunchCutover",
    "BootCutover",
    "Soak",
    "AwaitFinalApproval",
    "Undo",
    "PrepareTestAgain",
    "CheckTestAgain",
    "PrepareCutoverAgain",
    "CheckCutoverAgain",
}
TASKS = sorted(name for name, found in definition()["States"].items() if found["Type"] == "Task")


def state(name: str, stage: str = "dev") -> Json:
    return dict(definition(stage)["States"][name])


def payload(name: str) -> Json:
    return dict(state(name)["Parameters"]["Payload"])


def ways(name: str) -> Iterator[str]:
    """The states that may follow."""
    found = state(name)
    yield from (way for way in (found.get("Next"), found.get("Default")) if way)
    yield from (choice["Next"] for choice in found.get("Choices", ()))
    yield from (catch["Next"] for catch in found.get("Catch", ()))


def reachable(start: str, *, around: Set[str] = frozenset()) -> set[str]:
    """The states that may come to pass from one on, by ways that do not enter those `around` which they lead."""
    seen = set(around)
    todo = [start]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(ways(name))
    return seen - around


def test_definition_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    text = json.dumps(definition())
    for function in resources("dev", "Orchestration", "AWS::Lambda::Function"):
        text = text.replace(f"${{{function}.Arn}}", f"arn:aws:lambda:us-east-1:111122223333:function:{function}")
    file.write_text(text.replace("${AWS::Partition}", "aws"))
    node = shutil.which("node") or "node"
    validator = ROOT / "node_modules" / ".bin" / "asl-validator"
    done = subprocess.run([node, validator, "--json-path", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_state_is_reachable() -> None:
    assert reachable(definition()["StartAt"]) == set(definition()["States"])


@pytest.mark.parametrize("name", TASKS)
def test_every_path_can_reach_an_end(name: str) -> None:
    assert reachable(name) & ENDS


def test_only_the_two_ends_end() -> None:
    assert {name for name in definition()["States"] if not list(ways(name))} == ENDS


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout(name: str) -> None:
    assert state(name)["TimeoutSeconds"] > 0


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("LaunchTest", ("launch_queue", "launch")),
        ("LaunchCutover", ("launch_queue", "launch")),
        ("BootTest", ("boot", "launch")),
        ("BootCutover", ("boot", "launch")),
        ("CleanUp", ("launch_queue", "undo")),
        ("Undo", ("launch_queue", "undo")),
    ],
)
def test_i7_task_outlasts_all_its_wait_may_take(name: str, waits: tuple[str, str]) -> None:
    budgets = Budgets()
    assert state(name)["TimeoutSeconds"] > sum(getattr(budgets, wait) for wait in waits)


@pytest.mark.parametrize("name", sorted(set(TASKS) - WAITS))
def test_call_outlasts_its_function(name: str) -> None:
    assert state(name)["TimeoutSeconds"] > _function(name)["Timeout"]


@pytest.mark.parametrize("name", TASKS)
def test_no_heartbeat_outlasts_its_timeout(name: str) -> None:
    assert state(name).get("HeartbeatSeconds", 0) < state(name)["TimeoutSeconds"]


@pytest.mark.parametrize("name", TASKS)
def test_every_retry_has_full_jitter_and_a_longest_wait(name: str) -> None:
    retries = state(name)["Retry"]
    assert retries
    assert all(retry["JitterStrategy"] == "FULL" and retry["MaxDelaySeconds"] >= 30 for retry in retries)


@pytest.mark.parametrize("name", TASKS)
def test_all_errors_are_never_mixed_with_others(name: str) -> None:
    for handlers in (state(name)["Retry"], state(name)["Catch"]):
        for position, handler in enumerate(handlers, start=1):
            if "States.ALL" in handler["ErrorEquals"]:
                assert handler["ErrorEquals"] == ["States.ALL"]
                assert position == len(handlers)


@pytest.mark.parametrize("name", TASKS)
def test_every_transient_error_is_retried_once_named(name: str) -> None:
    named = [error for retry in state(name)["Retry"] for error in retry["ErrorEquals"]]
    assert sorted(error for error in named if "." not in error) == sorted(set(TRANSIENT) - {"CheckPendingError"})


def attempts(name: str, error: str) -> int:
    """How often a state is repeated after this error."""
    (retry,) = (r for r in state(name)["Retry"] if error in r["ErrorEquals"])
    return int(retry["MaxAttempts"])


def minutes(name: str, error: str) -> float:
    """How long a state is repeated after this error: with full jitter half of each wait."""
    (retry,) = (r for r in state(name)["Retry"] if error in r["ErrorEquals"])
    waits = (retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"]))
    return float(sum(min(wait, retry["MaxDelaySeconds"]) for wait in waits)) / 120


@pytest.mark.parametrize("name", TASKS)
def test_i12_throttling_is_outlasted_for_hours_and_an_outage_for_one(name: str) -> None:
    assert minutes(name, "Lambda.TooManyRequestsException") == minutes(name, "ThrottledError") > 170
    assert minutes(name, "ServiceUnavailableError") == minutes(name, "Lambda.ServiceException") > 60
    assert minutes(name, "Lambda.Unknown") < 15


@pytest.mark.parametrize("error", ["Lambda.TooManyRequestsException", "ServiceUnavailableError", "Lambda.Unknown"])
def test_history_has_room_for_every_attempt_of_every_step_and_of_the_undo(error: str) -> None:
    way = longest_way("Validate")
    assert len(set(way) & set(TASKS)) == 15
    calls = [name for name in way if name in TASKS] + ["Undo"] * Budgets().undo_rounds + ["Freeze"]
    # An attempt is scheduled, started and failed; a state is entered, submitted, succeeds and is left.
    assert sum(3 * attempts(name, error) for name in calls) + 8 * (len(calls) + len(way)) < 25_000


def longest_way(name: str, been: Set[str] = frozenset()) -> list[str]:
    """The states of the longest way to an end when nothing fails and no round is repeated."""
    after = {way for way in ways(name) if way not in been} - {catch["Next"] for catch in state(name).get("Catch", ())}
    return [name, *max((longest_way(way, {*been, name}) for way in after), key=len, default=[])]


@pytest.mark.parametrize("name", CHECKED)
def test_what_is_pending_is_waited_for_and_then_tried_again(name: str) -> None:
    pending, _ = state(name)["Catch"]
    assert pending == {"ErrorEquals": ["CheckPendingError"], "Next": f"{name}Again", "ResultPath": None}
    assert state(f"{name}Again")["Next"] == name
    assert state(f"{name}Again")["Parameters"]["Payload"]["kind"] == "check"


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"Undo", "Freeze"}))
def test_every_failure_is_undone_and_after_the_point_of_no_return_let_be(name: str) -> None:
    way = "Undo" if name not in reachable(state("Finalize")["Next"]) else "Ended"
    assert state(name)["Catch"][-1] == {"ErrorEquals": ["States.ALL"], "Next": way, "ResultPath": "$.failure"}


@pytest.mark.parametrize(("name", "next_"), [("Undo", "Freeze"), ("Freeze", "Frozen")])
def test_failed_undo_freezes(name: str, next_: str) -> None:
    assert [catch["Next"] for catch in state(name)["Catch"]] == [next_]


@pytest.mark.parametrize("name", ["Undo", "CleanUp"])
def test_undo_goes_round_until_it_is_done_or_frozen(name: str) -> None:
    choice = state(f"{name}Done?")
    assert {c["StringEquals"]: c["Next"] for c in choice["Choices"]} == {"done": "Ended", "again": name}
    assert choice["Default"] == "Frozen"


def test_i5_nothing_but_finalize_leads_from_the_cutover_to_a_good_end() -> None:
    assert "Ended" in reachable("LaunchCutover", around={"Undo"})
    assert "Ended" not in reachable("LaunchCutover", around={"Undo", "Finalize"})


@pytest.mark.parametrize("name", TASKS)
def test_only_waits_hand_out_their_token(name: str) -> None:
    assert ("taskToken.$" in payload(name)) == (name in WAITS)
    assert state(name)["Resource"].endswith(".waitForTaskToken") == (name in WAITS)


@pytest.mark.parametrize("name", TASKS)
def test_every_step_knows_migration_correlation_and_execution(name: str) -> None:
    expected = {
        "migrationId.$": "$.migrationId",
        "correlationId.$": "$.correlationId",
        "execution.$": "$$.Execution.Id",
    }
    assert expected.items() <= payload(name).items()


@pytest.mark.parametrize("phase", ["Test", "Cutover"])
@pytest.mark.parametrize("step", ["Prepare", "Launch", "Boot", "Check"])
def test_phase_is_handed_on(step: str, phase: str) -> None:
    assert payload(f"{step}{phase}")["phase"] == phase.lower()


@pytest.mark.parametrize("name", ["Undo", "Freeze"])
def test_undo_knows_the_failure(name: str) -> None:
    assert payload(name)["failure.$"] == "$.failure"


def test_plan_is_kept_whole() -> None:
    assert set(state("Validate")["ResultSelector"]) == {f"{wire_name(Plan, field)}.$" for field in Plan.model_fields}


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"Validate", "Undo", "CleanUp"}))
def test_state_grows_only_by_plan_and_undo(name: str) -> None:
    assert state(name)["ResultPath"] is None


def test_execution_ends_before_step_functions_ends_it() -> None:
    assert definition()["TimeoutSeconds"] == 364 * 86_400


def test_local_stage_waits_shorter() -> None:
    assert state("BootTest", "local")["TimeoutSeconds"] < state("BootTest")["TimeoutSeconds"]


def test_executions_are_logged_without_their_data() -> None:
    template("dev", "Orchestration").has_resource_properties(
        "AWS::StepFunctions::StateMachine",
        {"LoggingConfiguration": {"Level": "ALL", "IncludeExecutionData": False}},
    )


def test_logs_go_to_a_group_for_vended_logs_that_no_other_stack_has() -> None:
    (name,) = (
        plain(group["LogGroupName"])
        for group in resources("dev", "Orchestration", "AWS::Logs::LogGroup").values()
        if "LogGroupName" in group
    )
    assert name == "/aws/vendedlogs/states/MigrationDevOrchestration-${AWS::StackId}|/|2"


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_each_revision_is_a_version_that_stays(stage: str) -> None:
    (machine,) = resources(stage, "Orchestration", "AWS::StepFunctions::StateMachine")
    revision = {"Fn::GetAtt": [machine, "StateMachineRevisionId"]}
    template(stage, "Orchestration").has_resource(
        "AWS::StepFunctions::StateMachineVersion",
        {
            # A change of either replaces the version.
            "Properties": {"StateMachineArn": {"Ref": machine}, "StateMachineRevisionId": revision},
            "UpdateReplacePolicy": "Retain",
            "DeletionPolicy": "RetainExceptOnCreate",
        },
    )


def test_alias_stands_for_the_version_of_this_deployment_alone() -> None:
    (version,) = resources("dev", "Orchestration", "AWS::StepFunctions::StateMachineVersion")
    (alias,) = resources("dev", "Orchestration", "AWS::StepFunctions::StateMachineAlias").values()
    assert plain(alias["RoutingConfiguration"]) == [{"StateMachineVersionArn": f"${{{version}.Arn}}", "Weight": 100}]


def test_executions_are_traced() -> None:
    template("dev", "Orchestration").has_resource_properties(
        "AWS::StepFunctions::StateMachine", {"TracingConfiguration": {"Enabled": True}}
    )


def test_i13_every_payload_of_a_task_stands_among_the_golden_ones() -> None:
    """A later release, and the one before after a rollback, have to read what this definition hands over."""
    golden = {
        (path.stem.partition("-")[0], frozenset(json.loads(path.read_text())))
        for path in documents()
        if path.parent.name == "payloads"
    }
    handed = {
        (module_of(task), frozenset(name.removesuffix(".$") for name in task["Parameters"]["Payload"]))
        for task in definition()["States"].values()
        if task["Type"] == "Task"
    }
    assert handed <= golden


def module_of(task: Json) -> str:
    """The handler's module of the function a task calls."""
    function = task["Parameters"]["FunctionName"].removeprefix("${").removesuffix(".Arn}")
    found: str = resources("dev", "Orchestration", "AWS::Lambda::Function")[function]["Handler"].split(".")[2]
    return found


def test_renamed_field_stops_the_synthesis() -> None:
    with pytest.raises(ValueError, match="VerifyMigration has no field 'stage'"):
        _tasks().call("Check", VerifyMigration, stage="test")


def test_missing_field_stops_the_synthesis() -> None:
    with pytest.raises(ValueError, match=r"TriggerMigration needs \['phase'\]"):
        _tasks().wait("Launch", TriggerMigration, at_most=timedelta(hours=1))


@pytest.mark.parametrize("step", [FinalizeCutover, Rollback])
def test_call_needs_no_token(step: type[FinalizeCutover | Rollback]) -> None:
    assert _tasks().call("Step", step)


def _tasks() -> StepTasks:
    stack = Stack(App(), "Stack")
    function = lambda_.Function(
        stack,
        "Function",
        code=lambda_.Code.from_inline("handler = None"),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        timeout=Duration.seconds(3),
    )
    pace = Pace(transient=Duration.seconds(1))
    return StepTasks(
        scope=stack,
        functions=dict.fromkeys(STEPS, function),
        pace=pace,
        on_failure=sfn.Fail(stack, "Failed"),
    )


def _function(name: str) -> Json:
    arn = state(name)["Parameters"]["FunctionName"]
    id_ = plain(arn).removeprefix("${").split(".")[0]
    handler = resources("dev", "Orchestration", "AWS::Lambda::Function")[id_]["Handler"]
    return functions()[handler.split(".")[2]]


def test_definition_and_history_are_under_the_stages_key() -> None:
    (machine,) = resources("dev", "Orchestration", "AWS::StepFunctions::StateMachine").values()
    encrypted = plain(machine["EncryptionConfiguration"])
    assert encrypted["Type"] == "CUSTOMER_MANAGED_KMS_KEY"
    assert "Key" in encrypted["KmsKeyId"]
