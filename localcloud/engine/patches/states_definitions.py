"""A state machine whose states do not connect is refused when it is created, by API or template.

The engine accepts any JSON and fails at the first execution that reaches the gap.
"""

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_TYPES = frozenset({"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"})
_ENDING_TYPES = frozenset({"Choice", "Succeed", "Fail"})


def apply(settings: EngineSettings) -> None:
    validate_expressions = pinned(stepfunctions, "_validate_definition_jsonata", "a5ec092b2c8d")
    definition_of_template = pinned(provisioners, "_sfn_definition", "e29ae22959e7")

    def validate(definition: Any) -> str | None:
        return validate_expressions(definition) or first_problem(definition)

    def validated_definition(properties: dict[str, Any]) -> Any:
        definition = definition_of_template(properties)
        if problem := validate(definition):
            raise ValueError(f"Invalid State Machine Definition: {problem}")
        return definition

    stepfunctions._validate_definition_jsonata = validate
    provisioners._sfn_definition = validated_definition


def first_problem(definition: Any) -> str | None:
    """What makes this definition invalid, or None."""
    try:
        machine = json.loads(definition)
    except (TypeError, ValueError):
        return "INVALID_JSON_DESCRIPTION"
    return next(_problems(machine, ""), None)


def _problems(machine: dict[str, Any], path: str) -> Iterator[str]:
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield f"SCHEMA_VALIDATION_FAILED: States is missing at {path or '/'}"
        return
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {machine.get('StartAt')} at {path}/StartAt"
    for name, state in states.items():
        here = f"{path}/States/{name}"
        if state.get("Type") not in _TYPES:
            yield f"SCHEMA_VALIDATION_FAILED: unknown Type at {here}"
        if state.get("Type") == "Task" and not state.get("Resource"):
            yield f"SCHEMA_VALIDATION_FAILED: Resource is missing at {here}"
        if state.get("Type") not in _ENDING_TYPES and bool(state.get("End")) == ("Next" in state):
            yield f"SCHEMA_VALIDATION_FAILED: exactly one of Next and End is required at {here}"
        for target in _targets(state):
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {here}"
        for branch in _branches(state):
            yield from _problems(branch, here)


def _targets(state: dict[str, Any]) -> Iterator[str]:
    for holder in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in holder:
            yield holder["Next"]
    if "Default" in state:
        yield state["Default"]


def _branches(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from state.get("Branches", [])
    if state.get("Type") == "Map":
        yield state.get("ItemProcessor") or state.get("Iterator") or {}
