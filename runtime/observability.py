"""Logger, tracer and metrics, made once and imported from here."""

from aws_lambda_powertools import Logger, Metrics, Tracer

logger = Logger()
tracer = Tracer()
metrics = Metrics()


def correlate(migration_id: str, correlation_id: str) -> None:
    """Put both ids on every further log line and on the trace of this invocation (I9)."""
    logger.append_keys(migration_id=migration_id)
    logger.set_correlation_id(correlation_id)
    tracer.put_annotation("correlation_id", correlation_id)
    tracer.put_annotation("migration_id", migration_id)
