"""Refusals of the service (docs/mgn.md#errors)."""

from collections.abc import Mapping
from typing import Any


class MgnError(Exception):
    """A call refused: error code, message and the members the service model gives that error."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members: Mapping[str, Any] = members


def not_found(resource_type: str, resource_id: str) -> MgnError:
    """The named resource does not exist."""
    return MgnError(
        "ResourceNotFoundException",
        f"{resource_type} with id {resource_id} not found",
        resourceId=resource_id,
        resourceType=resource_type,
    )


def conflict(message: str, resource_type: str = "", resource_id: str = "", **members: Any) -> MgnError:
    """The call conflicts with the current state of the named resource."""
    return refusal("ConflictException", message, resource_type, resource_id, **members)


def invalid(message: str, fields: Mapping[str, str] | None = None, reason: str = "other") -> MgnError:
    """A parameter is wrong; `fields` maps parameter names to what is wrong with each."""
    return MgnError(
        "ValidationException",
        message,
        reason="fieldValidationFailed" if fields else reason,
        fieldList=[{"name": name, "message": text} for name, text in (fields or {}).items()],
    )


def refusal(code: str, message: str, resource_type: str = "", resource_id: str = "", **members: Any) -> MgnError:
    """A refusal whose error class is a knob; members are only those that class has in the service model."""
    if code == "ValidationException":
        return invalid(message)
    named = {"resourceType": resource_type, "resourceId": resource_id} if resource_id else {}
    return MgnError(code, message, **named, **members)


def over_quota(code: str, message: str, quota_code: str, quota_value: int, resource_type: str) -> MgnError:
    """A service quota would be exceeded; `code` decides which error class says so."""
    if code != "ServiceQuotaExceededException":
        return refusal(code, message)
    return MgnError(
        code, message, serviceCode="mgn", quotaCode=quota_code, quotaValue=quota_value, resourceType=resource_type
    )
