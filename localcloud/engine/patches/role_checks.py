"""Under AUTH, the roles of state machines, event sources and rules need the permissions that AWS asks of them.

The engine checks only requests that arrive at its gateway, not what its services do in the name of a role.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam, lambda_svc, stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.engine.patches import events_delivery, states_callbacks
from localcloud.engine.patches.events_delivery import UndeliverableError
from localcloud.engine.pins import pinned
from localcloud.engine.principals import key_of_queue, role_allows, service_allowed
from localcloud.engine.settings import EngineSettings
from localcloud.engine.task_permissions import permission_of_task

_EVENTS = "events.amazonaws.com"
_POLLER_ACTIONS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
}
_DELIVERY_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
_TARGET_ROLE_ACTIONS = {"states": "states:StartExecution", "events": "events:PutEvents"}


def apply(settings: EngineSettings) -> None:
    if settings.auth:
        _name_roles()
        _check_tasks()
        _check_event_sources()
        _check_targets()


def _name_roles() -> None:
    """Conditions on aws:PrincipalArn see the role of a session; the engine shows them the session."""
    resolve = pinned(iam_evaluator, "_resolve_condition_key", "15e26964cd38")

    def resolve_role(key: str, context: Any) -> Any:
        found = resolve(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
            return found
        name = str(found).split("/")[1]
        role = iam._roles.get_scoped(context.principal_account, None, name)
        return role["Arn"] if role else f"arn:aws:iam::{context.principal_account}:role/{name}"

    iam_evaluator._resolve_condition_key = resolve_role


def _check_tasks() -> None:
    invoke = pinned(stepfunctions, "_invoke_resource", "a85d2be9a858")

    def invoke_if_permitted(resource: str, task_input: Any) -> Any:
        execution = states_callbacks.current_execution()
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn", ""))
        if machine is not None:
            action, arns = permission_of_task(resource, task_input if isinstance(task_input, dict) else {})
            for arn in arns:
                if not role_allows(machine["roleArn"], action, arn):
                    message = f"The role {machine['roleArn']} is not authorized to perform {action} on {arn}"
                    raise stepfunctions._ExecutionError("States.Permissions", message)
        return invoke(resource, task_input)

    stepfunctions._invoke_resource = invoke_if_permitted


def _check_event_sources() -> None:
    create = pinned(lambda_svc, "_create_esm", "d351521bb6cd")
    create_of_template = pinned(provisioners, "_lambda_esm_create", "f053a4e8c30c")
    handlers = provisioners._RESOURCE_HANDLERS

    def create_if_permitted(request: dict[str, Any]) -> Any:
        if refusal := _poller_refusal(request):
            return lambda_svc.error_response_json("InvalidParameterValueException", refusal, 400)
        return create(request)

    def create_of_template_if_permitted(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        if refusal := _poller_refusal(properties):
            raise ValueError(refusal)
        return create_of_template(logical_id, properties, stack_name)

    lambda_svc._create_esm = create_if_permitted
    handlers["AWS::Lambda::EventSourceMapping"] = {
        **handlers["AWS::Lambda::EventSourceMapping"],
        "create": create_of_template_if_permitted,
    }


def _poller_refusal(request: dict[str, Any]) -> str | None:
    source = request.get("EventSourceArn", "")
    service = source.split(":")[2] if source else ""
    _, config, _ = lambda_svc._get_func_record_for_ref(request.get("FunctionName", ""))
    if not config or service not in _POLLER_ACTIONS:
        return None
    checks = [(action, source) for action in _POLLER_ACTIONS[service]]
    key = key_of_queue(source) if service == "sqs" else None
    if key:
        checks.append(("kms:Decrypt", key))
    for action, arn in checks:
        if not role_allows(config["Role"], action, arn):
            return f"The provided execution role does not have permissions to call {action} on {arn}"
    return None


def _check_targets() -> None:
    check_existence = events_delivery.check_target

    def check_target(target: dict[str, Any], rule: dict[str, Any], event: dict[str, Any]) -> None:
        check_existence(target, rule, event)
        arn = target.get("Arn", "")
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        if service in _TARGET_ROLE_ACTIONS:
            action = _TARGET_ROLE_ACTIONS[service]
            # A start by version or alias is authorised on the state machine.
            resource = stepfunctions._resolve_state_machine_arn(arn) if service == "states" else arn
            keys = {"events:source": event.get("Source"), "events:detail-type": event.get("DetailType")}
            permitted = role_allows(target.get("RoleArn", ""), action, resource, keys if service == "events" else None)
        elif service in _DELIVERY_ACTIONS:
            action = _DELIVERY_ACTIONS[service]
            permitted = service_allowed(_EVENTS, action, arn, rule.get("Arn", ""))
        else:
            return
        if not permitted:
            raise UndeliverableError("NO_PERMISSIONS", f"EventBridge is not permitted to {action} on {arn}")
        key = key_of_queue(arn) if service == "sqs" else None
        for action in ("kms:GenerateDataKey", "kms:Decrypt") if key else ():
            if not service_allowed(_EVENTS, action, str(key), rule.get("Arn", "")):
                raise UndeliverableError("NO_PERMISSIONS", f"EventBridge is not permitted to {action} on {key}")

    events_delivery.check_target = check_target
