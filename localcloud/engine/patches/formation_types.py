"""CloudFormation resource types and references the engine lacks."""

import json
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch, eventbridge, secretsmanager
from ministack.services.cloudformation import provisioners

from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.settings import EngineSettings

Created = tuple[str, dict[str, Any]]


def apply(settings: EngineSettings) -> None:
    for name, digest in (("_create_archive", "e6dd5c7fb01e"), ("_update_archive", "4c1dec7d1a4c")):
        pinned(eventbridge, name, digest)
    pinned(eventbridge, "_remove_permission", "be9104c52e23")
    pinned(cloudwatch, "_put_composite_alarm", "d1c8174c3d5b")
    pinned(secretsmanager, "_put_resource_policy", "3d60854aab3f")
    pinned(secretsmanager, "_delete_resource_policy", "9e979adc5d37")
    update_secret = pinned(provisioners, "_sm_secret_update", "e87220a5ff35")
    delete_secret = pinned(provisioners, "_sm_secret_delete", "4ff615ac8289")
    create_secret = pinned(provisioners, "_sm_secret_create", "0bae0110fce2")
    handlers = provisioners._RESOURCE_HANDLERS
    _add(handlers, "AWS::Events::Archive", create_archive, update_archive, delete_archive)
    _add(handlers, "AWS::Events::EventBusPolicy", create_bus_policy, update_bus_policy, delete_bus_policy)
    secret_policy = (create_secret_policy, update_secret_policy, delete_secret_policy)
    _add(handlers, "AWS::SecretsManager::ResourcePolicy", *secret_policy)
    composite_alarm = (create_composite_alarm, update_composite_alarm, delete_composite_alarm)
    _add(handlers, "AWS::CloudWatch::CompositeAlarm", *composite_alarm)

    def create_secret_by_arn(logical_id: str, properties: dict[str, Any], stack_name: str) -> Created:
        # Ref of a secret is its ARN; the engine returns its name.
        _, attributes = create_secret(logical_id, properties, stack_name)
        return attributes["Arn"], attributes

    def update_secret_by_arn(
        arn: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> Created:
        _, attributes = update_secret(_secret_name(arn), old, new, stack_name, logical_id)
        return attributes["Arn"], attributes

    def delete_secret_by_arn(arn: str, properties: dict[str, Any]) -> None:
        delete_secret(_secret_name(arn), properties)

    handlers["AWS::SecretsManager::Secret"] = {
        **handlers["AWS::SecretsManager::Secret"],
        "create": create_secret_by_arn,
        "update": update_secret_by_arn,
        "delete": delete_secret_by_arn,
    }


def _secret_name(arn: str) -> str:
    return next((name for name, secret in secretsmanager._secrets.items() if secret["ARN"] == arn), arn)


def _add(handlers: dict[str, Any], resource_type: str, create: Any, update: Any, delete: Any) -> None:
    if resource_type in handlers:
        raise EngineChangedError(f"the engine has {resource_type} of its own")
    handlers[resource_type] = {"create": create, "update": update, "delete": delete}


def create_archive(logical_id: str, properties: dict[str, Any], stack_name: str) -> Created:
    name = properties.get("ArchiveName") or provisioners._physical_name(stack_name, logical_id, max_len=48)
    _checked(eventbridge._create_archive(_archive_request(name, properties)))
    arn = f"arn:aws:events:{get_region()}:{get_account_id()}:archive/{name}"
    return name, {"Arn": arn, "ArchiveName": name}


def update_archive(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Created:
    request = _archive_request(physical_id, new)
    del request["EventSourceArn"]
    _checked(eventbridge._update_archive(request))
    return physical_id, {"Arn": f"arn:aws:events:{get_region()}:{get_account_id()}:archive/{physical_id}"}


def delete_archive(physical_id: str, properties: dict[str, Any]) -> None:
    eventbridge._delete_archive({"ArchiveName": physical_id})


def _archive_request(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    pattern = properties.get("EventPattern")
    request = {
        "ArchiveName": name,
        "EventSourceArn": properties["SourceArn"],
        "Description": properties.get("Description", ""),
        "RetentionDays": int(properties.get("RetentionDays", 0)),
    }
    return request | ({"EventPattern": pattern if isinstance(pattern, str) else json.dumps(pattern)} if pattern else {})


def create_bus_policy(logical_id: str, properties: dict[str, Any], stack_name: str) -> Created:
    bus, statement_id = properties.get("EventBusName", "default"), properties["StatementId"]
    delete_bus_policy("", properties)
    policy = eventbridge._event_bus_policies.setdefault(bus, {"Version": "2012-10-17", "Statement": []})
    policy["Statement"].append({"Sid": statement_id, **properties["Statement"]})
    return f"{bus}|{statement_id}", {}


def update_bus_policy(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Created:
    delete_bus_policy(physical_id, old)
    return create_bus_policy("", new, stack_name)


def delete_bus_policy(physical_id: str, properties: dict[str, Any]) -> None:
    bus = properties.get("EventBusName", "default")
    _checked(eventbridge._remove_permission({"EventBusName": bus, "StatementId": properties["StatementId"]}))


def create_secret_policy(logical_id: str, properties: dict[str, Any], stack_name: str) -> Created:
    secret, policy = properties["SecretId"], properties["ResourcePolicy"]
    _checked(secretsmanager._put_resource_policy({"SecretId": secret, "ResourcePolicy": json.dumps(policy)}))
    return secret, {}


def update_secret_policy(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Created:
    return create_secret_policy("", new, stack_name)


def delete_secret_policy(physical_id: str, properties: dict[str, Any]) -> None:
    secretsmanager._delete_resource_policy({"SecretId": properties["SecretId"]})


def create_composite_alarm(logical_id: str, properties: dict[str, Any], stack_name: str) -> Created:
    name = properties.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
    return _put_composite_alarm(name, properties)


def update_composite_alarm(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Created:
    return _put_composite_alarm(physical_id, new)


def delete_composite_alarm(physical_id: str, properties: dict[str, Any]) -> None:
    cloudwatch._composite_alarms.pop(physical_id, None)


def _put_composite_alarm(name: str, properties: dict[str, Any]) -> Created:
    enabled = str(properties.get("ActionsEnabled", True)).lower() == "true"
    request = {**properties, "AlarmName": name, "ActionsEnabled": enabled}
    _checked(cloudwatch._put_composite_alarm({}, request, False, is_json=True))
    return name, {"Arn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"}


def _checked(response: tuple[int, dict[str, str], bytes]) -> None:
    status, _, body = response
    if status >= 400:
        raise ValueError(body.decode() if isinstance(body, bytes) else str(body))
