"""What an environment of a function tells X-Ray, read from the daemon's end."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import pytest
from moto import mock_aws

from runtime.errors import NotVerifiedError
from runtime.handlers import finalize_cutover, prepare_source
from tests.integration.cloud import VARIABLES, make_cloud
from tests.integration.journey import validated

UNTRACED, DONE, FAILED, UNTRACED_AGAIN = (f"1-67891233-{number:024x}" for number in range(4))
SEGMENT = "53995c3f42cd8ad8"
FUNCTION = {
    **VARIABLES,
    "LAMBDA_TASK_ROOT": "/var/task",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "POWERTOOLS_METRICS_NAMESPACE": "Migrations",
    "POWERTOOLS_SERVICE_NAME": "handler",
}

Subsegments = list[dict[str, Any]]


class Seen(NamedTuple):
    """What there was to see of the invocations."""

    sdk_was_loaded: bool
    by_trace: dict[str, Subsegments]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.setblocking(False)
        patch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{daemon.getsockname()[1]}")
        for name, value in FUNCTION.items():
            patch.setenv(name, value)
        # The SDK patches botocore for good, and reads the environment when it is imported.
        with ProcessPoolExecutor(1, get_context("spawn")) as environment:
            was_loaded = environment.submit(_invoke).result()
        by_trace: dict[str, Subsegments] = {}
        for subsegment in _received(daemon):
            by_trace.setdefault(subsegment["trace_id"], []).append(subsegment)
        yield Seen(was_loaded, by_trace)


def test_invocation_that_is_not_sampled_loads_no_sdk_and_sends_nothing(seen: Seen) -> None:
    assert not seen.sdk_was_loaded
    assert seen.by_trace.keys() == {DONE, FAILED}


def test_i9_trace_of_an_invocation_is_found_by_the_ids(seen: Seen) -> None:
    *calls, whole = seen.by_trace[DONE]
    assert (whole["name"], whole["parent_id"]) == ("## handler", SEGMENT)
    assert whole["annotations"].items() >= {"migration_id": "mig-1", "correlation_id": "cor-1"}.items()
    assert whole["start_time"] <= calls[0]["start_time"] <= calls[-1]["end_time"] <= whole["end_time"]


def test_first_traced_invocation_of_a_warm_environment_is_no_cold_start(seen: Seen) -> None:
    annotations = seen.by_trace[DONE][-1]["annotations"]
    assert (annotations["Service"], annotations["ColdStart"]) == ("handler", False)


def test_aws_calls_are_subsegments_even_of_clients_made_before_the_first_trace(seen: Seen) -> None:
    *calls, whole = seen.by_trace[DONE]
    # A request to MGN is counted inside it, by one to the table.
    in_others = [call for call in calls if call["parent_id"] != whole["id"]]
    requests = {call["id"] for call in calls if call["name"] == "mgn"}
    assert {(call["name"], call["parent_id"] in requests) for call in in_others} == {("dynamodb", True)}
    assert {(call["name"], call["namespace"]) for call in calls} >= {("dynamodb", "aws"), ("mgn", "aws")}
    read = calls[0]
    assert read["aws"].items() >= {"operation": "GetItem", "region": "us-east-1", "table_name": "migrations"}.items()
    assert read["http"] == {"response": {"status": 200}}


def test_handler_that_raises_is_a_fault(seen: Seen) -> None:
    whole = seen.by_trace[FAILED][-1]
    assert (whole["fault"], whole["cause"]["exceptions"][0]["type"]) == (True, "NotVerifiedError")


def _invoke() -> bool:
    """In a fresh interpreter; whether the SDK was there before the first traced invocation."""
    with mock_aws():
        _arrives(UNTRACED, sampled=0)
        cloud = make_cloud()
        validated(cloud)
        cloud.step(prepare_source.handler, phase="test")
        was_loaded = "aws_xray_sdk" in sys.modules
        _arrives(DONE, sampled=1)
        cloud.step(prepare_source.handler, phase="test")
        _arrives(FAILED, sampled=1)
        with pytest.raises(NotVerifiedError):
            cloud.step(finalize_cutover.handler)
        _arrives(UNTRACED_AGAIN, sampled=0)
        cloud.step(prepare_source.handler, phase="test")
    return was_loaded


def _arrives(root: str, *, sampled: int) -> None:
    os.environ["_X_AMZN_TRACE_ID"] = f"Root={root};Parent={SEGMENT};Sampled={sampled};Lineage=1:a:0"


def _received(daemon: socket.socket) -> Iterator[dict[str, Any]]:
    """In the order they ended."""
    while True:
        try:
            yield json.loads(daemon.recv(65_536).partition(b"\n")[2])
        except BlockingIOError:
            return
