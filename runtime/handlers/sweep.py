"""sweep: the one schedule, which has every account and Region looked at and finds what was forgotten."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.handlers.entry import Event, aws_ports, observed, scope_of
from runtime.logic.sweep import sweep
from runtime.models.functions.environment import SweepEnvironment
from runtime.observability import logger


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    report = sweep(aws_ports(SweepEnvironment, scope_of(context)))._asdict()
    logger.info("swept", extra=report)
    return dict(report)
