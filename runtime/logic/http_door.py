"""What the HTTP door does: the same as queue and bus, but it answers."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import islice

from pydantic import ValidationError

from runtime.errors import DecisionRefusedError, RequestConflictError, RequestError, UnknownMigrationError
from runtime.logic.ingress import accept, explain, parse_request
from runtime.logic.ports import Ports
from runtime.logic.signals import IGNORED, REFUSED, take_signal
from runtime.models.events import MigrationSignal
from runtime.models.http import (
    Accepted,
    Decided,
    DecisionBody,
    Journal,
    ListQuery,
    MigrationList,
    MigrationSummary,
)
from runtime.models.record import MigrationRecord, Position
from runtime.models.request import MigrationRequest, Mode


def submit(ports: Ports, body: str, *, sender: str | None, only_test: bool = False) -> Accepted:
    """Accept a request. Raises RequestError, RequestConflictError.

    Nothing is kept of one that is refused: its sender is told here and now.
    """
    request = parse_request(body)
    if only_test and request.mode is not Mode.TEST:
        request = _as_test(request)
    record = accept(ports, request, requester=sender)
    return Accepted(migration_id=record.migration_id, correlation_id=record.correlation_id, status=record.status)


def decide(ports: Ports, migration_id: str, body: str, *, sender: str | None, message_id: str | None = None) -> Decided:
    """Take a decision. Raises RequestError, UnknownMigrationError, DecisionRefusedError, RequestConflictError."""
    try:
        decision = DecisionBody.from_json(body)
        signal = MigrationSignal(migration_id=migration_id, **decision.model_dump(by_alias=False))
    except ValidationError as error:
        raise RequestError(explain(error)) from error
    show(ports, migration_id)
    result = take_signal(ports, signal, sender=sender, message_id=message_id)
    if result.startswith(REFUSED):
        raise DecisionRefusedError(result.removeprefix(f"{REFUSED}: "))
    if result.startswith(IGNORED):
        raise RequestConflictError(result.removeprefix(f"{IGNORED}: "))
    return Decided(result=result)


def show(ports: Ports, migration_id: str) -> MigrationRecord:
    """The record of a migration. Raises UnknownMigrationError."""
    record = ports.migrations.record(migration_id)
    if record is None:
        raise UnknownMigrationError(f"there is no migration {migration_id}; list those of a wave with ?wave=…")
    return record


def history(ports: Ports, migration_id: str) -> Journal:
    """The journal of a migration. Raises UnknownMigrationError."""
    show(ports, migration_id)
    return Journal(entries=ports.migrations.journal(migration_id))


def listed(ports: Ports, parameters: dict[str, str]) -> MigrationList:
    """One page of the migrations asked for. Raises RequestError."""
    try:
        query = ListQuery.model_validate(parameters)
        after = _position(query.next) if query.next else None
    except ValidationError as error:
        raise RequestError(explain(error)) from error
    if query.wave is None and query.application is None and query.status is None:
        raise RequestError("name wave, application or status: migrations are listed by one of them")
    found = ports.migrations.find(wave=query.wave, application=query.application, status=query.status, after=after)
    page = list(islice(found, query.limit + 1))
    shown = page[: query.limit]
    more = _token(shown[-1]) if len(page) > len(shown) else None
    return MigrationList(migrations=tuple(MigrationSummary.of(record) for record in shown), next=more)


def _as_test(request: MigrationRequest) -> MigrationRequest:
    if "mode" in request.model_fields_set:
        raise RequestError(f"mode: {request.mode} contradicts /migrations/test; leave it out or POST to /migrations")
    if not request.test:
        raise RequestError("test: false contradicts /migrations/test; leave it out or POST to /migrations")
    return request.model_copy(update={"mode": Mode.TEST})


def _token(record: MigrationRecord) -> str:
    return urlsafe_b64encode(Position.of(record).to_json().encode()).decode()


def _position(token: str) -> Position:
    try:
        return Position.from_json(urlsafe_b64decode(token.encode()))
    except (ValueError, UnicodeError) as error:
        raise RequestError("next: was not given by an answer of this list; leave it out to begin anew") from error
