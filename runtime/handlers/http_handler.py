"""http_handler: the HTTP door. Says at once what queue and bus say later."""

from collections.abc import Mapping
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import (
    DecisionRefusedError,
    MigrationError,
    RequestConflictError,
    RequestError,
    TransientError,
    UnknownMigrationError,
)
from runtime.handlers.entry import Event, aws_ports, observed, scope_of
from runtime.logic import http_door
from runtime.logic.ports import Ports
from runtime.models.base import Model
from runtime.models.functions.environment import HttpEnvironment
from runtime.models.http import DECIDE, HISTORY, LIST, SHOW, SUBMIT, SUBMIT_TEST, Accepted, Problem, Route
from runtime.models.text import visible
from runtime.observability import correlate, logger

JSON, PROBLEM = "application/json", "application/problem+json"
STATUS = {
    UnknownMigrationError: HTTPStatus.NOT_FOUND,
    RequestConflictError: HTTPStatus.CONFLICT,
    DecisionRefusedError: HTTPStatus.FORBIDDEN,
    RequestError: HTTPStatus.BAD_REQUEST,
    TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
}

app = APIGatewayRestResolver()


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    answer: Event = app.resolve(event, context)
    return answer


def _rule(route: Route) -> str:
    return route.path.replace("{", "<").replace("}", ">")


@app.post(_rule(SUBMIT))
def submit() -> Response[str]:
    return _accepted(http_door.submit(_ports(), _body(), sender=_sender()))


@app.post(_rule(SUBMIT_TEST))
def submit_test() -> Response[str]:
    return _accepted(http_door.submit(_ports(), _body(), sender=_sender(), only_test=True))


@app.get(_rule(LIST))
def list_migrations() -> Response[str]:
    return _answer(LIST, http_door.listed(_ports(), app.current_event.query_string_parameters))


@app.get(_rule(SHOW))
def show_migration(migrationId: str) -> Response[str]:
    return _answer(SHOW, http_door.show(_ports(), migrationId))


@app.get(_rule(HISTORY))
def show_journal(migrationId: str) -> Response[str]:
    return _answer(HISTORY, http_door.history(_ports(), migrationId))


@app.post(_rule(DECIDE))
def decide(migrationId: str) -> Response[str]:
    request_id = app.current_event.request_context.request_id
    decided = http_door.decide(_ports(), migrationId, _body(), sender=_sender(), message_id=request_id)
    logger.info("decision taken", extra={"migration_id": migrationId, "result": decided.result})
    return _answer(DECIDE, decided)


@app.exception_handler([RequestError, TransientError])  # type: ignore[untyped-decorator]
def refuse(error: MigrationError) -> Response[str]:
    status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
    # Our own words: they name fields and quote no body.
    logger.warning("refused", extra={"error": type(error).__name__, "reason": visible(str(error))})
    return _problem(status, str(error))


@app.not_found
def no_such_route(error: NotFoundError) -> Response[str]:
    return _problem(HTTPStatus.NOT_FOUND, "there is no such path")


def _ports() -> Ports:
    return aws_ports(HttpEnvironment, scope_of(app.lambda_context))


def _body() -> str:
    return app.current_event.decoded_body or ""


def _sender() -> str | None:
    """Who API Gateway says signed the request, in the form in which SQS names senders."""
    return app.current_event.request_context.identity.caller


def _accepted(accepted: Accepted) -> Response[str]:
    correlate(accepted.migration_id, accepted.correlation_id)
    logger.info("request accepted", extra={"status": accepted.status})
    stage = app.current_event.request_context.stage
    return _answer(SUBMIT, accepted, {"Location": f"/{stage}{SUBMIT.path}/{accepted.migration_id}"})


def _answer(route: Route, model: Model, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response(route.success, JSON, model.to_json(), headers=dict(headers or {}))


def _problem(status: HTTPStatus, detail: str) -> Response[str]:
    problem = Problem(title=status.phrase, status=status, detail=detail)
    return Response(status, PROBLEM, problem.to_json())
