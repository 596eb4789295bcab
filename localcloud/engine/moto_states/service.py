"""Moto's Step Functions as a service of the engine, with the events and metrics of its executions."""

import asyncio
import json
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.core import responses
from ministack.services import stepfunctions
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import create_backend_app
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution as moto_execution
from werkzeug.test import Client

from localcloud.engine.pins import install, pinned

_REPLACED_HEADERS = ("content-length", "host")

Response = tuple[int, dict[str, str], bytes]


class StatesService:
    """Moto's Step Functions behind the engine's gateway."""

    def __init__(self) -> None:
        # It reports each failure of a task as an error of its own, with the whole state.
        logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        self._app = create_backend_app("stepfunctions")
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="moto-states")

    async def handle(self, method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
        """Answer a request that came through the gateway."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, method, path, headers, body)

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call an operation from inside the engine; raises ValueError with moto's answer when it fails."""
        headers = {
            "X-Amz-Target": f"AWSStepFunctions.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{responses.get_region()}/states/aws4_request",
        }
        status, _, body = self._answer("POST", "/", headers, json.dumps(request).encode())
        answer: dict[str, Any] = json.loads(body)
        if status >= 400:
            raise ValueError(f"{operation}: {answer}")
        return answer

    def start_later(self, request: dict[str, Any]) -> None:
        """Start an execution without keeping the caller, the gateway's event loop perhaps."""
        self._threads.submit(self.call, "StartExecution", request)

    def machine_of(self, arn: str) -> str | None:
        """The ARN of a state machine without version or alias, if there is such a machine."""
        machine = _unqualified(arn)
        try:
            self.call("DescribeStateMachine", {"stateMachineArn": machine})
        except ValueError:
            return None
        return machine

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        kept = {name.lower(): value for name, value in headers.items() if name.lower() not in _REPLACED_HEADERS}
        if kept.get("x-amz-target", "").endswith(".StartExecution"):
            # Moto calls every execution without a name None.
            request = {"name": str(uuid.uuid4()), **json.loads(body)}
            body = json.dumps(request | {"stateMachineArn": _unqualified(request["stateMachineArn"])}).encode()
        answer = Client(self._app).open(path=path, method=method, data=body, headers=kept)
        content_type = answer.headers.get("Content-Type", "application/x-amz-json-1.0")
        return answer.status_code, {"Content-Type": content_type}, answer.get_data()


def _unqualified(arn: str) -> str:
    # Moto's API has no versions and no aliases: all stand for the newest definition.
    return ":".join(arn.split(":")[:7])


def tell_of_executions() -> None:
    """Publish each start and end of an execution as the engine does for its own: an event and metrics."""
    start = pinned(moto_execution, "Execution.start", "07e927c2d5f9")
    reflect = pinned(moto_execution, "BaseExecutionWorkerCommunication._reflect_execution_status", "038a396107af")

    def start_and_tell(execution: Any) -> None:
        start(execution)
        # It may have ended already, of which its own thread tells.
        _tell(execution, is_running=True)

    def reflect_and_tell(communication: Any) -> None:
        reflect(communication)
        _tell(communication.execution, is_running=False)

    install(moto_execution, "Execution.start", start_and_tell)
    install(moto_execution, "BaseExecutionWorkerCommunication._reflect_execution_status", reflect_and_tell)


def _tell(execution: Any, *, is_running: bool) -> None:
    responses.set_request_account_id(execution.account_id)
    responses.set_request_region(execution.region_name)
    end: dict[str, Any] = {} if is_running else _end(execution)
    stepfunctions._emit_execution_status_event(
        {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": "RUNNING",
            "startDate": execution.start_date.isoformat(),
            "stopDate": None,
            "input": to_json_str(execution.input_data),
            "output": None,
            "error": None,
            "cause": None,
            **end,
        }
    )


def _end(execution: Any) -> dict[str, Any]:
    return {
        "status": execution.exec_status.value,
        "stopDate": execution.stop_date.isoformat() if execution.stop_date else None,
        "output": None if execution.output is None else to_json_str(execution.output),
        "error": execution.error,
        "cause": execution.cause,
    }
