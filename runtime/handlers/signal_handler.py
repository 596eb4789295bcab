"""signal_handler: the one door for everything that resumes a migration, and the step that parks for it."""

import json

from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.handlers.entry import Event, aws_ports, observed, scope_of
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
    envelope = EventEnvelope.model_validate(event)
    result = _receive(envelope, ports)
    tell = logger.warning if result.startswith(REFUSED) else logger.info
    tell("signal", extra={"detail_type": envelope.detail_type, "result": result})
    return {"result": result}


def _receive(envelope: EventEnvelope, ports: Ports) -> str:
    if envelope.source == MGN_SOURCE:
        return mgn_event(ports, envelope)
    if envelope.source == "aws.states":
        ended = ExecutionEnded.model_validate(envelope.detail)
        return execution_ended(ports, ended.migration_id, ended.execution_arn, ended.status)
    return take_signal(ports, MigrationSignal.from_json(json.dumps(envelope.detail)), sent_at=envelope.time)
