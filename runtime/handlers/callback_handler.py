"""callback_handler: POSTs each change of status to the request's callbackUrl and the configured webhooks."""

from datetime import UTC, datetime
from functools import cache

from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.adapters.aws.clients import client
from runtime.adapters.messages.receiver import HttpReceiver
from runtime.adapters.messages.secrets import StoredSecret
from runtime.handlers.entry import Event, aws_ports, each_record, environment, observed, scope_of
from runtime.logic.callbacks import deliver
from runtime.logic.ports import Ports, Receiver
from runtime.models.envelopes import EventEnvelope
from runtime.models.events import MigrationStatusChanged
from runtime.models.functions.environment import CallbackEnvironment
from runtime.observability import correlate, logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(CallbackEnvironment, scope_of(context))
    return each_record(event, context, EventType.SQS, lambda record: _tell(record, ports))


def _tell(message: SQSRecord, ports: Ports) -> None:
    envelope = EventEnvelope.model_validate_json(message.body)
    # Another release may have put it on the queue (I13).
    changed = MigrationStatusChanged.model_validate(envelope.detail, extra="ignore")
    correlate(changed.migration_id, changed.correlation_id)
    record = ports.migrations.record(changed.migration_id)
    wanted = [record.request.callback_url] if record and record.request.callback_url else []
    delivered = deliver(changed, [*wanted, *environment(CallbackEnvironment).webhook_urls], _receiver())
    logger.info("told", extra={"receivers": delivered, "to_status": changed.to_status})


@cache
def _receiver() -> Receiver:
    settings = environment(CallbackEnvironment)
    return HttpReceiver(
        StoredSecret(client("secretsmanager"), settings.signing_secret),
        lambda: datetime.now(UTC),
        allows_private_addresses=settings.allows_private_addresses,
        timeout_seconds=settings.timeout_seconds,
    )
