"""What the service checks in requests, since botocore does not: maximum sizes, patterns, enums."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

SERVER = "s-" + "1" * 17


@pytest.mark.parametrize(
    ("operation", "parameters", "field"),
    [
        ("StartTest", {}, "sourceServerIDs"),
        ("StartTest", {"sourceServerIDs": []}, "sourceServerIDs"),
        ("StartTest", {"sourceServerIDs": [SERVER] * 201}, "sourceServerIDs"),
        ("StartTest", {"sourceServerIDs": ["s-short"]}, "sourceServerIDs.1.member"),
        ("StartTest", {"sourceServerIDs": ["x" * 19]}, "sourceServerIDs.1.member"),
        ("StartTest", {"sourceServerIDs": SERVER}, "sourceServerIDs"),
        ("StartTest", {"sourceServerIDs": [SERVER], "tags": {str(n): "" for n in range(51)}}, "tags"),
        ("StartTest", {"sourceServerIDs": [SERVER], "tags": {"a": "v" * 257}}, "tags.a.member"),
        ("FinalizeCutover", {"sourceServerID": 7}, "sourceServerID"),
        ("FinalizeCutover", {"sourceServerID": None}, "sourceServerID"),
        ("ChangeServerLifeCycleState", {"sourceServerID": SERVER, "lifeCycle": {"state": "FOO"}}, "lifeCycle.state"),
        ("ChangeServerLifeCycleState", {"sourceServerID": SERVER, "lifeCycle": {}}, "lifeCycle.state"),
        ("ChangeServerLifeCycleState", {"sourceServerID": SERVER, "lifeCycle": "TESTING"}, "lifeCycle"),
        ("DescribeSourceServers", {"maxResults": 0}, "maxResults"),
        ("DescribeSourceServers", {"maxResults": 1001}, "maxResults"),
        ("DescribeSourceServers", {"maxResults": True}, "maxResults"),
        ("DescribeSourceServers", {"filters": {"isArchived": "no"}}, "filters.isArchived"),
        ("DescribeSourceServers", {"filters": {"sourceServerIDs": [SERVER] * 201}}, "filters.sourceServerIDs"),
        ("DescribeSourceServers", {"filters": {"lifeCycleStates": ["READY"]}}, "filters.lifeCycleStates.1.member"),
        ("DescribeJobs", {"filters": {"fromDate": "yesterday"}}, "filters.fromDate"),
        ("DescribeJobs", {"filters": {"fromDate": "2022-08-31T16:42:49.446799+00:00"}}, "filters.fromDate"),
        ("DescribeJobs", {"filters": {"fromDate": "2026-02-30T00:00:00Z"}}, "filters.fromDate"),
        ("DescribeJobs", {"filters": {"toDate": "10000-01-01T00:00:00Z"}}, "filters.toDate"),
        ("DescribeJobs", {"nextToken": base64.b64encode(b"[" * 1500).decode()}, "nextToken"),
        ("CreateWave", {"name": "a\ud800b"}, "name"),
        ("StartTest", {"sourceServerIDs": [SERVER], "tags": {"\udfff": ""}}, "tags.key"),
        ("DescribeJobs", {"accountID": "12"}, "accountID"),
        ("CreateWave", {"name": " leading"}, "name"),
        ("CreateWave", {"name": "ok", "description": "d" * 601}, "description"),
        ("AssociateSourceServers", {"applicationID": "app-" + "1" * 17, "sourceServerIDs": [SERVER] * 51},
         "sourceServerIDs"),
        ("UpdateReplicationConfiguration", {"sourceServerID": SERVER, "bandwidthThrottling": 10_001},
         "bandwidthThrottling"),
        ("StartImport", {"s3BucketSource": {"s3Bucket": "b", "s3Key": "list.txt"}}, "s3BucketSource.s3Key"),
    ],
)  # fmt: skip
def test_wrong_member_is_refused_by_name(simulate: Any, operation: str, parameters: dict[str, Any], field: str) -> None:
    """§errors [model]: required, patterns, enums, sizes and ranges are checked and named in fieldList."""
    answer = simulate().simulator.answer("POST", f"/{operation}", body=json.dumps(parameters).encode())
    body = json.loads(answer.body)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "ValidationException")
    assert (body["reason"], [each["name"] for each in body["fieldList"]]) == ("fieldValidationFailed", [field])


def test_all_wrong_members_are_reported_together(simulate: Any) -> None:
    """§errors [inferred]: one answer names every problem."""
    answer = simulate().simulator.answer("POST", "/DescribeJobs", body=b'{"maxResults": 0, "accountID": "1"}')
    assert len(json.loads(answer.body)["fieldList"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b"[" * 200_000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
    ],
)
def test_body_that_is_no_json_object_cannot_be_parsed(simulate: Any, body: bytes) -> None:
    """§errors [model]: reason cannotParse."""
    answer = simulate().simulator.answer("POST", "/DescribeJobs", body=body)
    assert (answer.status, json.loads(answer.body)["reason"]) == (400, "cannotParse")


@pytest.mark.parametrize("asked", ["²", "--5", "9" * 5000])
def test_number_in_the_query_is_checked_like_one_in_a_body(simulate: Any, asked: str) -> None:
    """§errors [model]: maxResults of DescribeVcenterClients is an integer."""
    answer = simulate().simulator.answer("GET", "/DescribeVcenterClients", f"maxResults={quote(asked)}")
    assert (answer.status, json.loads(answer.body)["fieldList"][0]["name"]) == (400, "maxResults")


def test_unknown_members_are_ignored(simulate: Any) -> None:
    """§wire [ours]: members of a request nobody knows do no harm; for responses botocore does so [tested]."""
    assert simulate().simulator.answer("POST", "/DescribeJobs", body=b'{"colour": "blue"}').status == 200


def test_null_members_count_as_absent(simulate: Any) -> None:
    """§wire [tested]: null members are dropped."""
    assert simulate().simulator.answer("POST", "/DescribeJobs", body=b'{"filters": null}').status == 200


def test_empty_body_is_an_empty_request(simulate: Any) -> None:
    """§identity [model]: filters became optional."""
    assert simulate().simulator.answer("POST", "/DescribeSourceServers").status == 200
