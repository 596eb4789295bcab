"""Logger, tracer and metrics, made once and imported from here."""

import os
from functools import cache

from aws_lambda_powertools import Logger, Metrics, Tracer

logger = Logger()
metrics = Metrics()


@cache
def tracer() -> Tracer:
    """For traced invocations only: it loads the X-Ray SDK, which makes a client of its own."""
    return Tracer(patch_modules=("botocore",))


def is_traced() -> bool:
    """Whether Lambda samples this invocation."""
    return "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", "")


UNKNOWN = "unknown"
"""The id on the lines of a record that has not said yet which migration it is about."""


def at_work() -> str:
    """The function, and the migration this invocation is about if it is about one."""
    migration_id = logger.get_current_keys().get("migration_id")
    return logger.service if migration_id in (None, UNKNOWN) else f"{logger.service}.{migration_id}"


def correlate(migration_id: str, correlation_id: str) -> None:
    """Put both ids on every further log line and on the trace of this invocation (I9)."""
    logger.append_keys(migration_id=migration_id)
    logger.set_correlation_id(correlation_id)
    if is_traced():
        tracer().put_annotation("correlation_id", correlation_id)
        tracer().put_annotation("migration_id", migration_id)
