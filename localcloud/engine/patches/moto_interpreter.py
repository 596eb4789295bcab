"""With LOCAL_STATE_MACHINES=moto, state machines run on moto's interpreter: a second opinion on their definitions."""

import itertools
import json
from typing import Any

from ministack import app as gateway
from ministack.core.responses import json_response
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.engine.patches import states_versions
from localcloud.engine.settings import EngineSettings

Created = tuple[str, dict[str, Any]]


def apply(settings: EngineSettings) -> None:
    if settings.state_machines != "moto":
        return
    # Importing moto takes seconds.
    from localcloud.engine.moto_states.expressions import complete_expressions
    from localcloud.engine.moto_states.service import StatesService, tell_of_executions
    from localcloud.engine.moto_states.tasks import complete_tasks
    from localcloud.engine.moto_states.tokens import complete_tokens

    complete_expressions()
    complete_tasks(settings)
    complete_tokens()
    tell_of_executions()
    service = StatesService()

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Created:
        name = properties.get("StateMachineName") or provisioners._physical_name(stack_name, logical_id, max_len=80)
        machine = {"name": name, "type": properties.get("StateMachineType", "STANDARD"), **_definition(properties)}
        return created(service.call("CreateStateMachine", machine)["stateMachineArn"])

    def update(arn: str, old: Any, new: dict[str, Any], stack_name: str, logical_id: str | None = None) -> Created:
        service.call("UpdateStateMachine", {"stateMachineArn": arn, **_definition(new)})
        return created(arn)

    def created(arn: str) -> Created:
        described = service.call("DescribeStateMachine", {"stateMachineArn": arn})
        revision = {"StateMachineRevisionId": described.get("revisionId", "INITIAL")}
        return arn, {"Arn": arn, "Name": described["name"], **revision}

    def start(request: dict[str, Any]) -> Any:
        service.start_later(request)
        return json_response({})

    gateway.SERVICE_HANDLERS["states"] = service.handle
    stepfunctions._resolve_state_machine_arn = service.machine_of
    stepfunctions._start_execution = start
    provisioners._RESOURCE_HANDLERS.update(states_versions.handlers(_versions()))
    provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachine"] = {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": lambda arn, properties: service.call("DeleteStateMachine", {"stateMachineArn": arn}),
    }


def _versions() -> states_versions.Call:
    """Numbers and names for what moto's API does not have."""
    numbers = itertools.count(1)

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "PublishStateMachineVersion":
            return {"stateMachineVersionArn": f"{request['stateMachineArn']}:{next(numbers)}"}
        if operation == "CreateStateMachineAlias":
            machine = request["routingConfiguration"][0]["stateMachineVersionArn"].rpartition(":")[0]
            return {"stateMachineAliasArn": f"{machine}:{request['name']}"}
        return {}

    return call


def _definition(properties: dict[str, Any]) -> dict[str, Any]:
    definition = provisioners._sfn_definition(properties)
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return {"definition": text, "roleArn": properties["RoleArn"]}
