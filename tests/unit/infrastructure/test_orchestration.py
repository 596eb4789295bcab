"""Event sources, rules and outputs."""

import json

import pytest
from aws_cdk.assertions import Match
from pydantic.alias_generators import to_pascal

from runtime.models.deployment import Deployment
from runtime.models.events import SOURCE, MigrationRequested, MigrationSignal
from runtime.models.functions.catalogue import FUNCTIONS
from runtime.models.table import JOURNAL_PREFIX
from stacks.access import API_OUTPUT
from tests.unit.infrastructure.synthesis import Json, document, functions, output_of, plain, resources, template

MAPPING = "AWS::Lambda::EventSourceMapping"
RULES = ["MigrationRequested", "MigrationSignal", "MgnEvents", "ExecutionFailed", "Sweep"]


def rule(id_: str) -> Json:
    found: Json = plain(
        next(
            properties
            for name, properties in resources("dev", "Orchestration", "AWS::Events::Rule").items()
            if name.startswith(id_)
        )
    )
    return found


def target(id_: str) -> Json:
    (found,) = rule(id_)["Targets"]
    return dict(found)


def sources(properties: Json) -> None:
    template("dev", "Orchestration").has_resource_properties(MAPPING, properties)


def test_requests_are_read_in_batches_with_partial_failures() -> None:
    sources(
        {
            "EventSourceArn": output_of("MigrationDevMessaging", "RequestsQueue.*Arn"),
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 10},
        }
    )


def test_decisions_are_read_from_a_queue_of_their_own_with_partial_failures() -> None:
    sources(
        {
            "EventSourceArn": output_of("MigrationDevMessaging", "DecisionsQueue.*Arn"),
            "FunctionName": {"Ref": Match.string_like_regexp("FunctionsSignalHandler.*")},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 2},
        }
    )


def test_i14_only_steps_are_told_what_is_asked_of_those_who_decide_and_production_requires_both_gates() -> None:
    told = {
        name: json.loads(function["Environment"]["Variables"]["DECISION_RULES"])
        for name, function in functions("prod").items()
        if "DECISION_RULES" in function["Environment"]["Variables"]
    }
    assert {"validate_input", "signal_handler"} <= told.keys()
    assert told["signal_handler"] == {
        "required_gates": ["cutover", "finalize"],
        "requester_may_approve": True,
        "by_bus": False,
    }


def test_callbacks_are_read_one_by_one_by_a_bounded_number_of_functions() -> None:
    sources(
        {
            "EventSourceArn": output_of("MigrationDevMessaging", "CallbacksQueue.*Arn"),
            "BatchSize": 1,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 10},
        }
    )


def test_wakes_are_read_one_by_one_by_as_few_dispatchers_as_sqs_allows() -> None:
    sources(
        {
            "EventSourceArn": output_of("MigrationDevMessaging", "WakesQueue.*Arn"),
            "FunctionName": {"Ref": Match.string_like_regexp("FunctionsDispatchLaunches.*")},
            "BatchSize": 1,
            "ScalingConfig": {"MaximumConcurrency": 2},
        }
    )


