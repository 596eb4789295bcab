"""Under AUTH, whoever uses an encrypted queue, table, topic or secret needs permissions on its customer key too."""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import dynamodb, secretsmanager, sns

from localcloud.engine.principals import customer_key_arn, key_of_queue
from localcloud.engine.settings import EngineSettings

_READ = ("kms:Decrypt",)
_WRITE = ("kms:GenerateDataKey", "kms:Decrypt")
_KEY_ACTIONS = {
    "sqs:SendMessage": _WRITE,
    "sqs:SendMessageBatch": _WRITE,
    "sqs:ReceiveMessage": _READ,
    "sns:Publish": _WRITE,
    "secretsmanager:GetSecretValue": _READ,
    # DynamoDB decrypts the table's key for every call on its items, in the caller's name.
    **{
        f"dynamodb:{operation}": _READ
        for operation in (
            *("GetItem", "BatchGetItem", "Query", "Scan", "ConditionCheckItem"),
            *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"),
        )
    },
}


def apply(settings: EngineSettings) -> None:
    enforce = iam_evaluator.enforce

    def enforce_with_key(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        denied = enforce(access_key, action, service, region, resource_arn, service_context)
        key = None if denied or action not in _KEY_ACTIONS else _key_of(service, resource_arn)
        for key_action in _KEY_ACTIONS[action] if key else ():
            via = {"kms:ViaService": f"{service}.{region}.amazonaws.com"}
            denied = denied or enforce(access_key, key_action, "kms", region, key, via)
            if denied:
                principal = getattr(denied, "principal_arn", "")
                iam_evaluator.logger.warning("%s for %s needs %s on %s", action, principal, key_action, key)
        return denied

    if settings.auth:
        iam_evaluator.enforce = enforce_with_key


def _key_of(service: str, resource_arn: str) -> str | None:
    name = resource_arn.rsplit(":", 1)[-1]
    match service:
        case "sqs":
            return key_of_queue(resource_arn)
        case "sns":
            topic = sns._topics.get(resource_arn) or {}
            return customer_key_arn(topic.get("attributes", {}).get("KmsMasterKeyId"))
        case "secretsmanager":
            secrets = secretsmanager._secrets.values()
            return customer_key_arn(next((s["KmsKeyId"] for s in secrets if s["ARN"] == resource_arn), None))
        case "dynamodb":
            table = dynamodb._tables.get(name.removeprefix("table/").split("/")[0]) or {}
            return customer_key_arn((table.get("SSEDescription") or {}).get("KMSMasterKeyArn"))
    return None
