"""Executions start idempotently and at once, end once, time out as a whole, and count in AWS/States."""

import json
import threading
import time
from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response, now_iso
from ministack.services import cloudwatch, stepfunctions

from localcloud.engine.patches.states_versions import machine_as_started
from localcloud.engine.pins import pinned, rewritten
from localcloud.engine.settings import EngineSettings

_METRIC_OF_STATUS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}

_BEGINNING = (
    '    time.sleep(0.15)\n\n    sm = _state_machines.get(execution["stateMachineArn"])\n',
    "    sm = machine_as_started(execution)\n",
)
_QUALIFIERS = (
    '        "stateMachineVersionArn": None,\n        "stateMachineAliasArn": None,\n',
    '        "stateMachineVersionArn": None,\n        "stateMachineAliasArn": None,\n'
    '        **execution.get("qualifiers", {}),\n',
)


def apply(settings: EngineSettings) -> None:
    start = pinned(stepfunctions, "_start_execution", "9923282fc76c")
    run = rewritten(stepfunctions, "_run_execution", "996dff84e0e0", *_BEGINNING)
    stepfunctions.machine_as_started = machine_as_started
    fail = pinned(stepfunctions, "_fail_execution", "e6da895fa0b7")
    emit = rewritten(stepfunctions, "_emit_execution_status_event", "9c89e45693e3", *_QUALIFIERS)

    def start_once(data: dict[str, Any]) -> Any:
        running = _running_execution(data)
        if running is not None and running["input"] == data.get("input", "{}"):
            return json_response({"executionArn": running["executionArn"], "startDate": running["startDate"]})
        return start(data)

    def run_within_timeout(execution_arn: str) -> None:
        timer = _timeout_timer(execution_arn)
        try:
            run(execution_arn)
        finally:
            if timer is not None:
                timer.cancel()

    def fail_if_running(execution: dict[str, Any], error: str, cause: str) -> None:
        # The engine lets a state that ends after StopExecution turn ABORTED into FAILED.
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    def emit_and_count(execution: dict[str, Any]) -> None:
        dimensions = {"StateMachineArn": execution["stateMachineArn"]}
        cloudwatch.record_metric("AWS/States", _METRIC_OF_STATUS[execution["status"]], 1, "Count", dimensions)
        if execution["status"] != "RUNNING" and "_begun" in execution:
            duration_ms = (time.monotonic() - execution["_begun"]) * 1000
            cloudwatch.record_metric("AWS/States", "ExecutionTime", duration_ms, "Milliseconds", dimensions)
        execution.setdefault("_begun", time.monotonic())
        emit(execution)

    stepfunctions._start_execution = start_once
    stepfunctions._run_execution = run_within_timeout
    stepfunctions._fail_execution = fail_if_running
    stepfunctions._emit_execution_status_event = emit_and_count


def _running_execution(data: dict[str, Any]) -> dict[str, Any] | None:
    machine = stepfunctions._state_machines.get(stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn")))
    if machine is None or not data.get("name"):
        return None
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine['name']}:{data['name']}"
    execution: dict[str, Any] | None = stepfunctions._executions.get(arn)
    return execution if execution and execution["status"] == "RUNNING" else None


def _timeout_timer(execution_arn: str) -> threading.Timer | None:
    execution = stepfunctions._executions.get(execution_arn)
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
    timeout = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
    if not timeout:
        return None
    timer = threading.Timer(timeout, _time_out, args=[execution])
    timer.daemon = True
    timer.start()
    return timer


def _time_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=now_iso(), error="States.Timeout", cause="")
    details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    stepfunctions._add_event(execution, "ExecutionTimedOut", details)
    stepfunctions._emit_execution_status_event(execution)
