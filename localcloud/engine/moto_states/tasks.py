"""Tasks of moto's interpreter: called on the engine, in the name of the role, with the names Step Functions uses."""

import importlib
import pkgutil
import threading
import time
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from ministack.core import lambda_runtime
from moto.stepfunctions.parser.asl import component
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.utils import camel_to_snake_case

from localcloud.engine.pins import install, pinned
from localcloud.engine.settings import EngineSettings

_ACCOUNT = "000000000000"


def complete_tasks(settings: EngineSettings) -> None:
    """Point tasks at the engine and restore what moto's port left out."""
    _call_the_engine(settings.endpoint)
    _restore_names()
    _scale_waits(settings.wait_scale)


def _call_the_engine(endpoint: str) -> None:
    clients: dict[tuple[str, str, str], Any] = {}
    lock = threading.Lock()

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        role = state_credentials.role_arn if state_credentials else ""
        key = (region, service, role)
        with lock:
            if key not in clients:
                clients[key] = _client(endpoint, region, service, role)
            return clients[key]

    for found in pkgutil.walk_packages(component.__path__, f"{component.__name__}."):
        module = importlib.import_module(found.name)
        if hasattr(module, "boto_client_for"):
            install(module, "boto_client_for", client_for)


def _client(endpoint: str, region: str, service: str, role: str) -> Any:
    # The engine opens a session of a function's role under AUTH; a state machine's is no different.
    function = {
        "FunctionArn": f"arn:aws:lambda:{region}:{_ACCOUNT}:function:states",
        "Role": role,
        "FunctionName": "states",
    }
    credentials = lambda_runtime.execution_credentials(function)
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"] or None,
        config=Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            read_timeout=900,
            max_pool_connections=200,
            inject_host_prefix=False,
        ),
    )


def _restore_names() -> None:
    """Parameters and results in PascalCase, as Step Functions has them, whatever the service's own names."""
    pinned(state_task_service, "StateTaskService._normalise_parameters", "dece59e76fd5")
    pinned(state_task_service, "StateTaskService._normalise_response", "00e0b0a50b1d")

    def normalise_parameters(
        task: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        shape = _operation(task, boto_service_name, service_action_name).input_shape
        if shape is not None:
            task._to_boto_request(parameters, shape)

    def normalise_response(
        task: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        shape = _operation(task, boto_service_name, service_action_name).output_shape
        if shape is not None:
            task._from_boto_response(response, shape)

    install(state_task_service, "StateTaskService._normalise_parameters", normalise_parameters)
    install(state_task_service, "StateTaskService._normalise_response", normalise_response)


def _operation(task: Any, service_name: str | None, action: str | None) -> Any:
    return _operations(task._get_boto_service_name(service_name))[task._get_boto_service_action(action)]


@cache
def _operations(service: str) -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model(service)
    return {camel_to_snake_case(name): model.operation_model(name) for name in model.operation_names}


def _scale_waits(scale: float) -> None:
    wait = pinned(wait_function, "WaitFunction._wait_interval", "8f954dee8037")

    def wait_scaled(state: Any, env: Any, wait_seconds: float) -> None:
        env.program_state_event.wait(wait_seconds * scale) if scale < 1 else wait(state, env, wait_seconds)

    install(wait_function, "WaitFunction._wait_interval", wait_scaled)
    install(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * scale)))
