"""The IAM permission a Step Functions task needs, from its resource and parameters."""

from collections.abc import Callable
from typing import Any

from ministack.core.iam_actions import SERVICE_TO_IAM_NAMESPACE
from ministack.core.responses import get_account_id, get_region

_NAMESPACES = {"sfn": "states", "eventbridge": "events", "cloudwatch": "cloudwatch"}

Parameters = dict[str, Any]


def permission_of_task(resource: str, parameters: Parameters) -> tuple[str, list[str | None]]:
    """The action and the ARNs it is authorised on; None stands for a resource not derived here."""
    if ":::" not in resource:
        return "lambda:InvokeFunction", [resource]
    service, operation = resource.split(":::")[1].removeprefix("aws-sdk:").split(".")[0].split(":")
    if service == "lambda" and operation == "invoke":
        return "lambda:InvokeFunction", [_named("lambda", "function:", parameters.get("FunctionName", ""))]
    namespace = _NAMESPACES.get(service) or SERVICE_TO_IAM_NAMESPACE.get(service, service)
    arns_of = _ARNS.get(namespace)
    return f"{namespace}:{operation[0].upper()}{operation[1:]}", arns_of(parameters) if arns_of else [None]


def _named(service: str, prefix: str, name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:{service}:{get_region()}:{get_account_id()}:{prefix}{name}"


def _table(parameters: Parameters) -> list[str | None]:
    return [_named("dynamodb", "table/", parameters["TableName"])] if "TableName" in parameters else [None]


def _queue(parameters: Parameters) -> list[str | None]:
    return [_named("sqs", "", str(parameters.get("QueueUrl", "")).rsplit("/", 1)[-1])]


def _buses(parameters: Parameters) -> list[str | None]:
    entries = parameters.get("Entries") or [{}]
    return [_named("events", "event-bus/", entry.get("EventBusName", "default")) for entry in entries]


def _source_servers(parameters: Parameters) -> list[str | None]:
    ids = parameters.get("SourceServerIDs") or [parameters.get("SourceServerID")]
    return [_named("mgn", "source-server/", server_id) for server_id in ids if server_id] or ["*"]


_ARNS: dict[str, Callable[[Parameters], list[str | None]]] = {
    "dynamodb": _table,
    "sqs": _queue,
    "events": _buses,
    "mgn": _source_servers,
    "sns": lambda parameters: [parameters.get("TopicArn")],
    "states": lambda parameters: [parameters.get("StateMachineArn")],
}
