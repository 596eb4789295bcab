"""The configured clients: how often they try, how long they wait, and what importing them costs."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.adapters.aws import clients


@pytest.fixture(autouse=True)
def _fresh_clients() -> Iterator[None]:
    clients._client.cache_clear()
    yield
    clients._client.cache_clear()


def config_of(client: Any) -> Any:
    return client.meta.config


def test_clients_try_five_times_with_short_timeouts() -> None:
    config = config_of(clients.client("dynamodb"))
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert "mgn-migration-orchestrator" in config.user_agent


@pytest.mark.parametrize(("name", "mode"), [("mgn", "adaptive"), ("ec2", "adaptive"), ("dynamodb", "standard")])
def test_clients_of_rates_shared_with_the_account_slow_down_once_throttled(name: Any, mode: str) -> None:
    assert config_of(clients.client(name)).retries["mode"] == mode


@pytest.mark.parametrize("name", ["mgn", "ec2", "ssm"])
def test_clients_of_an_account_that_may_not_answer_give_up_sooner(name: Any) -> None:
    config = config_of(clients.client(name))
    assert (config.retries["total_max_attempts"], config.read_timeout) == (3, 8)


@pytest.mark.parametrize("name", ["mgn", "ssm"])
def test_i3_client_of_launches_and_commands_tries_once_whatever_the_environment_asks_for(
    monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    assert config_of(clients.once_client(name)).retries["total_max_attempts"] == 1


def test_a_client_is_made_once() -> None:
    assert clients.client("mgn") is clients.client("mgn")
    assert clients.client("mgn") is not clients.once_client("mgn")


@pytest.mark.parametrize("name", ["dynamodb", "ec2", "events", "mgn", "secretsmanager", "ssm", "stepfunctions"])
def test_every_service_is_known(name: Any) -> None:
    assert clients.client(name).meta.service_model.service_name == name


def test_importing_the_clients_imports_no_boto() -> None:
    code = "import sys, runtime.adapters.aws.clients; print('boto3' in sys.modules, 'botocore' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_adapters_need_no_type_stubs_at_run_time() -> None:
    code = """
import importlib, pkgutil, sys
class NoStubs:
    def find_spec(self, name, *_):
        if name.startswith(("mypy_boto3", "moto")):
            raise ImportError(name)
sys.meta_path.insert(0, NoStubs())
import runtime.adapters
for module in pkgutil.iter_modules(runtime.adapters.__path__):
    importlib.import_module(f"runtime.adapters.{module.name}")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
