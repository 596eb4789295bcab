"""A queue's messages carry who sent them: the id of the user, or of the role with its session.

The engine names the account for every sender, and to functions that are handed messages it does so whoever sent them.
"""

import contextvars
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.router import extract_access_key_id
from ministack.services import lambda_svc, sqs

from localcloud.engine.pins import pinned, rewritten
from localcloud.engine.settings import EngineSettings

_access_key: contextvars.ContextVar[str] = contextvars.ContextVar("access_key", default="")


def apply(settings: EngineSettings) -> None:
    # The queue service pins the caller of each of its requests, whether or not policies are enforced.
    pin_caller = pinned(iam_evaluator, "pin_request_caller", "4e5a7d52a6e6")
    system_attributes = pinned(sqs, "_build_send_sys_attrs", "d5f662692aea")

    def pin_caller_and_key(headers: dict[str, Any], query_params: dict[str, Any] | None = None) -> None:
        pin_caller(headers, query_params)
        _access_key.set(extract_access_key_id(headers or {}, query_params or {}) or "")

    def attributes_with_sender(now: float, sent: dict[str, Any]) -> dict[str, Any]:
        attributes: dict[str, Any] = system_attributes(now, sent)
        identity = iam_evaluator.resolve_caller_identity(_access_key.get()) or {}
        return attributes | ({"SenderId": identity["userId"]} if identity.get("userId") else {})

    iam_evaluator.pin_request_caller = pin_caller_and_key
    sqs._build_send_sys_attrs = attributes_with_sender
    rewritten(
        lambda_svc,
        "_poll_sqs",
        "e438a6a1e094",
        '"SenderId": get_account_id(),',
        '"SenderId": msg.get("sys", {}).get("SenderId") or get_account_id(),',
    )
