"""Table streams are read as Lambda reads them: off the polling thread, with partial failures, retries and bisection.

The engine runs a stream's handler on the one thread that polls all queues and streams, takes a partial failure for
success, and repeats a failing batch for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import Any

from ministack.core import responses
from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import dynamodb, lambda_svc

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_FOR_EVER = -1

Mapping = dict[str, Any]
Records = list[dict[str, Any]]


@dataclass
class _Progress:
    """What is known of the batch at a mapping's position; a new position starts anew."""

    position: int
    attempts: int = 0
    size: int | None = None


_progress: dict[str, _Progress] = {}


def apply(settings: EngineSettings) -> None:
    pinned(lambda_svc, "_poll_dynamodb_streams", "2b2460e933a9")
    lambda_svc._poll_dynamodb_streams = poll


def poll() -> bool:
    """Hand the next batch of every stream to its function; False when there was none."""
    found = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with _scope(account, region):
            found = _dispatch_next_batch(mapping) or found
    return found


def _dispatch_next_batch(mapping: Mapping) -> bool:
    mapping_id, table = mapping["UUID"], _table_of(mapping)
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    is_busy = lambda_svc._esm_inflight.get(mapping_id, 0) > 0
    if table is None or function is None or is_busy or lambda_svc._esm_backoff_until.get(mapping_id, 0) > time():
        return False
    progress = _progress_of(mapping, table)
    size = progress.size or int(mapping.get("BatchSize", 100))
    records = dynamodb.stream_records_since(table, progress.position, size)
    if not records:
        return False
    matching = lambda_svc._apply_filter_criteria(records, mapping)
    if matching:
        lambda_svc._dispatch_esm_batch(mapping_id, _run, mapping, function, records, matching, progress)
    else:
        _advance(mapping, progress.position + len(records))
    return True


def _run(mapping: Mapping, function: Any, records: Records, matching: Records, progress: _Progress) -> None:
    result = lambda_svc._execute_function(function, {"Records": matching})
    failed_at = _first_failure(mapping, result, records)
    if failed_at is None:
        mapping["LastProcessingResult"] = "OK"
        _advance(mapping, progress.position + len(records))
        return
    mapping["LastProcessingResult"] = "FAILED"
    lambda_svc.logger.warning("stream of %s: %s", mapping["FunctionName"], result.get("body"))
    if failed_at > 0:
        _advance(mapping, progress.position + failed_at)
    elif mapping.get("BisectBatchOnFunctionError") and len(records) > 1 and result.get("error"):
        # Splitting a batch does not count as an attempt.
        progress.size = len(records) // 2
    elif 0 <= int(mapping.get("MaximumRetryAttempts", _FOR_EVER)) <= progress.attempts:
        condition = "RetryAttemptsExhausted"
        lambda_svc._send_ddb_stream_failure_record(
            mapping, function, records, mapping["EventSourceArn"], result, condition
        )
        _advance(mapping, progress.position + len(records))
    else:
        progress.attempts += 1
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time() + lambda_svc._ESM_BACKOFF_SECONDS


def _first_failure(mapping: Mapping, result: dict[str, Any], records: Records) -> int | None:
    """Where the batch has to be taken up again; None when all of it is done."""
    if result.get("error"):
        return 0
    body = result.get("body")
    reports = "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []) and isinstance(body, dict)
    failures = (body.get("batchItemFailures") or []) if reports and body else []
    failed = {failure.get("itemIdentifier") for failure in failures}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    positions = [position for position, number in enumerate(numbers) if number in failed]
    # Lambda takes a failure it cannot place for a failure of the whole batch.
    return min(positions, default=0) if failed else None


def _progress_of(mapping: Mapping, table: str) -> _Progress:
    mapping_id = mapping["UUID"]
    lambda_svc._init_stream_position(mapping_id, mapping["EventSourceArn"], mapping.get("StartingPosition", "LATEST"))
    # Records older than a day are gone from the stream.
    position = max(lambda_svc._dynamodb_stream_positions[mapping_id], dynamodb.stream_start_position(table))
    known = _progress.get(mapping_id)
    if known is None or known.position != position:
        known = _progress[mapping_id] = _Progress(position)
    return known


def _advance(mapping: Mapping, position: int) -> None:
    lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position


def _table_of(mapping: Mapping) -> str | None:
    """The table whose current stream the mapping reads, while it is enabled."""
    source = mapping.get("EventSourceArn", "")
    try:
        spec = parse_arn(source)
    except ArnParseError:
        return None
    named = lambda_svc._dynamodb_stream_table_from_arn_spec(spec) if spec.service == "dynamodb" else None
    if not named or not mapping.get("Enabled", True):
        return None
    table = dynamodb._tables.get(named[0]) or {}
    return str(named[0]) if table.get("LatestStreamArn") == source else None


@contextmanager
def _scope(account: str, region: str) -> Iterator[None]:
    tokens = responses._request_account_id.set(account), responses._request_region.set(region)
    try:
        yield
    finally:
        responses._request_account_id.reset(tokens[0])
        responses._request_region.reset(tokens[1])
