"""The engines under test, and short ways to use the services they run."""

import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from localcloud.cloud import engine
from localcloud.settings import CloudSettings

PATIENCE = 60.0
"""Seconds to wait for what must come: a loaded machine is slow, not wrong."""

ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

OTHER_ACCOUNT, OTHER_REGION = "222222222222", "eu-west-1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.engine)


@dataclass(frozen=True)
class Queue:
    url: str
    arn: str


class Aws:
    """An account of its own kind: every name it makes is new."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint, self.folder = endpoint, folder
        self.client = cache(self._client)
        self.everything_role = cache(lambda: self.role(ANYTHING))

    def _client(
        self, service: str, key: str = "test", secret: str = "test", token: str | None = None, region: str = "us-east-1"
    ) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )

    def role(self, policy: dict[str, Any]) -> str:
        """A role with this policy, which any of our services may take."""
        services = ["lambda.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com"]
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        name, iam = unique("role"), self.client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        return str(arn)

    def user(self, policy: dict[str, Any]) -> Callable[[str], Any]:
        """Clients of a user who has only this policy."""
        name, iam = unique("user"), self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return lambda service: self._client(service, key["AccessKeyId"], key["SecretAccessKey"])

    def queue(self, suffix: str = "", **attributes: str) -> Queue:
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=unique("queue") + suffix, Attributes=attributes)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return Queue(url, found["Attributes"]["QueueArn"])

    def receive(self, queue: Queue, count: int = 1, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """The queue's messages, once there are so many; fewer when time is up."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            answer = self.client("sqs").receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            found += answer.get("Messages", [])
        return found

    def function(self, source: str, **settings: Any) -> str:
        """The ARN of a Python function with this source, ready to be invoked."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            # A date of its own: the clock's would make two packages of one source differ.
            archive.writestr(zipfile.ZipInfo("index.py"), source)
        name, lambda_ = unique("function"), self.client("lambda")
        arn = lambda_.create_function(
            FunctionName=name,
            Handler="index.handler",
            Code={"ZipFile": package.getvalue()},
            **{"Role": self.everything_role(), "Runtime": "python3.13", "Timeout": 20, **settings},
        )["FunctionArn"]
        until(lambda: lambda_.get_function(FunctionName=name)["Configuration"]["State"] == "Active")
        return str(arn)

    def invoke(self, function: str, event: object = None) -> dict[str, Any]:
        """The decoded answer of a function, with `FunctionError` if it failed."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return {"payload": json.loads(answer["Payload"].read()), "error": answer.get("FunctionError")}

    def machine(self, definition: dict[str, Any], role: str | None = None) -> str:
        created = self.client("stepfunctions").create_state_machine(
            name=unique("machine"), definition=json.dumps(definition), roleArn=role or self.everything_role()
        )
        return str(created["stateMachineArn"])

    def start(self, machine: str, event: object = None) -> str:
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps({} if event is None else event)
        )
        return str(started["executionArn"])

    def end_of(self, execution: str) -> dict[str, Any]:
        """The execution's description once it has ended, its output decoded."""
        states = self.client("stepfunctions")
        until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
        found = states.describe_execution(executionArn=execution)
        return {**found, "output": json.loads(found["output"]) if found.get("output") else None}

    def run(self, definition: dict[str, Any], event: object = None, role: str | None = None) -> dict[str, Any]:
        return self.end_of(self.start(self.machine(definition, role), event))

    def stack(self, resources: dict[str, Any], outputs: dict[str, Any] | None = None) -> dict[str, str]:
        """The outputs of a stack of these resources, deployed."""
        formation, name = self.client("cloudformation"), unique("stack")
        wanted = {key: {"Value": value} for key, value in (outputs or {"Done": "yes"}).items()}
        formation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": wanted}))
        until(lambda: _stack(formation, name)["StackStatus"] in ("CREATE_COMPLETE", "ROLLBACK_COMPLETE"))
        found = _stack(formation, name)
        return {"status": found["StackStatus"], **{o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}}


def _stack(formation: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = formation.describe_stacks(StackName=name)["Stacks"][0]
    return found


def unique(kind: str) -> str:
    """A name nothing has yet."""
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


class _Echo(BaseHTTPRequestHandler):
    """Stands in for the MGN simulator: answers with what it was asked."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {"method": self.command, "path": self.path, "body": json.loads(body or b"{}")}
        missing = "s-0000000000000dead" in body.decode()
        answer = {"message": "no such server", "code": "x"} if missing else {"items": [{"arn": json.dumps(seen)}]}
        self.send_response(404 if missing else 200)
        self.send_header("Content-Type", "application/json")
        if missing:
            self.send_header("x-amzn-ErrorType", "ResourceNotFoundException")
        self.end_headers()
        self.wfile.write(json.dumps({**answer, "tags": {"echo": json.dumps(seen)}}).encode())

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def mgn_urls() -> Iterator[dict[str, str]]:
    """Two simulators, told apart by the path they see."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"000000000000#us-east-1": url, f"{OTHER_ACCOUNT}#{OTHER_REGION}": f"{url}/elsewhere"}
        server.shutdown()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory, mgn_urls: dict[str, str]) -> Iterator[Aws]:
    """An engine on which waits last a tenth and a scheduled minute lasts one."""
    settings = CloudSettings(folder=tmp_path_factory.mktemp("engine"), wait_scale=0.1, schedule_scale=60)
    with engine(settings, mgn_urls=mgn_urls) as endpoint:
        yield Aws(endpoint, settings.folder)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory, mgn_urls: dict[str, str]) -> Iterator[Aws]:
    """An engine that enforces IAM policies."""
    settings = CloudSettings(folder=tmp_path_factory.mktemp("secured"), wait_scale=0.1, auth=True)
    with engine(settings, mgn_urls=mgn_urls) as endpoint:
        yield Aws(endpoint, settings.folder)