def test_only_new_journal_entries_are_published() -> None:
    (stream,) = (m for m in resources("dev", "Orchestration", MAPPING).values() if "StartingPosition" in m)
    (criteria,) = stream["FilterCriteria"]["Filters"]
    assert json.loads(criteria["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"Keys": {"sk": {"S": [{"prefix": JOURNAL_PREFIX}]}}},
    }


def test_journal_entry_that_cannot_be_published_is_isolated_and_kept() -> None:
    sources(
        {
            "StartingPosition": "TRIM_HORIZON",
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 10,
            "DestinationConfig": {"OnFailure": {"Destination": Match.any_value()}},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
    )


def test_accepted_request_starts_an_execution() -> None:
    assert rule("MigrationRequested")["EventPattern"] == {
        "source": [SOURCE],
        "detail-type": [MigrationRequested.detail_type],
    }
    assert target("MigrationRequested")["Arn"].startswith("${MigrationAlias")


def test_execution_gets_the_event_detail_as_input() -> None:
    assert target("MigrationRequested")["InputPath"] == "$.detail"


def test_rule_that_starts_executions_has_a_role_that_may_start_them_and_nothing_else() -> None:
    role = target("MigrationRequested")["RoleArn"].removeprefix("${").removesuffix(".Arn}")
    policies = resources("dev", "Orchestration", "AWS::IAM::Policy").values()
    (policy,) = (policy for policy in policies if policy["Roles"] == [{"Ref": role}])
    (statement,) = policy["PolicyDocument"]["Statement"]
    # Step Functions authorises a start by alias on the machine.
    (machine,) = resources("dev", "Orchestration", "AWS::StepFunctions::StateMachine")
    assert (statement["Action"], statement["Resource"]) == ("states:StartExecution", {"Ref": machine})


def test_decisions_come_from_others_only() -> None:
    assert rule("MigrationSignal")["EventPattern"] == {
        "source": [{"anything-but": [SOURCE]}],
        "detail-type": [MigrationSignal.detail_type],
    }


def test_documented_mgn_events_wake_waits() -> None:
    assert rule("MgnEvents")["EventPattern"] == {
        "source": ["aws.mgn"],
        "detail-type": [
            "MGN Source Server Launch Result",
            "MGN Source Server Lifecycle State Change",
            "MGN Source Server Data Replication Stalled Change",
        ],
    }


def test_aws_events_are_heard_on_the_default_bus() -> None:
    assert "EventBusName" not in rule("MgnEvents")
    assert "EventBusName" not in rule("ExecutionFailed")


def test_unhappy_end_of_our_executions_is_heard() -> None:
    detail = rule("ExecutionFailed")["EventPattern"]["detail"]
    assert detail["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    (machine,) = detail["stateMachineArn"]
    assert machine.startswith("${MigrationStateMachine")


@pytest.mark.parametrize("id_", ["MigrationSignal", "MgnEvents", "ExecutionFailed"])
def test_every_resume_comes_through_the_signal_handler(id_: str) -> None:
    assert target(id_)["Arn"].startswith("${FunctionsSignalHandler")


def test_sweep_runs_every_minute() -> None:
    assert rule("Sweep")["ScheduleExpression"] == "rate(1 minute)"


@pytest.mark.parametrize("id_", RULES)
def test_undeliverable_event_is_kept(id_: str) -> None:
    assert target(id_)["DeadLetterConfig"]["Arn"].startswith("${FnGetAttEventsUndelivered")


@pytest.mark.parametrize("id_", RULES)
def test_delivery_is_retried_within_bounds(id_: str) -> None:
    assert target(id_)["RetryPolicy"]["MaximumRetryAttempts"] == (0 if id_ == "Sweep" else 185)


def test_there_are_no_other_rules() -> None:
    assert len(resources("dev", "Orchestration", "AWS::Events::Rule")) == len(RULES)


@pytest.mark.parametrize(("stage", "door"), [("local", True), ("dev", True), ("prod", False)])
def test_outputs_are_what_the_cli_reads(stage: str, door: bool) -> None:
    expected = {to_pascal(field) for field in Deployment.model_fields} - ({"HttpUrl"} if not door else set())
    assert {name for name in document(stage, "Orchestration")["Outputs"] if name != API_OUTPUT} == expected


def test_only_the_publishers_may_speak_for_the_pipeline_on_its_bus() -> None:
    (policy,) = resources("dev", "Orchestration", "AWS::Events::EventBusPolicy").values()
    statement = policy["Statement"]
    publishers = {f.name for f in FUNCTIONS if f.publishes}
    roles = {name: f["Role"]["Fn::GetAtt"] for name, f in functions().items()}
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "events:PutEvents")
    assert statement["Condition"]["ForAnyValue:StringEquals"] == {"events:source": SOURCE}
    excepted = statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    assert sorted(role["Fn::GetAtt"] for role in excepted) == sorted(roles[name] for name in publishers)
    assert publishers == {"http_handler", "ingress_handler", "publish_events", "sweep"}
