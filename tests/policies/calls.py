"""What the functions ask of AWS in the tests, as IAM is asked about it: action, kind of resource, keys of conditions.

`make test` keeps what each of its processes saw in a file; without RECORD_CALLS nothing is kept.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from botocore.client import BaseClient

from runtime.adapters.aws.target import USER_AGENT
from runtime.models.mgn import SOURCE_SERVER_TAG
from tests.unit.infrastructure.synthesis import ROOT

Parameters = Mapping[str, Any]
Context = tuple[tuple[str, str], ...]
Asked = tuple[str, str, Context]
"""Action, kind of resource, keys of conditions."""

FOLDER = ROOT / ".build" / "calls"
LISTED = Path(__file__).with_name("calls.json")
QUEUES = ("wakes", "callbacks", "requests", "decisions", "undelivered")
IS_RECORDING = "RECORD_CALLS" in os.environ

MGN_TAG = ("aws:ResourceTag/AWSApplicationMigrationServiceManaged", "mgn.amazonaws.com")
MACHINE_TAGS = (MGN_TAG, (f"aws:ResourceTag/{SOURCE_SERVER_TAG}", "s-1"))
"""Of a machine that commands may run on."""


class Call(NamedTuple):
    """One thing that a function asks to be allowed."""

    function: str
    action: str
    resource: str
    """Its kind: tests, the demo and templates have other names for the one table."""
    context: Context = ()


_seen: set[Call] = set()
_running: list[str] = []


@contextmanager
def calls_of(function: str) -> Iterator[None]:
    """Keep what boto3 clients are asked for while a function runs."""
    if not IS_RECORDING:
        yield
        return
    send = BaseClient._make_api_call  # type: ignore[attr-defined]
    _running.append(function)
    depth = len(_running)

    def keep_and_send(client: Any, operation: str, parameters: Parameters) -> Any:
        # Meanwhile the simulator's clients make instances, and a test may let another function run.
        if len(_running) == depth and USER_AGENT in (client.meta.config.user_agent_extra or ""):
            keep(function, client.meta.service_model.signing_name, operation, parameters)
        return send(client, operation, parameters)

    try:
        with mock.patch.object(BaseClient, "_make_api_call", keep_and_send):
            yield
    finally:
        _running.pop()


def keep(function: str, service: str, operation: str, parameters: Parameters) -> None:
    """Keep one call of a function."""
    if IS_RECORDING:
        _seen.update(Call(function, *each) for each in asked(service, operation, parameters))


def save() -> None:
    """Write what this process saw."""
    if _seen:
        FOLDER.mkdir(parents=True, exist_ok=True)
        write(FOLDER / f"{os.getpid()}.json", _seen)


def write(path: Path, calls: Iterable[Call]) -> None:
    """One call a line, so that a change reads as one."""
    lines = ",\n".join(json.dumps([*call[:3], dict(call.context)], ensure_ascii=False) for call in sorted(calls))
    path.write_text(f"[\n{lines}\n]\n")


def read(*paths: Path) -> set[Call]:
    """The calls of all these files."""
    found = [each for path in paths for each in json.loads(path.read_text())]
    return {Call(function, action, resource, tuple(context.items())) for function, action, resource, context in found}


def asked(service: str, operation: str, parameters: Parameters) -> Iterator[Asked]:
    yield from _ASKED[service](operation, parameters)
    yield from ((action, "key", (("kms:ViaService", service),)) for action in _THROUGH_THE_KEY.get(service, ()))


def _of_table(operation: str, parameters: Parameters) -> Iterator[Asked]:
    if operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            for kind, write in item.items():
                name = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
                yield f"dynamodb:{name}", *_item(write)
    elif operation == "BatchGetItem":
        for table, read in parameters["RequestItems"].items():
            for key in read["Keys"]:
                yield "dynamodb:BatchGetItem", *_item({"TableName": table, "Key": key})
    elif "IndexName" in parameters:
        yield f"dynamodb:{operation}", f"table/index/{parameters['IndexName']}", ()
    else:
        yield f"dynamodb:{operation}", *_item(parameters)


def _item(parameters: Parameters) -> tuple[str, Context]:
    """The table, and the kind of partition, which is what stands before the first # of its key."""
    if "token" in parameters["TableName"].casefold():
        return "tokens", ()
    key = parameters.get("Key") or parameters.get("Item")
    value = key["pk"] if key else parameters["ExpressionAttributeValues"][":p"]
    kind, mark, _ = value["S"].partition("#")
    return "table", (("dynamodb:LeadingKeys", f"{kind}{mark and '#1'}"),)


def _of_mgn(operation: str, parameters: Parameters) -> Iterator[Asked]:
    kinds = {"sourceServerID": "source-server", "sourceServerIDs": "source-server", "jobID": "job"}
    named = [kind for parameter, kind in kinds.items() if parameters.get(parameter)]
    yield f"mgn:{operation}", named[0] if named else "*", ()
    if parameters.get("tags"):
        yield "mgn:TagResource", "job", (("mgn:CreateAction", operation),)


def _of_queue(operation: str, parameters: Parameters) -> Iterator[Asked]:
    name = parameters["QueueUrl"].rsplit("/", 1)[-1].casefold()
    yield f"sqs:{operation.removesuffix('Batch')}", next(queue for queue in QUEUES if queue in name), ()


def _of_bus(operation: str, parameters: Parameters) -> Iterator[Asked]:
    for entry in parameters["Entries"]:
        about = (("events:detail-type", entry["DetailType"]), ("events:source", entry["Source"]))
        yield f"events:{operation}", "bus", about


def _of_ec2(operation: str, parameters: Parameters) -> Iterator[Asked]:
    is_change = "LaunchTemplateId" in parameters and not operation.startswith("Describe")
    yield (f"ec2:{operation}", *(("launch-template", (MGN_TAG,)) if is_change else ("*", ())))


def _of_ssm(operation: str, parameters: Parameters) -> Iterator[Asked]:
    if operation != "SendCommand":
        yield f"ssm:{operation}", "managed-instance" if "ResourceId" in parameters else "*", ()
        return
    yield "ssm:SendCommand", "document-of-aws" if parameters["DocumentName"].startswith("AWS") else "document", ()
    for id_ in parameters["InstanceIds"]:
        yield "ssm:SendCommand", "instance" if id_.startswith("i-") else "managed-instance", MACHINE_TAGS


def _of_states(operation: str, parameters: Parameters) -> Iterator[Asked]:
    yield f"states:{operation}", "execution" if "executionArn" in parameters else "*", ()


_ASKED: Mapping[str, Callable[[str, Parameters], Iterator[Asked]]] = {
    "dynamodb": _of_table,
    "ec2": _of_ec2,
    "events": _of_bus,
    "mgn": _of_mgn,
    "secretsmanager": lambda operation, _: iter([(f"secretsmanager:{operation}", "secret", ())]),
    "sqs": _of_queue,
    "ssm": _of_ssm,
    "states": _of_states,
    "sts": lambda operation, _: iter([(f"sts:{operation}", "target-role", ())]),
}
_THROUGH_THE_KEY = {
    "dynamodb": ("kms:Decrypt",),
    "secretsmanager": ("kms:Decrypt",),
    "sqs": ("kms:GenerateDataKey", "kms:Decrypt"),
}
"""What these services do with the stage's key in their caller's name."""
