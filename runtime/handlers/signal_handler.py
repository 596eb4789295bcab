"""signal_handler: the one door for everything that resumes a migration, and the step that parks for it."""

import json

from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.handlers.entry import Event, aws_ports, each_record, observed, scope_of, sender_of, sent_at
from runtime.logic.ports import Ports
from runtime.logic.signals import REFUSED, execution_ended, mgn_event, take_signal
from runtime.logic.steps.await_signal import await_signal
from runtime.models.envelopes import MGN_SOURCE, EventEnvelope, ExecutionEnded
from runtime.models.events import MigrationSignal
from runtime.models.functions.environment import StepEnvironment
from runtime.models.functions.steps import AwaitSignal
from runtime.observability import correlate, logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(StepEnvironment, scope_of(context))
    if "taskToken" in event:
        step = AwaitSignal.from_wire(event)
        correlate(step.migration_id, step.correlation_id)
        await_signal(step, ports)
        return {}
    if "Records" in event:
        return each_record(event, context, EventType.SQS, lambda record: _decide(record, ports))
    envelope = EventEnvelope.model_validate(event)
    result = _receive(envelope, ports)
    _tell(result, detail_type=envelope.detail_type)
    return {"result": result}


def _receive(envelope: EventEnvelope, ports: Ports) -> str:
    if envelope.source == MGN_SOURCE:
        return mgn_event(ports, envelope)
    if envelope.source == "aws.states":
        ended = ExecutionEnded.model_validate(envelope.detail)
        return execution_ended(ports, ended.migration_id, ended.execution_arn, ended.status)
    return take_signal(
        ports,
        MigrationSignal.from_json(json.dumps(envelope.detail)),
        message_id=envelope.id,
        sent_at=envelope.time,
    )


def _decide(message: SQSRecord, ports: Ports) -> None:
    sent = MigrationSignal.from_json(message.body)
    result = take_signal(
        ports, sent, sender=sender_of(message), message_id=message.message_id, sent_at=sent_at(message)
    )
    _tell(result, migration_id=sent.migration_id)


def _tell(result: str, **about: str) -> None:
    tell = logger.warning if result.startswith(REFUSED) else logger.info
    tell("signal", extra={**about, "result": result})
