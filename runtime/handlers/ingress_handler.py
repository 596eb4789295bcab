"""ingress_handler: takes messages from the queue, accepts each request once or keeps why it cannot be accepted."""

from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import RequestError
from runtime.handlers.entry import Event, aws_ports, each_record, environment, observed, scope_of, sender_of
from runtime.logic.ingress import take
from runtime.logic.ports import Ports
from runtime.models.functions.environment import IngressEnvironment
from runtime.models.record import Rejection
from runtime.observability import correlate, logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(IngressEnvironment, scope_of(context))
    return each_record(event, context, EventType.SQS, lambda record: _take(record, ports))


def _take(message: SQSRecord, ports: Ports) -> None:
    retention_days = environment(IngressEnvironment).retention_days
    taken = take(
        ports,
        message.body,
        message_id=message.message_id,
        retention_days=retention_days,
        sender=sender_of(message),
    )
    if isinstance(taken, Rejection):
        correlate(taken.migration_id or "unknown", taken.correlation_id or "unknown")
        # Returned as failed, so that SQS keeps the body: after three receives it is in the dead-letter queue.
        raise RequestError(taken.reason)
    correlate(taken.migration_id, taken.correlation_id)
    logger.info("request accepted", extra={"status": taken.status})
