"""Retry and Catch match errors, and Retry spaces attempts, as Step Functions does."""

import random
from typing import Any

from ministack.services import stepfunctions

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

# States.ALL never matches these: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_TERMINAL_ERRORS = frozenset({"States.DataLimitExceeded", "States.Runtime"})


def apply(settings: EngineSettings) -> None:
    pinned(stepfunctions, "_error_matches", "519b9dc729c5")
    stepfunctions._error_matches = error_matches
    find_retrier = pinned(stepfunctions, "_find_matching_retrier", "cb494ae8503c")

    def find_retrier_with_delay(
        retriers: list[dict[str, Any]], error: str, retry_counts: dict[int, int]
    ) -> tuple[dict[str, Any] | None, int]:
        retrier, index = find_retrier(retriers, error, retry_counts)
        if retrier is None:
            return None, -1
        # The engine multiplies interval and rate itself and knows neither MaxDelaySeconds nor JitterStrategy.
        delay = delay_before(retrier, retry_counts.get(index, 0))
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, index

    stepfunctions._find_matching_retrier = find_retrier_with_delay


def error_matches(error_equals: list[str], error: str) -> bool:
    """Whether a retrier or catcher with this ErrorEquals takes this error."""
    if error in error_equals:
        return True
    if error in _TERMINAL_ERRORS:
        return False
    return "States.ALL" in error_equals or (error != "States.Timeout" and "States.TaskFailed" in error_equals)


def delay_before(retrier: dict[str, Any], attempts_made: int) -> float:
    """Seconds to wait before the next attempt."""
    delay = float(retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** attempts_made)
    if "MaxDelaySeconds" in retrier:
        delay = min(delay, retrier["MaxDelaySeconds"])
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay
