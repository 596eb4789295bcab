"""dispatch_launches: looks at everything that waits in an account and Region and launches what MGN has room for."""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import TransientError
from runtime.handlers.entry import Event, aws_ports, observed, scope_of
from runtime.logic.dispatching import look
from runtime.logic.ports import Ports
from runtime.models.envelopes import QueuedWakes
from runtime.models.environment import StepEnvironment
from runtime.observability import logger

CLOCK_MARGIN = timedelta(milliseconds=200)
"""Between SQS's clock and ours."""


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(StepEnvironment, scope_of(context))
    newest: dict[str, datetime] = {}
    for wake in QueuedWakes.model_validate(event).records:
        newest[wake.scope] = max(wake.sent_at, newest.get(wake.scope, wake.sent_at))
    failures: list[Exception] = []
    for scope, sent_at in newest.items():
        try:
            _look(ports.at(scope), sent_at)
        except Exception as error:
            # An account that lets nobody in must not keep the others of the batch waiting.
            logger.exception("look failed", extra={"scope": scope})
            failures.append(error)
    if failures:
        raise failures[0]
    return {}


def _look(ports: Ports, sent_at: datetime) -> None:
    seen = ports.store.last_look(ports.scope)
    if seen is not None and sent_at < seen - CLOCK_MARGIN:
        # A burst of events wakes many times; one look after the last of them sees it all.
        return
    began = ports.now()
    try:
        report = look(ports)
    except TransientError as error:
        logger.warning("looked in vain", extra={"scope": ports.scope, "error": str(error)})
        ports.wakes.wake(ports.scope, after=ports.budgets.look)
        return
    ports.store.looked(ports.scope, began)
    if report.again is not None:
        ports.wakes.wake(ports.scope, after=report.again)
    logger.info("looked", extra={"scope": ports.scope, **report._asdict()})
