"""http_handler: what API Gateway hands over, and what it gets back."""

import json
from typing import Any

import pytest

from runtime.errors import ServiceUnavailableError
from runtime.handlers.http_handler import handler
from runtime.handlers.ingress_handler import handler as ingress_handler
from runtime.logic import http_door
from runtime.models.http import ROUTES, Route
from tests.integration.cloud import SENDER, Cloud, sqs_event


def asked(method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> dict[str, Any]:
    """A request as a REST API hands it to a function."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "v1",
            "path": f"/v1{path}",
            "httpMethod": method,
            "requestId": "request-1",
            "identity": {"caller": SENDER, "userArn": "arn:aws:sts::123456789012:assumed-role/ops/ada@example.com"},
        },
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def answer(cloud: Cloud, *request: Any) -> tuple[int, Any, dict[str, Any]]:
    got = cloud.invoke(handler, asked(*request))
    return got["statusCode"], json.loads(got["body"]), got["multiValueHeaders"]


def test_request_is_accepted_and_found_where_the_answer_says(cloud: Cloud) -> None:
    status, accepted, headers = answer(cloud, "POST", "/migrations", cloud.message())
    assert (status, accepted["status"], headers["Location"]) == (202, "RECEIVED", ["/v1/migrations/mig-1"])
    status, record, _ = answer(cloud, "GET", "/migrations/mig-1")
    assert (status, record["migrationId"], record["requester"]) == (200, "mig-1", SENDER)
    assert [event["detail-type"] for event in cloud.published()] == ["MigrationRequested"]


def test_same_request_by_queue_and_by_http_is_one_migration(cloud: Cloud) -> None:
    cloud.invoke(ingress_handler, sqs_event(cloud.message()))
    status, accepted, _ = answer(cloud, "POST", "/migrations", cloud.message())
    assert (status, accepted["correlationId"]) == (202, "cor-1")
    status, journal, _ = answer(cloud, "GET", "/migrations/mig-1/journal")
    assert (status, [entry["sequence"] for entry in journal["entries"]]) == (200, [1])


def test_test_launch_is_asked_for_by_its_path(cloud: Cloud) -> None:
    answer(cloud, "POST", "/migrations/test", cloud.message())
    record = cloud.state.migrations.record("mig-1")
    assert record is not None
    assert record.request.mode == "test"


def test_list_is_of_a_wave(cloud: Cloud) -> None:
    for name in ("mig-1", "mig-2"):
        answer(cloud, "POST", "/migrations", cloud.message(migrationId=name, wave="7"))
    status, page, _ = answer(cloud, "GET", "/migrations", None, {"wave": "7", "limit": "1"})
    assert (status, len(page["migrations"])) == (200, 1)
    _, rest, _ = answer(cloud, "GET", "/migrations", None, {"wave": "7", "next": page["next"]})
    found = [*page["migrations"], *rest["migrations"]]
    assert sorted(each["migrationId"] for each in found) == ["mig-1", "mig-2"]
    assert "next" not in rest


def test_i14_decision_carries_the_caller_and_wakes_the_dispatcher(cloud: Cloud) -> None:
    answer(cloud, "POST", "/migrations", cloud.message(approval={"cutover": True}))
    decision = {"decision": "approve", "gate": "cutover", "by": "ada", "reason": "fine"}
    status, decided, _ = answer(cloud, "POST", "/migrations/mig-1/decisions", decision)
    assert (status, decided) == (202, {"result": "taken"})
    (kept,) = cloud.state.decisions.of("mig-1")
    assert (kept.sender, kept.message_id, kept.reason) == (SENDER, "request-1", "fine")


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        (("POST", "/migrations", "{"), 400, "body is not JSON"),
        (("POST", "/migrations", None), 400, "body is not JSON"),
        (("GET", "/migrations"), 400, "name wave, application or status"),
        (("GET", "/migrations/none"), 404, "there is no migration none"),
        (("GET", "/servers"), 404, "there is no such path"),
        (("POST", "/migrations/none/decisions", {"decision": "cancel", "by": "ada"}), 404, "there is no migration"),
    ],
)
def test_refusal_is_a_problem_that_says_what_to_do(
    cloud: Cloud, request_: tuple[Any, ...], status: int, told: str
) -> None:
    got, problem, headers = answer(cloud, *request_)
    assert (got, problem["status"], headers["Content-Type"]) == (status, status, ["application/problem+json"])
    assert told in problem["detail"]


def test_conflict_is_409(cloud: Cloud) -> None:
    answer(cloud, "POST", "/migrations", cloud.message())
    status, problem, _ = answer(cloud, "POST", "/migrations", cloud.message(wave="9"))
    assert (status, problem["title"]) == (409, "Conflict")


def test_aws_that_does_not_answer_is_503(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ServiceUnavailableError("DynamoDB: InternalServerError")

    monkeypatch.setattr(http_door, "show", fails)
    status, problem, _ = answer(cloud, "GET", "/migrations/mig-1")
    assert (status, problem["detail"]) == (503, "DynamoDB: InternalServerError")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_of_the_gateway_has_its_function(cloud: Cloud, route: Route) -> None:
    _, got, _ = answer(cloud, route.method, route.path.replace("{migrationId}", "none"))
    assert got["detail"] != "there is no such path"
