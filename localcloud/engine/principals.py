"""Asks the engine's policy evaluator on behalf of roles and services, which the engine itself lets do anything."""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import kms, lambda_svc, sns, sqs


def role_allows(role_arn: str, action: str, resource_arn: str | None, context: dict[str, Any] | None = None) -> bool:
    """Whether a role may do this; without a resource, whether some statement allows it on any."""
    account = get_account_id()
    name = role_arn.rsplit("/", 1)[-1]
    policies = iam_evaluator._gather_role_policies(name, account)
    if resource_arn is None:
        statements = [statement for statements in policies for statement in statements]
        return any(
            statement.effect == "Allow"
            and iam_evaluator._action_matches(action, statement.actions, statement.not_actions)
            for statement in statements
        )
    request = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/local",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context={key.lower(): value for key, value in (context or {}).items()},
    )
    result = iam_evaluator.evaluate(request, policies)
    service = action.split(":", 1)[0]
    policy = iam_evaluator._resource_policy(service, resource_arn)
    if policy is not None:
        required = service in iam_evaluator._POLICY_REQUIRED
        result = iam_evaluator.combine_resource_policy(result, request, *policy, required=required)
    return bool(result.decision == "Allow")


def service_allowed(service: str, action: str, resource_arn: str, source_arn: str) -> bool:
    """Whether a resource's own policy lets an AWS service do this for a source."""
    request = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        secure_transport=True,
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": get_account_id()},
    )
    policy = _policy_of(resource_arn)
    return bool(iam_evaluator.evaluate_resource_policy(policy, request, service=service).decision == "Allow")


def key_of_queue(queue_arn: str) -> str | None:
    """The ARN of the customer key that encrypts a queue."""
    queue = sqs._queue_by_arn(queue_arn)
    return customer_key_arn((queue or {}).get("attributes", {}).get("KmsMasterKeyId"))


def customer_key_arn(key_id: str | None) -> str | None:
    """The ARN of a customer key, whatever way it is named."""
    key = kms._resolve_key(key_id) if key_id and "alias/aws/" not in key_id else None
    return key["Arn"] if key else None


def _policy_of(resource_arn: str) -> Any:
    lookups = {
        "sqs": sqs.queue_policy_for_arn,
        "sns": sns.topic_policy_for_arn,
        "kms": kms.key_policy_for_arn,
        "lambda": lambda_svc.function_policy_for_arn,
    }
    found = lookups[resource_arn.split(":")[2]](resource_arn)
    return found[0] if found else None
