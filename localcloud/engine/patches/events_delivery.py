"""EventBridge counts deliveries, retries failed handlers, and sends what it cannot deliver to dead-letter queues."""

import json
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import cloudwatch, eventbridge, lambda_svc, sqs, stepfunctions

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings


class UndeliverableError(Exception):
    """An event that a target cannot take, with EventBridge's error code for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def apply(settings: EngineSettings) -> None:
    invoke = pinned(eventbridge, "_invoke_target", "550e304af080")
    pinned(eventbridge, "_dispatch_to_lambda", "1f95adbaed3a")
    pinned(eventbridge, "_dispatch_to_sqs", "eb75981283a2")

    def deliver(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        _count("MatchedEvents", rule)
        _count("TriggeredRules", rule)
        try:
            check_target(target, rule, event)
        except UndeliverableError as failure:
            _count("FailedInvocations", rule)
            _bury(target, event, rule, view, failure)
        else:
            _count("Invocations", rule)
            invoke(target, event, rule, view)

    eventbridge._invoke_target = deliver
    eventbridge._dispatch_to_lambda = _invoke_with_retries


def check_target(target: dict[str, Any], rule: dict[str, Any], event: dict[str, Any]) -> None:
    """Raise unless the target exists; role checks wrap this."""
    arn = target.get("Arn", "")
    service = arn.split(":")[2] if arn.count(":") >= 5 else ""
    if service == "lambda" and not all(lambda_svc._get_func_record_for_ref(arn)[:2]):
        raise UndeliverableError("NO_RESOURCE", f"Function not found: {arn}")
    if service == "states" and stepfunctions._resolve_state_machine_arn(arn) is None:
        raise UndeliverableError("NO_RESOURCE", f"State Machine Does Not Exist: '{arn}'")
    if service == "sqs" and not sqs._queue_by_arn(arn):
        raise UndeliverableError("NO_RESOURCE", "The specified queue does not exist.")


def _count(metric: str, rule: dict[str, Any]) -> None:
    dimensions = {"RuleName": rule.get("Name", "")}
    if rule.get("EventBusName", "default") != "default":
        dimensions["EventBusName"] = rule["EventBusName"]
    cloudwatch.record_metric("AWS/Events", metric, 1, "Count", dimensions)


def _bury(
    target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any, failure: UndeliverableError
) -> None:
    eventbridge.logger.warning("EventBridge: %s not delivered to %s: %s", rule.get("Name"), target.get("Arn"), failure)
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    queue = sqs._queue_by_arn(queue_arn) if queue_arn else None
    if not queue:
        return
    view = view or eventbridge._pattern_event_view(event)
    # EventBridge buries the event as it was, not as the target would have received it.
    eventbridge._dispatch_to_sqs(parse_arn(queue_arn), json.dumps(view.event_with_detail()), {})
    queue["messages"][-1]["message_attributes"] = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in (
            ("RULE_ARN", rule.get("Arn", "")),
            ("TARGET_ARN", target.get("Arn", "")),
            ("ERROR_CODE", failure.code),
            ("ERROR_MESSAGE", str(failure)),
        )
    }


def _invoke_with_retries(arn: str, payload: str) -> None:
    """Invoke a function asynchronously: Lambda makes two more attempts. The engine makes one in all."""
    try:
        event = json.loads(payload)
    except (json.JSONDecodeError, TypeError):
        event = {"body": payload}
    func, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if func and config:
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(func, config), event)
