"""Alarms are evaluated per period, dimension and expression on a timer, and queues report their depth.

The engine evaluates only when a metric is put through the API, over all dimensions at once, without metric math and
without TreatMissingData; it publishes nothing in AWS/SQS.
"""

import threading
import time
from typing import Any

from ministack.core import responses
from ministack.services import cloudwatch, sqs
from ministack.services.cloudformation import provisioners

from localcloud.engine.metric_math import series_of_expression
from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_TICK_SECONDS = 2

Series = list[float | None]


def apply(settings: EngineSettings) -> None:
    pinned(cloudwatch, "_evaluate_alarm", "a0b0acd3d432")
    put_alarm = pinned(cloudwatch, "_put_metric_alarm", "953a67ff4bb1")
    record_of_template = pinned(provisioners, "_cw_metric_alarm_record", "4565fcede1eb")

    def put_alarm_with_math(params: Any, request: Any, is_cbor: bool, is_json: bool = False) -> Any:
        response = put_alarm(params, request, is_cbor, is_json)
        alarm = cloudwatch._alarms.get((request or {}).get("AlarmName"))
        if alarm is not None and request.get("Metrics"):
            alarm["Metrics"] = request["Metrics"]
            evaluate(alarm)
        return response

    def record_with_math(name: str, properties: dict[str, Any]) -> Any:
        metrics = properties.get("Metrics")
        if not metrics:
            return record_of_template(name, properties)
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        record = record_of_template(name, {**plain, "MetricName": "-", "Namespace": "-"})
        for member in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period"):
            record.pop(member, None)
        return {**record, "Metrics": metrics}

    cloudwatch._evaluate_alarm = evaluate
    cloudwatch._put_metric_alarm = put_alarm_with_math
    provisioners._cw_metric_alarm_record = record_with_math
    threading.Thread(target=_tick_forever, daemon=True, name="alarms").start()


def evaluate(alarm: dict[str, Any]) -> None:
    """Move the alarm to the state its latest periods give it."""
    series = _series_of_alarm(alarm)
    if series is None:
        return
    state = _state(alarm, series)
    if state in (None, alarm["StateValue"]):
        return
    known = [value for value in series if value is not None]
    reason = f"Threshold Crossed: {known} {alarm.get('ComparisonOperator')} {alarm.get('Threshold')}"
    previous = alarm["StateValue"]
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], previous, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, previous, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _state(alarm: dict[str, Any], series: Series) -> str | None:
    """ALARM when enough periods breach; None keeps the state. AWS calls this M out of N."""
    missing = alarm.get("TreatMissingData") or "missing"
    if not any(value is not None for value in series):
        return {"breaching": "ALARM", "notBreaching": "OK", "ignore": None}.get(missing, "INSUFFICIENT_DATA")
    treated = [missing == "breaching" if value is None else _breaches(alarm, value) for value in series]
    needed = int(alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods") or 1)
    if missing in ("missing", "ignore"):
        needed = min(needed, sum(value is not None for value in series))
    return "ALARM" if sum(treated) >= needed else "OK"


def _breaches(alarm: dict[str, Any], value: float) -> bool:
    threshold = float(alarm.get("Threshold") or 0)
    return {
        "GreaterThanOrEqualToThreshold": value >= threshold,
        "GreaterThanThreshold": value > threshold,
        "LessThanThreshold": value < threshold,
        "LessThanOrEqualToThreshold": value <= threshold,
    }.get(alarm.get("ComparisonOperator", ""), False)


def _series_of_alarm(alarm: dict[str, Any]) -> Series | None:
    """The alarm's value in each evaluation period, latest first; None when it cannot be evaluated here."""
    periods = int(alarm.get("EvaluationPeriods") or 1)
    if alarm.get("Metrics"):
        return series_of_expression(alarm["Metrics"], lambda stat: _series_of_metric(stat, periods))
    if not alarm.get("MetricName"):
        return None
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    return _series_of_metric({"Metric": alarm, "Stat": statistic, "Period": alarm.get("Period") or 60}, periods)


def _series_of_metric(stat: dict[str, Any], periods: int) -> Series:
    metric, period = stat["Metric"], int(stat.get("Period") or 60)
    dimensions = cloudwatch._dims_key({d["Name"]: d["Value"] for d in metric.get("Dimensions") or []})
    points = list(cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or [])
    now = time.time()
    series: Series = []
    for age in range(periods):
        newest, oldest = now - age * period, now - (age + 1) * period
        inside = [point for point in points if oldest < point["Timestamp"] <= newest]
        stats = cloudwatch._calc_stats(inside)
        series.append(cloudwatch._stat_value(stats, stat["Stat"], inside) if stats else None)
    return series


def _tick_forever() -> None:
    while True:
        time.sleep(_TICK_SECONDS)
        for account, region in _scopes():
            responses.set_request_account_id(account)
            responses.set_request_region(region)
            try:
                _record_queue_metrics()
                cloudwatch._evaluate_all_alarms()
            except Exception:
                cloudwatch.logger.exception("alarm tick failed")


def _scopes() -> set[tuple[str, str]]:
    keys = [*cloudwatch._alarms._data, *cloudwatch._composite_alarms._data, *sqs._queues._data]
    return {(key[0], key[1]) for key in keys}


def _record_queue_metrics() -> None:
    now = time.time()
    for queue in list(sqs._queues.values()):
        messages = list(queue["messages"])
        waiting = [message for message in messages if message["visible_at"] <= now]
        oldest = max((now - message["sent_at"] for message in messages), default=0.0)
        values = {
            "ApproximateNumberOfMessagesVisible": len(waiting),
            "ApproximateNumberOfMessagesNotVisible": len(messages) - len(waiting),
            "ApproximateAgeOfOldestMessage": oldest,
        }
        dimensions = {"QueueName": queue["name"]}
        for metric, value in values.items():
            unit = "Seconds" if metric.startswith("ApproximateAge") else "Count"
            cloudwatch.record_metric("AWS/SQS", metric, value, unit, dimensions)
