"""Under AUTH, a request is authorised on every resource it names, by the tags those resources have.

The engine looks at one resource of an EC2 call, at none of a Systems Manager command, and at no tag of either.
"""

import contextvars
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import ec2, ssm, tagging

from localcloud.engine.pins import pinned
from localcloud.engine.request_arns import ARNS_OF_SERVICE, keys_of_events
from localcloud.engine.settings import EngineSettings

_keys: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("keys", default={})  # noqa: B039
_further_arns: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("further_arns", default=())


def apply(settings: EngineSettings) -> None:
    first_arn = pinned(iam_actions, "extract_resource_arn", "82f51700695c")
    enforce = pinned(iam_evaluator, "enforce", "cf64b1ee5b09")
    tags_known_to_engine = pinned(tagging, "resource_tags", "5d98719f044c")

    def first_of_all_arns(
        service: str, method: str, path: str, headers: Any, body: bytes, params: dict[str, Any], *place: str
    ) -> Any:
        arns_of = ARNS_OF_SERVICE.get(service)
        arns = arns_of(path, body, params) if arns_of else None
        _further_arns.set(tuple(arns[1:]) if arns else ())
        _keys.set(keys_of_events(body) if service == "events" else {})
        return arns[0] if arns else first_arn(service, method, path, headers, body, params, *place)

    def enforce_on_all(
        access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        arns = (resource_arn, *_further_arns.get())
        _further_arns.set(())
        service_context = {**(service_context or {}), **_keys.get()}
        for arn in arns:
            if denied := enforce(
                access_key, action, service, region, resource_arn=arn, service_context=service_context
            ):
                return denied
        return None

    def tags_of(arn: str) -> dict[str, str] | None:
        if arn.startswith("arn:aws:ec2:"):
            return {tag["Key"]: tag["Value"] for tag in ec2._tags.get(arn.rsplit("/", 1)[-1], [])}
        if ":managed-instance/" in arn:
            return dict(ssm._tags.get(arn.rsplit("/", 1)[-1], {}))
        known: dict[str, str] | None = tags_known_to_engine(arn)
        return known

    iam_actions.extract_resource_arn = first_of_all_arns
    iam_evaluator.enforce = enforce_on_all
    tagging.resource_tags = tags_of
