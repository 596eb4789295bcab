"""Taking messages in: parse, accept once per migration id, or explain what is wrong."""

import hashlib
import json
from datetime import datetime, timedelta

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from runtime.errors import RecordChangedError, RequestConflictError, RequestError
from runtime.logic.journal import REASON_LIMIT, begin
from runtime.logic.ports import Ports
from runtime.models.events import MigrationRequested
from runtime.models.record import MigrationRecord, Rejection
from runtime.models.request import MAX_REQUEST_BYTES, MigrationRequest
from runtime.models.status import MigrationStatus
from runtime.models.text import visible, visible_name

EXCERPT_CHARACTERS = 512
SHOWN_ERRORS = 8

_UNSHOWN = frozenset({"tags", "parameters", "callbackUrl"})
"""Fields whose values may be secrets; reasons are logged (I11)."""


def parse_request(body: str) -> MigrationRequest:
    """The request in a message body; raises RequestError naming each field, its value and the fix."""
    size = len(body.encode(errors="replace"))
    if size > MAX_REQUEST_BYTES:
        raise RequestError(
            f"the body has {size} bytes; at most {MAX_REQUEST_BYTES} are accepted: send one server a message"
        )
    try:
        return MigrationRequest.from_json(body)
    except ValidationError as error:
        raise RequestError(explain(error)) from error


def explain(error: ValidationError) -> str:
    """A validation error in words: field, what is wrong, the value that was sent."""
    details = error.errors(include_url=False, include_context=False)
    lines = [_line(detail) for detail in details[:SHOWN_ERRORS]]
    if len(details) > SHOWN_ERRORS:
        lines.append(f"and {len(details) - SHOWN_ERRORS} more")
    return "; ".join(lines)


def _line(detail: ErrorDetails) -> str:
    where = ".".join(map(visible_name, detail["loc"])) or "body"
    # pydantic's own words may quote what was sent.
    wrong = visible(detail["msg"].removeprefix("Value error, "))
    sent = detail["input"]
    if detail["type"] == "json_invalid":
        return f"body is not JSON: {wrong}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown field; remove it or correct its name{_written(detail['loc'][-1])}"
    if detail["type"] == "missing":
        return f"{where}: required and missing; add it"
    if isinstance(sent, dict | list) or _UNSHOWN.intersection(detail["loc"]):
        return f"{where}: {wrong}"
    value = repr(sent) if isinstance(sent, str) else json.dumps(sent, default=str)
    return f"{where}: {wrong}; sent {value if len(value) <= 80 else value[:77] + '...'}"


def _written(name: str | int) -> str:
    camel = to_camel(str(name))
    is_snake = "_" in str(name) and "_" not in camel
    return f", {visible_name(camel)} for example" if is_snake else " (see migration_payload.json)"


def take(
    ports: Ports, body: str, *, message_id: str, retention_days: int, sender: str | None = None
) -> MigrationRecord | Rejection:
    """Accept the request in a message, or keep why it cannot be accepted: the one way in, whatever the door (I1)."""
    try:
        return accept(ports, parse_request(body), requester=sender)
    except RequestError as error:
        rejection = rejected(
            body,
            message_id=message_id,
            reason=str(error),
            at=ports.now(),
            retention_days=retention_days,
            sender=sender,
        )
    ports.migrations.reject(rejection)
    return rejection


def accept(ports: Ports, request: MigrationRequest, *, requester: str | None = None) -> MigrationRecord:
    """Accept a request once per migration id and publish it; the same request again gives the same record.

    Raises RequestConflictError when the id was accepted with another body.
    """
    record = ports.migrations.record(request.migration_id) or _first(ports, request, requester)
    if record.request.digest() != request.digest():
        raise RequestConflictError(
            f"migrationId {request.migration_id!r} was accepted before with another body "
            f"(different: {', '.join(_differences(record.request, request))}); send the change under a new migrationId"
        )
    if record.status is MigrationStatus.RECEIVED and may_begin(ports, record):
        # Also when a copy of the message was first: publishing twice is harmless, the second execution ends quietly.
        ports.bus.publish([requested(record)])
    return record


def may_begin(ports: Ports, record: MigrationRecord) -> bool:
    """Whether its sender has a turn in this minute; else it waits, accepted, for a sweep that finds one (I1)."""
    if record.requester is None:
        return True
    minute = int(ports.now().timestamp()) // 60
    return ports.dispatches.begins(record.requester, minute, below=ports.begins_per_sender)


def requested(record: MigrationRecord) -> MigrationRequested:
    """The event that starts the record's execution."""
    return MigrationRequested(
        migration_id=record.migration_id,
        correlation_id=record.correlation_id,
        app_name=record.request.app_name,
        wave=record.request.wave,
    )


def _first(ports: Ports, request: MigrationRequest, requester: str | None) -> MigrationRecord:
    correlation_id = request.correlation_id or ports.new_id()
    record, entry = begin(request, correlation_id=correlation_id, at=ports.now(), requester=requester)
    try:
        ports.migrations.append(record, entry)
    except RecordChangedError:
        kept = ports.migrations.record(request.migration_id)
        if kept is None:
            # Two copies collided and neither was written: the message has to come again (I1).
            raise
        return kept
    return record


def _differences(old: MigrationRequest, new: MigrationRequest) -> list[str]:
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return [name for name in before if before[name] != after[name]]


def rejected(
    body: str, *, message_id: str, reason: str, at: datetime, retention_days: int, sender: str | None = None
) -> Rejection:
    """What is kept of a message that could not be accepted."""
    hints = id_hints(body)
    return Rejection(
        message_id=message_id,
        at=at,
        reason=reason[:REASON_LIMIT],
        migration_id=hints.get("migrationId"),
        correlation_id=hints.get("correlationId"),
        sender=sender,
        body_digest=hashlib.sha256(body.encode(errors="replace")).hexdigest(),
        body_excerpt=_storable(body[:EXCERPT_CHARACTERS]),
        expires_at=int((at + timedelta(days=retention_days)).timestamp()),
    )


def id_hints(body: str) -> dict[str, str]:
    """The ids in a message that is no valid request, for whoever looks for it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    found = {name: document.get(name) for name in ("migrationId", "correlationId")}
    return {name: _storable(value[:128]) for name, value in found.items() if isinstance(value, str)}


def _storable(text: str) -> str:
    # JSON may name half a surrogate pair, which no table and no log line can hold.
    return text.encode(errors="replace").decode()
