"""No test reaches the network beyond this machine or a real AWS account."""

import os

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

from tests.fakes import CountedIds, FakePorts, SetClock
from tests.policies import calls

# A busy machine is no failure: hypothesis times each example, and their making, unless told otherwise.
settings.register_profile("steady", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure() -> None:
    # Before any import of a test can make a client: AWS_ENDPOINT_URL also goes round moto's mock_aws.
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "_X_AMZN_TRACE_ID"]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_SESSION_TOKEN="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )


def pytest_sessionfinish() -> None:
    calls.save()
    # `make test` measures some tests. A worker that is slow to exit is killed, and would take its figures along.
    if "COVERAGE_PROCESS_START" in os.environ:
        from coverage import Coverage

        if (measured := Coverage.current()) is not None:
            measured.save()


@pytest.fixture(autouse=True)
def _loopback_only() -> None:
    socket_allow_hosts(["127.0.0.0/8", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ids() -> CountedIds:
    return CountedIds()


@pytest.fixture
def ports() -> FakePorts:
    return FakePorts()
