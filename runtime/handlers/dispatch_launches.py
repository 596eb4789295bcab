"""dispatch_launches: looks at everything that waits in an account and Region and launches what MGN has room for."""

from datetime import UTC, datetime

from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import TransientError
from runtime.handlers.entry import Event, aws_ports, each_record, observed, scope_of
from runtime.logic.dispatching import look
from runtime.logic.ports import Ports
from runtime.models.environment import StepEnvironment
from runtime.observability import logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    home = aws_ports(StepEnvironment, scope_of(context))
    return each_record(event, context, EventType.SQS, lambda record: _look(record, home.at(record.body)))


def _look(wake: SQSRecord, ports: Ports) -> None:
    # Both by the clock of SQS: a burst of events wakes many times, and one look that began after them sees it all.
    sent_at = _moment(wake.attributes.sent_timestamp)
    received_at = _moment(wake.attributes.approximate_first_receive_timestamp)
    seen = ports.store.last_look(ports.scope)
    if seen is not None and sent_at < seen:
        return
    try:
        report = look(ports)
    except TransientError as error:
        logger.warning("looked in vain", extra={"scope": ports.scope, "error": str(error)})
        ports.wakes.wake(ports.scope, after=ports.budgets.look)
        return
    if report.again is not None:
        ports.wakes.wake(ports.scope, after=report.again)
    counts = {name: value for name, value in report._asdict().items() if name != "failures"}
    logger.info("looked", extra={"scope": ports.scope, **counts})
    if report.failures:
        # Handed back to the queue, and after three looks in vain to the people who read its dead letters.
        raise report.failures[0]
    ports.store.looked(ports.scope, received_at)


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1_000, UTC)
