"""Versions and aliases of state machines come from templates, and an execution runs the version it was started with.

The engine has them by API only, and runs every execution by the machine's newest definition.
"""

import contextvars
import json
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.settings import EngineSettings

Answer = dict[str, Any]
Created = tuple[str, Answer]
Call = Callable[[str, Answer], Answer]
"""An operation of Step Functions and its request; raises ValueError when it is refused."""

_VERSION, _ALIAS = "AWS::StepFunctions::StateMachineVersion", "AWS::StepFunctions::StateMachineAlias"
# How CloudFormation calls the revision of a machine that was never updated.
_INITIAL = "INITIAL"
_OPERATIONS = {
    "PublishStateMachineVersion": ("_publish_state_machine_version", "edffabae54d4"),
    "DeleteStateMachineVersion": ("_delete_state_machine_version", "a98c68042fe1"),
    "CreateStateMachineAlias": ("_create_state_machine_alias", "d604bd996f6c"),
    "UpdateStateMachineAlias": ("_update_state_machine_alias", "352e4fd77850"),
    "DeleteStateMachineAlias": ("_delete_state_machine_alias", "dc87a1610c3d"),
}

_asked: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("qualifiers_of_start")


def apply(settings: EngineSettings) -> None:
    operations = {name: pinned(stepfunctions, function, digest) for name, (function, digest) in _OPERATIONS.items()}
    describe = pinned(stepfunctions, "_describe_execution", "c3ad294ad8b5")
    start, emit = stepfunctions._start_execution, stepfunctions._emit_execution_status_event

    def call(operation: str, request: Answer) -> Answer:
        status, _, body = operations[operation](request)
        if status >= 400:
            raise ValueError(f"{operation}: {body!r}")
        answer: Answer = json.loads(body)
        return answer

    def start_as_asked(request: Answer) -> Any:
        token = _asked.set(_qualifiers(str(request.get("stateMachineArn"))))
        try:
            return start(request)
        finally:
            _asked.reset(token)

    def emit_as_asked(execution: Answer) -> None:
        # The first thing that happens to an execution.
        execution.setdefault("qualifiers", _asked.get({}))
        emit(execution)

    def describe_with_qualifiers(request: Answer) -> Any:
        status, headers, body = describe(request)
        qualifiers = stepfunctions._executions.get(request.get("executionArn"), {}).get("qualifiers", {})
        return status, headers, json.dumps({**json.loads(body), **qualifiers}).encode() if qualifiers else body

    if {_VERSION, _ALIAS} & provisioners._RESOURCE_HANDLERS.keys():
        raise EngineChangedError("the engine makes versions and aliases from templates by itself now")
    provisioners._RESOURCE_HANDLERS.update(handlers(call))
    stepfunctions._start_execution = start_as_asked
    stepfunctions._emit_execution_status_event = emit_as_asked
    stepfunctions._describe_execution = describe_with_qualifiers


def machine_as_started(execution: Answer) -> Answer | None:
    """The execution's machine as its version has it; the newest when it was started without one."""
    machine: Answer | None = stepfunctions._state_machines.get(execution["stateMachineArn"])
    arn = execution.get("qualifiers", {}).get("stateMachineVersionArn")
    version = stepfunctions._state_machine_versions.get(arn)
    return machine and {**machine, **({name: version[name] for name in ("definition", "roleArn")} if version else {})}


def _qualifiers(arn: str) -> dict[str, str]:
    version = stepfunctions._execution_version_arn(arn)
    alias = {"stateMachineAliasArn": arn} if arn in stepfunctions._state_machine_aliases else {}
    return {"stateMachineVersionArn": version, **alias} if version else {}


def handlers(call: Call) -> dict[str, dict[str, Any]]:
    """Both resource types, over the API of whichever interpreter runs the machines."""

    def publish(logical_id: str, properties: Answer, stack_name: str) -> Created:
        wanted = {"stateMachineArn": properties["StateMachineArn"], "description": properties.get("Description", "")}
        revision = properties.get("StateMachineRevisionId", _INITIAL)
        answer = call("PublishStateMachineVersion", wanted | ({} if revision == _INITIAL else {"revisionId": revision}))
        return answer["stateMachineVersionArn"], {"Arn": answer["stateMachineVersionArn"]}

    def publish_anew(arn: str, old: Answer, new: Answer, stack_name: str) -> Created:
        return publish("", new, stack_name)

    def create_alias(logical_id: str, properties: Answer, stack_name: str) -> Created:
        wanted = {"name": properties["Name"], "routingConfiguration": _routes(properties)}
        arn = call("CreateStateMachineAlias", wanted)["stateMachineAliasArn"]
        return arn, {"Arn": arn}

    def update_alias(arn: str, old: Answer, new: Answer, stack_name: str) -> Created:
        call("UpdateStateMachineAlias", {"stateMachineAliasArn": arn, "routingConfiguration": _routes(new)})
        return arn, {"Arn": arn}

    def delete(operation: str, member: str) -> Callable[[str, Answer], Answer]:
        return lambda arn, properties: call(operation, {member: arn})

    return {
        _VERSION: {
            "create": publish,
            "update": publish_anew,
            "delete": delete("DeleteStateMachineVersion", "stateMachineVersionArn"),
        },
        _ALIAS: {
            "create": create_alias,
            "update": update_alias,
            "delete": delete("DeleteStateMachineAlias", "stateMachineAliasArn"),
        },
    }


def _routes(properties: Answer) -> list[Answer]:
    return [
        {"stateMachineVersionArn": route["StateMachineVersionArn"], "weight": int(route["Weight"])}
        for route in properties["RoutingConfiguration"]
    ]
