"""publish_events: turns each journal entry of the table's stream into events on the bus, at least once, in order."""

from datetime import timedelta

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.handlers.entry import Event, aws_ports, each_record, observed, scope_of
from runtime.logic.ports import Ports
from runtime.models.envelopes import StreamRecord
from runtime.models.events import status_events
from runtime.models.functions.environment import PublishEnvironment
from runtime.models.record import JournalEntry, MigrationRecord
from runtime.observability import correlate, logger, metrics


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(PublishEnvironment, scope_of(context))
    return each_record(event, context, EventType.DynamoDBStreams, lambda record: _publish(record, ports))


def _publish(change: DynamoDBRecord, ports: Ports) -> None:
    entry = JournalEntry.from_json(StreamRecord.model_validate(change.raw_event).document)
    if not entry.changes_status:
        return
    correlate(entry.migration_id, entry.correlation_id)
    record = ports.migrations.record(entry.migration_id)
    if record is None:
        return
    ports.bus.publish(status_events(record, entry))
    _measure(record, entry)
    logger.info("status changed", extra={"to_status": entry.to_status, "actor": entry.actor, "reason": entry.reason})


def _measure(record: MigrationRecord, entry: JournalEntry) -> None:
    metrics.add_metric(name=f"Migrations{entry.to_status.title().replace('_', '')}", unit=MetricUnit.Count, value=1)
    if entry.to_status.is_terminal:
        minutes = (entry.at - record.created_at) / timedelta(minutes=1)
        metrics.add_metric(name="MigrationMinutes", unit=MetricUnit.NoUnit, value=minutes)
