"""How every handler begins: its event becomes a model, its environment ports, its log lines carry the ids."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, wraps
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools.tracing import tracer as powertools_tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from runtime.errors import MigrationError
from runtime.handlers.wiring import AwsPorts, Wiring
from runtime.logic.ports import Ports
from runtime.models.base import Model, faults
from runtime.models.functions.environment import HandlerEnvironment
from runtime.models.scope import Scope
from runtime.models.text import visible
from runtime.observability import UNKNOWN, correlate, is_traced, logger, metrics, tracer

# A function loads the models of its own events only.
if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch import EventType
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from runtime.models.functions.steps import Step

SHOWN_FRAMES = 4

Event = dict[str, object]
LambdaHandler = Callable[[Event, LambdaContext], Event]
SomeStep = TypeVar("SomeStep", bound="Step")
Environment = TypeVar("Environment", bound=HandlerEnvironment)


@cache
def environment(kind: type[Environment]) -> Environment:
    """The function's environment, read once; raises ValidationError naming what is missing."""
    return kind.from_variables()


def aws_ports(kind: type[HandlerEnvironment], scope: Scope) -> Ports:
    """The ports of this function, asked for once an invocation."""
    ports = kept_ports(kind, scope)
    ports.begin()
    return ports


@cache
def kept_ports(kind: type[HandlerEnvironment], scope: Scope) -> AwsPorts:
    """The ports this environment was made with."""
    return AwsPorts(Wiring.of(environment(kind)), scope)


def scope_of(context: LambdaContext) -> Scope:
    """Account and Region this function runs in."""
    _, _, _, region, account, *_ = context.invoked_function_arn.split(":")
    return Scope(account, region)


def observed(handler: LambdaHandler) -> LambdaHandler:
    """Logs, traces and metrics around a handler. Events are not logged: they carry task tokens (I11)."""
    logged = logger.inject_lambda_context(handler, clear_state=True)

    @wraps(handler)
    def invoked(event: Event, context: LambdaContext) -> Event:
        try:
            if is_traced():
                answer: Event = tracer().capture_lambda_handler(logged, capture_response=False)(event, context)
                return answer
            # Powertools takes the first invocation it traces for the cold start.
            powertools_tracer.is_cold_start = False
            return logged(event, context)
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return invoked


def step_handler(model: type[SomeStep]) -> Callable[[Callable[[SomeStep, Ports], Model | None]], LambdaHandler]:
    """Turn `(step, ports) -> result` into the handler of one state machine step."""

    def decorate(work: Callable[[SomeStep, Ports], Model | None]) -> LambdaHandler:
        @wraps(work)
        def handler(event: Event, context: LambdaContext) -> Event:
            step = model.from_wire(event)
            correlate(step.migration_id, step.correlation_id)
            result = work(step, aws_ports(model.function.environment, scope_of(context)))
            logger.info("step done", extra={"step": model.__name__, "result": result and result.to_json()})
            return result.model_dump(mode="json") if result else {}

        return observed(handler)

    return decorate


def sender_of(message: "SQSRecord") -> str | None:
    """Who sent a queue message, as SQS wrote it: no sender can set it."""
    sender: str | None = message.attributes.get("SenderId")
    return sender


def sent_at(message: "SQSRecord") -> datetime | None:
    """When a queue message was sent, by SQS's clock."""
    milliseconds: str | None = message.attributes.get("SentTimestamp")
    return datetime.fromtimestamp(int(milliseconds) / 1_000, UTC) if milliseconds else None


def each_record(event: Event, context: LambdaContext, kind: "EventType", work: Callable[[Any], None]) -> Event:
    """Run `work` on every record; the ones it raised for are logged and handed back to the source."""
    # Imported here: the steps of the state machine never pay for it.
    from aws_lambda_powertools.utilities.batch import BatchProcessor, process_partial_response

    def logged(record: Any) -> None:
        # Or the lines of this record would carry the ids of the one before it in the batch (I9).
        correlate(UNKNOWN, UNKNOWN)
        try:
            work(record)
        except Exception as error:
            logger.warning("record refused", extra={"record": _id_of(record), **_told(error)})
            raise

    # A batch in which every record fails is an answer, not a failure of the function. Powertools would log the error
    # with those it came from, and they may quote the record.
    processor = BatchProcessor(event_type=kind, raise_on_entire_batch_failure=False)
    answer = process_partial_response(event=event, record_handler=logged, processor=processor, context=context)
    return {"batchItemFailures": list(answer["batchItemFailures"])}


def _id_of(record: Any) -> str:
    return getattr(record, "message_id", "") or getattr(record, "event_id", "") or "unknown"


def _told(error: Exception) -> dict[str, object]:
    """An error without what it may quote: our own words, places of what is wrong, AWS's words, else where it arose."""
    if isinstance(error, MigrationError):
        return {"error": type(error).__name__, "reason": visible(str(error))}
    if isinstance(error, ValidationError):
        return {"error": type(error).__name__, "reason": faults(error)}
    from runtime.adapters.aws.faults import describe, is_refusal

    if is_refusal(error):
        return {"error": type(error).__name__, "reason": visible(describe(error))}
    frames = [f"{frame.name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    return {"error": type(error).__name__, "reason": f"raised in {' > '.join(frames[-SHOWN_FRAMES:])}"}
