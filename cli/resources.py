"""What the stage's stack is made of, and how its functions are set."""

from functools import cache
from typing import Any

from cli.deployed import Deployed
from cli.exits import UnreachableError
from runtime.models.deployment import stack_name
from runtime.models.functions.environment import ValidateEnvironment

FUNCTION, LOG_GROUP = "AWS::Lambda::Function", "AWS::Logs::LogGroup"


@cache
def resources(deployed: Deployed) -> list[dict[str, str]]:
    """Logical id, physical id and type of everything in the orchestration stack."""
    pages = deployed.client("cloudformation").get_paginator("list_stack_resources")
    return [
        {
            "id": one["LogicalResourceId"],
            "name": one.get("PhysicalResourceId", ""),
            "type": one["ResourceType"],
        }
        for page in pages.paginate(StackName=stack_name(deployed.stage, "Orchestration"))
        for one in page["StackResourceSummaries"]
    ]


def settings_of_stage(deployed: Deployed) -> ValidateEnvironment:
    """What validate_input is told: budgets, targets, documents and keys of the stage."""
    from pydantic import ValidationError

    name = next((r["name"] for r in resources(deployed) if r["type"] == FUNCTION and "ValidateInput" in r["id"]), None)
    if name is None:
        raise UnreachableError("the stack has no function validate_input: it is of another release")
    found: dict[str, Any] = deployed.client("lambda").get_function_configuration(FunctionName=name)
    try:
        return ValidateEnvironment.from_variables(found.get("Environment", {}).get("Variables", {}))
    except (ValidationError, ValueError) as error:
        raise UnreachableError("the settings of validate_input cannot be read: check that you may decrypt them") from (
            error
        )
