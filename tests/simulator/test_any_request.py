"""Whatever arrives is answered: any members, of any kind, at any operation."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import Scenario, Simulator
from simulator.http.page import page_html
from simulator.scenario import ServerSpec
from simulator.service_model import load_service_model

OPERATIONS = sorted(load_service_model().operations.values(), key=lambda operation: operation.name)
MEMBERS = (
    "sourceServerID", "sourceServerIDs", "filters", "fromDate", "toDate", "nextToken", "maxResults", "tags", "tagKeys",
    "accountID", "jobID", "jobIDs", "isArchived", "lifeCycle", "state", "name", "description", "clientToken", "order",
    "s3BucketSource", "s3Bucket", "s3Key", "parameters", "actionID", "applicationID", "applicationIDs", "waveIDs",
)  # fmt: skip
TEXTS = ("2026-02-30T00:00:00Z", "s-" + "1" * 17, "\ud800", "", "a b", "WzEsIDFd", "READY_FOR_TEST")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3),
    max_leaves=9,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), values, st.text(max_size=9)), max_size=9))
def test_any_request_is_answered_and_leaves_the_simulator_whole(requests: list[tuple[Any, Any, str]]) -> None:
    faults: Any = [{"kind": "call", "outcome": "throttle", "servers": ["web-01"]}]
    servers = (ServerSpec(name="web", count=2),)
    simulator = Simulator(Scenario.model_validate({"servers": servers, "vcenter_clients": 1, "faults": faults}))
    for operation, value, text in requests:
        path = operation.path.replace("{resourceArn}", text)
        answer = simulator.answer(
            operation.method, path, f"maxResults={text}&tagKeys={text}", json.dumps(value).encode()
        )
        assert answer.status < 500 or "x-amzn-ErrorType" in answer.headers
    simulator.advance(4000)
    assert simulator.call("DescribeSourceServers")["items"]
    page_html(simulator)
    json.dumps([simulator.state(), simulator.log()])
