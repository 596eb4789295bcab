"""The published schemas are those of the models, and say the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.jsonschema import StandardValidator  # type: ignore[import-untyped]
from pydantic import ValidationError

from cli.openapi import openapi, write_openapi
from cli.schemas import EARLIER_MESSAGE, FULL_MESSAGE, file_name, schema, schema_models, write_schemas
from runtime.models.request import MigrationRequest
from tests.cli.deployed_stage import a_message, run

PUBLISHED = Path(__file__).parents[2] / "docs/schemas"
STALE = "docs/schemas is stale: run `migrate schema --write docs/schemas`"


HIDDEN = ("\x00", "\x1b", "\n", "\t", "\x7f", "\x85", "\u2028", "\u202e", "\u2066")


def is_valid(document: object) -> bool:
    """What a producer's own JSON Schema validator says of a request."""
    return not list(StandardValidator(schema("request")).iter_errors(document))


def test_the_published_schemas_are_those_of_the_models(folder: Path) -> None:
    write_schemas(folder)
    write_openapi(folder)
    generated = {path.name: path.read_text() for path in folder.glob("*.json")}
    assert {path.name: path.read_text() for path in PUBLISHED.glob("*.json")} == generated, STALE


def test_the_http_doors_document_names_only_what_it_holds() -> None:
    document = openapi()
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    operations = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(set(operations)) == 6


def test_the_request_is_migration_payload() -> None:
    document = json.loads((PUBLISHED / "migration_payload.json").read_text())
    assert document["title"] == "Migration request"
    assert document["$id"].endswith("migration_payload")
    assert "sourceVmId" in document["required"]
    assert all("description" in document["properties"][name] for name in EARLIER_MESSAGE)


def test_every_event_on_the_bus_has_a_schema() -> None:
    assert set(schema_models()) == {
        "request",
        "ApprovalRequested",
        "MigrationCompleted",
        "MigrationFailed",
        "MigrationRequested",
        "MigrationSignal",
        "MigrationStatusChanged",
    }


def test_the_earlier_producers_message_is_accepted_as_it_is() -> None:
    fields = "migrationId appName source target environment wave sourceVmId targetVmName instanceType subnetId"
    assert list(EARLIER_MESSAGE) == [*fields.split(), "securityGroupIds"]
    assert (EARLIER_MESSAGE["source"], EARLIER_MESSAGE["target"]) == ("azure", "aws")
    assert is_valid(EARLIER_MESSAGE)
    assert MigrationRequest.from_json(json.dumps(EARLIER_MESSAGE)).to_json()


def test_the_full_message_uses_every_part_but_another_account_and_a_command_at_the_source() -> None:
    assert is_valid(FULL_MESSAGE)
    assert MigrationRequest.from_json(json.dumps(FULL_MESSAGE)).to_json()
    unused = set(schema("request")["properties"]) - set(FULL_MESSAGE)
    assert unused == {"targetAccount", "targetRegion", "preMigrationCommand", "retryOf"}


@pytest.mark.parametrize(
    "changes",
    [
        {"wave": 3},
        {"wave": True},
        {"migrationId": "no spaces"},
        {"migrationId": None},
        {"target": "azure"},
        {"bogus": 1},
        {"subnetId": "subnet-x"},
        {"securityGroupIds": []},
        {"checks": [{"type": "tcp", "port": 443}]},
        {"checks": [{"type": "tcp", "port": 0}]},
        {"checks": [{"type": "ping"}]},
        {"soakSeconds": -1},
        {"callbackUrl": "ftp://example.com"},
        {"approval": {"cutover": True}},
        {"tags": {"a": "b"}},
        {"tags": {"a;": "b"}},
        {"soakSeconds": True},
        {"soakSeconds": "60"},
        {"test": 1},
        {"app_name": "billing"},
        {"window": {"notBefore": 1_772_920_800, "notAfter": "2026-03-08T04:00:00Z"}},
        *({"appName": f"bill{hidden}ing"} for hidden in HIDDEN),
        *({"wave": f"1{hidden}"} for hidden in HIDDEN),
        *({"tags": {f"a{hidden}": "b"}} for hidden in HIDDEN),
        *({"tags": {"a": f"b{hidden}"}} for hidden in HIDDEN),
        *({"checks": [{"type": "http", "path": f"/{hidden}"}]} for hidden in HIDDEN),
        {"appName": "חשבונות 👩‍🚀"},
        {"tags": {"a": "x\u200dy"}},
    ],
    ids=repr,
)
def test_schema_and_model_say_the_same(changes: dict[str, object]) -> None:
    message = a_message() | {"wave": "1"} | changes
    assert is_valid(message) is _accepts(message)


def _accepts(message: dict[str, Any]) -> bool:
    try:
        MigrationRequest.from_json(json.dumps(message))
    except ValidationError:
        return False
    return True


def test_the_command_prints_the_request() -> None:
    assert run("schema").json == schema("request") == run("schema", "request").json


def test_the_command_prints_events() -> None:
    names = ["MigrationCompleted", "MigrationFailed"]
    assert [document["title"] for document in run("schema", *names).json] == ["Migration completed", "Migration failed"]


def test_the_command_writes_all(folder: Path) -> None:
    ran = run("schema", "--write", "made/here")
    assert sorted(ran.out.split()) == sorted(
        ["made/here/openapi.json", *(f"made/here/{file_name(name)}" for name in schema_models())]
    )
    assert (folder / "made/here/migration_status_changed.json").exists()


def test_the_command_lists_the_names() -> None:
    assert run("schema", "--list").out.split() == list(schema_models())


def test_an_unknown_name_is_a_usage_error() -> None:
    ran = run("schema", "Nonsense")
    assert ran.code == 2
    assert "MigrationCompleted" in ran.err
