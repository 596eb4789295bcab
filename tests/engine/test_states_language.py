"""The Amazon States Language as the local engine runs it."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

PASS = {"Type": "Pass", "End": True}


def test_choice_and_intrinsic_functions(aws: "Aws") -> None:
    rule = {
        "And": [
            {"Variable": "$.number", "NumericGreaterThan": 1},
            {"Variable": "$.text", "StringMatches": "f*o"},
            {"Not": {"Variable": "$.absent", "IsPresent": True}},
        ],
        "Next": "Shape",
    }
    shape = {
        "Type": "Pass",
        "Parameters": {
            "text.$": "States.Format('{}-{}', $.number, States.ArrayLength($.list))",
            "merged.$": "States.JsonMerge($.one, $.two, false)",
        },
        "End": True,
    }
    end = aws.run(
        {
            "StartAt": "Choose",
            "States": {
                "Choose": {"Type": "Choice", "Choices": [rule], "Default": "No"},
                "No": {"Type": "Fail"},
                "Shape": shape,
            },
        },
        {"number": 2, "text": "foo", "list": [1, 2], "one": {"a": 1}, "two": {"b": 2}},
    )
    assert end["output"] == {"text": "2-2", "merged": {"a": 1, "b": 2}}


def test_map_keeps_order_and_its_concurrency_bound(aws: "Aws") -> None:
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 5, "Next": "Done"}, "Done": PASS}}
    map_ = {
        "Type": "Map",
        "ItemsPath": "$.list",
        "MaxConcurrency": 2,
        "ItemSelector": {"value.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **wait},
        "End": True,
    }
    end = aws.run({"StartAt": "Map", "States": {"Map": map_}}, {"list": ["a", "b", "c", "d"]})
    assert end["output"] == [{"value": value, "index": index} for index, value in enumerate("abcd")]
    assert 1.0 <= (end["stopDate"] - end["startDate"]).total_seconds() < 1.9


def test_catch_of_a_map_keeps_the_input_beside_the_error(aws: "Aws") -> None:
    choose = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "No"}], "Default": "Yes"}
    map_ = {
        "Type": "Map",
        "ItemsPath": "$.list",
        "ItemProcessor": {
            "StartAt": "Choose",
            "States": {"Choose": choose, "No": {"Type": "Fail", "Error": "Bad", "Cause": "c"}, "Yes": PASS},
        },
        "Catch": [{"ErrorEquals": ["Bad"], "ResultPath": "$.error", "Next": "Caught"}],
        "End": True,
    }
    end = aws.run({"StartAt": "Map", "States": {"Map": map_, "Caught": PASS}}, {"list": [1, 2, 3]})
    assert end["output"] == {"list": [1, 2, 3], "error": {"Error": "Bad", "Cause": "c"}}


def test_jsonata_variables_maps_and_functions(aws: "Aws") -> None:
    item = {"Type": "Pass", "Output": "{% $states.input.value * $sum %}", "End": True}
    end = aws.run(
        {
            "QueryLanguage": "JSONata",
            "StartAt": "Sum",
            "States": {
                "Sum": {"Type": "Pass", "Assign": {"sum": "{% $sum($states.input.list) %}"}, "Next": "Choose"},
                "Choose": {"Type": "Choice", "Choices": [{"Condition": "{% $sum > 5 %}", "Next": "Map"}]},
                "Map": {
                    "Type": "Map",
                    "Items": "{% $states.input.list %}",
                    "ItemSelector": {"value": "{% $states.context.Map.Item.Value %}"},
                    "ItemProcessor": {"StartAt": "Item", "States": {"Item": item}},
                    "Output": {"products": "{% $states.result %}", "parts": "{% $partition([1,2,3], 2) %}"},
                    "End": True,
                },
            },
        },
        {"list": [1, 2, 3]},
    )
    assert end["output"] == {"products": [6, 12, 18], "parts": [[1, 2], [3]]}


def test_undefined_jsonata_value_fails_the_execution(aws: "Aws") -> None:
    state = {"Type": "Pass", "Output": "{% $states.input.nothing.there %}", "End": True}
    end = aws.run({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}})
    assert (end["status"], end["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.xfail(strict=True, reason="the engine ignores Assign of a JSONPath state")
def test_jsonpath_variables(aws: "Aws") -> None:
    assign = {"Type": "Pass", "Assign": {"kept.$": "$.value"}, "Next": "Use"}
    use = {"Type": "Pass", "Parameters": {"value.$": "$kept"}, "End": True}
    end = aws.run({"StartAt": "Assign", "States": {"Assign": assign, "Use": use}}, {"value": 5})
    assert end["output"] == {"value": 5}


@pytest.mark.parametrize(
    "definition",
    [
        {"StartAt": "Nowhere", "States": {"A": PASS}},
        {"StartAt": "A", "States": {"A": {"Type": "Task", "End": True}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass"}}},
        {"StartAt": "A", "States": {"A": {**PASS, "Type": "Map", "ItemProcessor": {"StartAt": "B", "States": {}}}}},
    ],
)
def test_definition_whose_states_do_not_connect_is_refused(aws: "Aws", definition: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidDefinition"):
        aws.machine(definition)


def test_template_with_such_a_definition_is_rolled_back(aws: "Aws") -> None:
    properties = {"RoleArn": aws.everything_role(), "DefinitionString": '{"StartAt": "A", "States": {}}'}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    assert aws.stack({"Machine": machine})["status"] == "ROLLBACK_COMPLETE"


@pytest.mark.xfail(strict=True, reason="the engine records no iterations of a Map and no states inside it")
def test_history_tells_of_the_states_inside_a_map(aws: "Aws") -> None:
    processor = {"StartAt": "In", "States": {"In": PASS}}
    map_ = {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": processor, "End": True}
    execution = aws.start(aws.machine({"StartAt": "Map", "States": {"Map": map_}}), {"list": [1]})
    aws.end_of(execution)
    events = aws.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    assert "MapIterationStarted" in [event["type"] for event in events]
