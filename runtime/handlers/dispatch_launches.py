"""dispatch_launches: looks at everything that waits in an account and Region and launches what MGN has room for."""

from datetime import UTC, datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import MigrationError, TransientError
from runtime.handlers.entry import Event, aws_ports, each_record, observed, scope_of
from runtime.logic.dispatch.looking import look, look_again
from runtime.logic.ports import Ports
from runtime.models.functions.environment import StepEnvironment
from runtime.models.scope import Scope
from runtime.observability import logger, metrics


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    home = aws_ports(StepEnvironment, scope_of(context))
    return each_record(event, context, EventType.SQS, lambda record: _take(record, home.at(Scope.parse(record.body))))


def _take(wake: SQSRecord, ports: Ports) -> None:
    # Both by the clock of SQS: a burst of events wakes many times, and one look that began after them sees it all.
    sent_at = _moment(wake.attributes.sent_timestamp)
    received_at = _moment(wake.attributes.approximate_first_receive_timestamp)
    seen = ports.dispatches.last_look(ports.scope)
    # One that was handed back looks again: the look it failed in is not to be taken for the one it asks for.
    was_handed_back = int(wake.attributes.approximate_receive_count) > 1
    if seen is not None and sent_at < seen and not was_handed_back:
        return
    again, failures = _look(ports)
    # Either the next wake or the message itself comes back, never both: each would go on as a chain of its own.
    if again is not None:
        ports.wakes.wake(ports.scope, after=again)
    ports.dispatches.looked(ports.scope, received_at if seen is None else max(received_at, seen))
    if failures and again is None:
        # Handed back to the queue, and after three looks in vain to the people who read its dead letters.
        raise failures[0]


def _look(ports: Ports) -> tuple[float | None, tuple[Exception, ...]]:
    """Look once; when to look again, and what kept waits from ending."""
    try:
        report = look(ports)
    except TransientError as error:
        logger.warning("looked in vain", extra={"scope": ports.scope, "error": str(error)})
        return look_again(ports), ()
    counts = {name: value for name, value in report._asdict().items() if name != "failures"}
    logger.info("looked", extra={"scope": ports.scope, **counts})
    for failure in report.failures:
        # What boto raises may quote a task token (I11).
        words = str(failure) if isinstance(failure, MigrationError) else ""
        logger.error("waits not ended", extra={"scope": ports.scope, "error": type(failure).__name__, "reason": words})
    if report.failures:
        metrics.add_metric(name="LookFailures", unit=MetricUnit.Count, value=len(report.failures))
    return report.again, report.failures


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1_000, UTC)
