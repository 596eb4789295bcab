"""The HTTP face: a real boto3 client over a socket, the control face, the page."""

import http.client
import json
import socket
import threading
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from simulator import Scenario, Simulator
from simulator.http.page import page_html
from simulator.http.serving import listen, serving
from simulator.scenario import ServerSpec


@pytest.fixture
def mgn(mgn_url: str) -> Any:
    make: Any = boto3.session.Session().client
    return make(
        "mgn", endpoint_url=mgn_url, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


@pytest.fixture
def control(mgn_url: str) -> Any:
    def ask(method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{mgn_url}/_simulator/{path}", data=data, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            return {"status": error.code, **json.loads(error.read())}

    return ask


def test_stock_client_works_over_a_socket(mgn: Any, mgn_simulator: Simulator) -> None:
    servers = [item["sourceServerID"] for item in mgn.describe_source_servers()["items"]]
    job = mgn.start_test(sourceServerIDs=servers, tags={"run": "1"})["job"]["jobID"]
    mgn_simulator.finish_jobs()
    assert mgn.describe_jobs(filters={"jobIDs": [job]})["items"][0]["status"] == "COMPLETED"


def test_answers_on_a_kept_connection_wait_for_no_acknowledgement() -> None:
    # asyncio turns that waiting off for sockets of this protocol number only.
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_command_line_clients_way_of_paging_works(mgn_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The AWS CLI is botocore with an endpoint from the environment and paginators resumed from a token.
    for name, value in {
        "AWS_ENDPOINT_URL_MGN": mgn_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = botocore.session.Session().create_client("mgn")
    paginator = client.get_paginator("describe_source_servers")
    first = paginator.paginate(PaginationConfig={"PageSize": 1, "MaxItems": 2}).build_full_result()
    rest = paginator.paginate(PaginationConfig={"StartingToken": first["NextToken"]}).build_full_result()
    assert [len(part["items"]) for part in (first, rest)] == [2, 1]


def test_percent_encoded_arn_survives_the_socket(mgn: Any) -> None:
    arn = mgn.describe_source_servers()["items"][0]["arn"]
    mgn.tag_resource(resourceArn=arn, tags={"a b": "c/d"})
    assert mgn.list_tags_for_resource(resourceArn=arn)["tags"] == {"a b": "c/d"}


def test_unheard_call_closes_the_connection(mgn: Any, mgn_simulator: Simulator) -> None:
    mgn_simulator.inject({"kind": "call", "operations": ["StartTest"], "outcome": "timeout_after"})
    with pytest.raises(ConnectionClosedError):
        mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers))
    assert len(mgn_simulator.account.jobs) == 1


def test_health_answers(control: Any) -> None:
    assert control("GET", "health") == {"status": "ok", "scenario": "unnamed", "servers": 3}


def test_state_shows_servers_jobs_and_time(control: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers))
    control("POST", "advance", {"seconds": 60})
    state = control("GET", "state")
    assert (state["activeJobs"], state["activeServers"], state["time"]) == (1, 3, "2026-01-05T08:01:00.000000Z")
    assert state["jobs"][0]["log"][0]["event"] == "JOB_START"
    assert state["servers"][0]["name"] == "web-01"


def test_log_hides_tag_values(control: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers), tags={"token": "top secret"})
    entries = control("GET", "log?kind=call")["entries"]
    assert entries[-1]["parameters"]["tags"] == {"token": "(hidden)"}
    assert "top secret" not in json.dumps(control("GET", "log"))


def test_log_is_read_from_a_number_on(control: Any, mgn: Any) -> None:
    last = control("GET", "log")["entries"][-1]["number"]
    mgn.describe_jobs()
    newer = control("GET", f"log?since={last}&limit=5")["entries"]
    assert [(entry["number"], entry["operation"]) for entry in newer] == [(last + 1, "DescribeJobs")]


def test_time_can_jump_to_what_comes_next(control: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers))
    control("POST", "advance", {"to": "next"})
    assert mgn.describe_jobs()["items"][0]["status"] == "STARTED"


def test_fault_is_injected_and_taken_back(control: Any, mgn: Any) -> None:
    control("POST", "fault", {"kind": "call", "outcome": "internal"})
    with pytest.raises(mgn.exceptions.InternalServerException):
        mgn.describe_jobs()
    control("DELETE", "fault")
    assert mgn.describe_jobs()["items"] == []


def test_faults_in_force_are_shown(control: Any, mgn_simulator: Simulator) -> None:
    control("POST", "fault", {"kind": "launch", "at": "boot"})
    control("POST", "fault", {"kind": "replication", "after_seconds": 60})
    faults = control("GET", "fault")["faults"]
    assert [(fault["kind"], fault.get("at")) for fault in faults] == [("launch", "boot"), ("replication", None)]
    assert control("GET", "state")["faults"] == faults
    control("POST", "advance", {"seconds": 61})
    control("DELETE", "fault")
    assert control("GET", "fault") == {"faults": []}


