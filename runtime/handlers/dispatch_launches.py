"""dispatch_launches: looks at everything that waits in an account and Region and launches what MGN has room for."""

from itertools import groupby

from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import TransientError
from runtime.handlers.entry import Event, aws_ports, observed, scope_of
from runtime.logic.dispatching import look
from runtime.logic.ports import Ports
from runtime.models.envelopes import QueuedWake, QueuedWakes
from runtime.models.environment import StepEnvironment
from runtime.observability import logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    ports = aws_ports(StepEnvironment, scope_of(context))
    wakes = sorted(QueuedWakes.model_validate(event).records, key=lambda wake: (wake.scope, wake.sent_at))
    for scope, of_scope in groupby(wakes, key=lambda wake: wake.scope):
        *_, newest = of_scope
        _look(ports.at(scope), newest)
    return {}


def _look(ports: Ports, wake: QueuedWake) -> None:
    seen = ports.store.last_look(ports.scope)
    if seen is not None and wake.sent_at < seen:
        # A burst of events wakes many times; one look that began after the last of them sees it all.
        return
    try:
        report = look(ports)
    except TransientError as error:
        logger.warning("looked in vain", extra={"scope": ports.scope, "error": str(error)})
        ports.wakes.wake(ports.scope, after=ports.budgets.look)
        return
    ports.store.looked(ports.scope, wake.received_at)
    if report.again is not None:
        ports.wakes.wake(ports.scope, after=report.again)
    logger.info("looked", extra={"scope": ports.scope, **report._asdict()})
