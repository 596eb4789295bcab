"""ingress_handler: takes messages from the queue, accepts each request once or keeps why it cannot be accepted."""

from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import RequestError
from runtime.handlers.entry import Event, aws_ports, each_record, environment, observed, scope_of
from runtime.logic.ingress import accept, id_hints, parse_request, rejection
from runtime.logic.ports import Ports
from runtime.models.environment import IngressEnvironment
from runtime.observability import correlate, logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(IngressEnvironment, scope_of(context))
    return each_record(event, context, EventType.SQS, lambda record: _take(record, ports))


def _take(message: SQSRecord, ports: Ports) -> None:
    try:
        request = parse_request(message.body)
        correlation_id = request.correlation_id or ports.new_id()
        record = accept(request, correlation_id=correlation_id, at=ports.now(), store=ports.store, bus=ports.bus)
    except RequestError as error:
        kept = rejection(
            message.body,
            message_id=message.message_id,
            reason=str(error),
            at=ports.now(),
            retention_days=environment(IngressEnvironment).retention_days,
            hints=id_hints(message.body),
        )
        ports.store.reject(kept)
        # Or this line would carry the ids of the message before it in the batch (I9).
        correlate(kept.migration_id or "unknown", kept.correlation_id or "unknown")
        logger.warning("request rejected", extra={"message_id": message.message_id, "reason": kept.reason})
        # Returned as failed, so that SQS keeps the body: after three receives it is in the dead-letter queue.
        raise
    correlate(record.migration_id, record.correlation_id)
    logger.info("request accepted", extra={"status": record.status})
