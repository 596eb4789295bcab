"""Every invocation counts in AWS/Lambda, and metrics embedded in its log (EMF) are published.

The engine counts only invocations through the Invoke API, so not those of state machines, queues and rules.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings


def apply(settings: EngineSettings) -> None:
    dispatch = pinned(lambda_svc, "_execute_function_dispatch", "f62cd259213e")
    emit = pinned(lambda_svc, "_emit_lambda_metrics", "3b6689d77cf6")

    def dispatch_and_count(func: Any, config: dict[str, Any], event: Any, request_id: str, started: float) -> Any:
        begun = time.perf_counter()
        result = dispatch(func, config, event, request_id, started)
        duration_ms = (time.perf_counter() - begun) * 1000
        emit(config.get("FunctionName", ""), duration_ms=duration_ms, error=bool(result.get("error")), throttle=False)
        _publish_embedded_metrics(result.get("log") or "")
        return result

    def emit_throttles_only(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            emit(function_name, duration_ms=duration_ms, error=error, throttle=True)

    lambda_svc._execute_function_dispatch = dispatch_and_count
    lambda_svc._emit_lambda_metrics = emit_throttles_only


def _publish_embedded_metrics(log: str) -> None:
    for document in _embedded_documents(log):
        for directive in document["_aws"].get("CloudWatchMetrics", []):
            for dimension_names in directive.get("Dimensions") or [[]]:
                dimensions = {name: str(document.get(name, "")) for name in dimension_names}
                for metric in directive.get("Metrics", []):
                    _record(directive["Namespace"], metric, document.get(metric["Name"]), dimensions)


def _embedded_documents(log: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        if '"_aws"' not in line:
            continue
        try:
            document = json.loads(line[line.index("{") :])
        except ValueError:
            continue
        if isinstance(document.get("_aws"), dict):
            yield document


def _record(namespace: str, metric: dict[str, Any], found: Any, dimensions: dict[str, str]) -> None:
    for value in found if isinstance(found, list) else [found]:
        if isinstance(value, int | float):
            cloudwatch.record_metric(namespace, metric["Name"], value, metric.get("Unit", "None"), dimensions)
