"""dispatch_launches: looks at everything that waits in an account and Region and launches what MGN has room for."""

from datetime import UTC, datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.errors import MigrationError, TransientError
from runtime.handlers.entry import Event, aws_ports, each_record, observed, scope_of
from runtime.logic.dispatch.looking import look, look_again
from runtime.logic.ports import Ports
from runtime.models.dispatch import Looked
from runtime.models.functions.environment import StepEnvironment
from runtime.models.scope import Wake
from runtime.observability import logger, metrics

SHARE = 0.5
"""Of its time a look begins something in; the rest is for what it began, an AWS that does not answer included."""


@observed
def handler(event: Event, context: LambdaContext) -> Event:
    home = aws_ports(StepEnvironment, scope_of(context))

    def take(record: SQSRecord) -> None:
        wake = Wake.parse(record.body)
        ports = home.at(wake.scope)
        _take(record, wake, ports, until=ports.now() + SHARE * timedelta(milliseconds=_remaining(context)))

    return each_record(event, context, EventType.SQS, take)


def _take(record: SQSRecord, wake: Wake, ports: Ports, *, until: datetime) -> None:
    # Both by the clock of SQS: a burst of events wakes many times, and one look that began after them sees it all.
    sent_at = _moment(record.attributes.sent_timestamp)
    received_at = _moment(record.attributes.approximate_first_receive_timestamp)
    looked = ports.dispatches.last_look(ports.scope)
    # One that was handed back looks again: the look it failed in is not to be taken for the one it asks for.
    was_handed_back = int(record.attributes.approximate_receive_count) > 1
    # Who never looked, or did before there were lanes, finds all that waits in a round.
    everything = wake.everything or was_handed_back or looked.at is None
    seen = looked.round_at if everything else looked.at
    if seen is not None and sent_at < seen and not was_handed_back:
        return
    again, failures, looked = _look(ports, looked, everything=everything, until=until)
    # Either the next wake or the message itself comes back, never both: each would go on as a chain of its own.
    if again is not None:
        ports.wakes.wake(ports.scope, after=again)
    rounds = {"round_at": _later(looked.round_at, received_at)} if everything else {}
    ports.dispatches.looked(ports.scope, looked.model_copy(update={"at": _later(looked.at, received_at), **rounds}))
    if failures and again is None:
        # Handed back to the queue, and after three looks in vain to the people who read its dead letters.
        raise failures[0]


def _look(
    ports: Ports, looked: Looked, *, everything: bool, until: datetime
) -> tuple[float | None, tuple[Exception, ...], Looked]:
    """Look once; when to look again, what kept waits from ending, and what is left to the next look."""
    try:
        report = look(ports, looked, everything=everything, until=until)
    except TransientError as error:
        logger.warning("looked in vain", extra={"scope": ports.scope, "error": str(error)})
        return look_again(ports, looked), (), looked
    counts = {name: value for name, value in report._asdict().items() if name not in ("failures", "looked")}
    logger.info("looked", extra={"scope": ports.scope, "round": everything, **counts})
    for failure in report.failures:
        # What boto raises may quote a task token (I11).
        words = str(failure) if isinstance(failure, MigrationError) else ""
        logger.error("waits not ended", extra={"scope": ports.scope, "error": type(failure).__name__, "reason": words})
    if report.failures:
        metrics.add_metric(name="LookFailures", unit=MetricUnit.Count, value=len(report.failures))
    return report.again, report.failures, report.looked


def _remaining(context: LambdaContext) -> int:
    milliseconds: int = context.get_remaining_time_in_millis()
    return milliseconds


def _later(before: datetime | None, now: datetime) -> datetime:
    return now if before is None else max(before, now)


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1_000, UTC)
