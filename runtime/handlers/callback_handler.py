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
from runtime.logic.callbacks import deliver, journaled_change
from runtime.logic.ports import Ports, Receiver
from runtime.models.envelopes import EventEnvelope
from runtime.models.events import ChangeRef
from runtime.models.functions.environment import CallbackEnvironment
from runtime.observability import UNKNOWN, correlate, logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(CallbackEnvironment, scope_of(context))
    return each_record(event, context, EventType.SQS, lambda record: _tell(record, ports))


def _tell(message: SQSRecord, ports: Ports) -> None:
    named = ChangeRef.from_wire(EventEnvelope.model_validate_json(message.body).detail)
    record, changed = journaled_change(ports.migrations, named)
    if record is None or changed is None:
        # Taken from the queue: the journal will not tell of it later either.
        correlate(named.migration_id, UNKNOWN)
        reason = f"the journal has no change of status under {named.sequence}"
        logger.warning("callback refused", extra={"message_id": message.message_id, "reason": reason})
        return
    correlate(record.migration_id, record.correlation_id)
    wanted = (record.request.callback_url, *environment(CallbackEnvironment).webhook_urls)
    urls = tuple(dict.fromkeys(url for url in wanted if url))
    if urls:
        deliver(changed, urls, _receiver())
    logger.info("told", extra={"receivers": len(urls), "to_status": changed.to_status})


def _receiver() -> Receiver:
    settings = environment(CallbackEnvironment)
    return HttpReceiver(
        _secret()(),
        _now,
        allows_private_addresses=settings.allows_private_addresses,
        timeout_seconds=settings.timeout_seconds,
    )


@cache
def _secret() -> StoredSecret:
    return StoredSecret(client("secretsmanager"), environment(CallbackEnvironment).signing_secret, _now)


def _now() -> datetime:
    return datetime.now(UTC)