def test_state_shows_instances_with_their_health(control: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    server = mgn_simulator.server("web-01").server_id
    mgn.start_test(sourceServerIDs=[server])
    mgn_simulator.finish_jobs()
    mgn_simulator.advance(121)
    (instance,) = control("GET", "state")["instances"]
    assert instance.pop("instanceID").startswith("i-")
    assert instance.pop("tags")["Name"] == "web-01"
    assert instance == {
        "sourceServerID": server, "instanceType": "t3.medium", "state": "running", "status": "ok", "ssm": "online"
    }  # fmt: skip


def test_reset_starts_over_with_the_same_ids(control: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    before = list(mgn_simulator.account.servers)
    mgn.start_test(sourceServerIDs=before)
    control("POST", "reset")
    assert (mgn.describe_jobs()["items"], list(mgn_simulator.account.servers)) == ([], before)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "fault", {"kind": "launch", "at": "nowhere"}, 400, "fault:\n  at: 'nowhere'"),
        ("POST", "advance", {"seconds": -1}, 400, "cannot go back"),
        ("POST", "advance", {"seconds": float("nan")}, 400, "at most 8640000 simulated seconds"),
        ("POST", "advance", {"seconds": 1e15}, 400, "at most 8640000 simulated seconds"),
        ("POST", "advance", {"seconds": 10**400}, 400, "too large"),
        ("POST", "advance", {}, 400, "seconds"),
        ("POST", "advance", [1], 400, "cannot use"),
        ("GET", "log?since=x", None, 400, "cannot use"),
        ("GET", "weather", None, 404, "no control request"),
    ],
)
def test_wrong_control_request_says_what_is_wrong(
    control: Any, method: str, path: str, body: Any, status: int, text: str
) -> None:
    answer = control(method, path, body)
    assert answer["status"] == status
    assert text in answer["message"]


@pytest.fixture
def page(mgn_url: str) -> Any:
    def look(query: str = "") -> str:
        with urlopen(f"{mgn_url}/{query}", timeout=60) as answer:
            return str(answer.read().decode())

    return look


def test_page_shows_servers_jobs_and_events(page: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers), tags={"<b>": "secret"})
    shown = page()
    for text in (
        "web-01",
        "3 pending",
        "<b>3</b>testing",
        "1 of 20 active, 3 of 200 servers",
        "StartTest · web-01, web-02, web-03",
    ):
        assert text in shown
    assert "secret" not in shown
    assert "&lt;b&gt;" in shown


def test_page_shows_how_far_each_server_of_a_job_is(page: Any, mgn: Any, mgn_simulator: Simulator) -> None:
    mgn_simulator.inject({"kind": "launch", "at": "snapshot", "servers": ["web-01"]})
    mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers))
    mgn_simulator.advance(150)
    assert "1 failed, 2 conversion" in page()
    mgn_simulator.finish_jobs()
    assert "2 launched, 1 failed" in page()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?find=WEB-02", ["web-02"]),
        ("?find=nothing", []),
        ("?state=TESTING", ["web-01"]),
        ("?state=IN_A_JOB&find=web-03", []),
        ("?page=9", ["web-01", "web-02", "web-03"]),
        ("?page=-1&colour=red", ["web-01", "web-02", "web-03"]),
        (f"?page={'9' * 5000}", ["web-01", "web-02", "web-03"]),
    ],
)
def test_page_shows_the_servers_asked_for(
    page: Any, mgn: Any, mgn_simulator: Simulator, query: str, names: list[str]
) -> None:
    mgn.start_test(sourceServerIDs=[mgn_simulator.server("web-01").server_id])
    table = page(query).partition("<tbody")[2].partition("</tbody>")[0]
    assert [name for name in ("web-01", "web-02", "web-03") if f">{name}<" in table] == names


def test_page_of_many_servers_shows_fifty_and_the_way_to_the_next() -> None:
    shown = page_html(Simulator(Scenario(servers=(ServerSpec(name="host", count=120),))), {"page": "2"})
    assert shown.count("<tr><td") == 50
    assert "120 servers, page 2 of 3" in shown
    assert 'href="/?page=3"' in shown


def test_page_of_nothing_says_so() -> None:
    shown = page_html(Simulator(Scenario()))
    for text in ("The scenario has no servers.", "No job yet.", "Nothing has happened yet."):
        assert text in shown


def test_page_leaves_out_reading_calls_and_keeps_refusals(page: Any, mgn: Any) -> None:
    mgn.describe_jobs()
    with pytest.raises(mgn.exceptions.ValidationException):
        mgn.describe_job_log_items(jobID=f"mgnjob-{'0' * 17}")
    shown = page()
    assert "DescribeJobs" not in shown
    assert "DescribeJobLogItems · " in shown


def test_page_shows_a_refused_call_whose_text_is_none(page: Any, mgn: Any) -> None:
    with pytest.raises(mgn.exceptions.ClientError):
        mgn.create_wave(name="a\ud800b")
    assert "a?b" in page()


def test_mistake_of_the_simulator_is_answered_and_logged(
    mgn: Any, mgn_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mgn_simulator, "answer", lambda *_: 1 / 0)
    with pytest.raises(mgn.exceptions.ClientError, match="InternalServerException"):
        mgn.describe_jobs()
    assert "ZeroDivisionError" in caplog.text


def test_page_needs_nothing_from_elsewhere(page: Any) -> None:
    assert "http://" not in page()
    assert "https://" not in page()


def test_clock_goes_on_after_a_transition_that_failed(
    mgn_simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    happened = threading.Event()
    with serving(mgn_simulator):
        with mgn_simulator._lock:
            mgn_simulator.account.after(0, lambda: 1 / 0)  # type: ignore[arg-type]
            mgn_simulator.account.after(0, happened.set)
        assert happened.wait(60)
    assert "ZeroDivisionError" in caplog.text


def test_too_large_a_body_is_refused(mgn_url: str) -> None:
    connection = http.client.HTTPConnection(mgn_url.removeprefix("http://"), timeout=60)
    connection.request("POST", "/StartTest", body=b"x" * (5 * 1024 * 1024))
    assert connection.getresponse().status == 413
    connection.close()
