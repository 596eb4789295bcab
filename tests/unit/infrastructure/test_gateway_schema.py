"""What API Gateway validates is no stricter than the model, and as strict where draft 4 has the words."""

import json
from typing import Any

import pytest
from cfnlint.jsonschema import StandardValidator  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_constructs.gateway_schema import DRAFT, KEPT, gateway_schema
from runtime.errors import RequestError
from runtime.logic.ingress import parse_request
from runtime.models.http import DecisionBody
from runtime.models.request import MigrationRequest
from tests.unit.runtime.test_request_fuzz import FIELDS, GOOD, junk

SCHEMA = gateway_schema(MigrationRequest)
GATEWAY = StandardValidator(SCHEMA)
REQUIRED = sorted(SCHEMA["required"])


def lets_in(body: object) -> bool:
    return not list(GATEWAY.iter_errors(body))


def is_accepted(body: object) -> bool:
    try:
        parse_request(json.dumps(body))
    except RequestError:
        return False
    return True


@given(changes=st.dictionaries(st.sampled_from([*FIELDS, "colour"]), junk, max_size=3))
@settings(max_examples=300)
def test_gateway_refuses_nothing_that_the_code_accepts(changes: dict[str, Any]) -> None:
    body = {**GOOD, **changes}
    if is_accepted(body):
        assert lets_in(body)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"migrationId": "with spaces"},
        {"migrationId": 7},
        {"instanceType": "huge"},
        {"mode": "later"},
        {"soakSeconds": -1},
        {"target": "azure"},
        {"checks": [{"type": "ping"}]},
        {"checks": [{"type": "tcp", "port": 0}]},
        {"approval": {"cutover": "yes"}},
        {"securityGroupIds": []},
        {"window": {"notBefore": "2026-03-07T22:00:00Z"}},
        *({name: None} for name in REQUIRED),
    ],
    ids=str,
)
def test_gateway_and_code_refuse_the_same(change: dict[str, Any]) -> None:
    body = {**GOOD, **change}
    assert (lets_in(body), is_accepted(body)) == (False, False)


@pytest.mark.parametrize("name", REQUIRED)
def test_gateway_and_code_refuse_what_lacks_a_required_field(name: str) -> None:
    body = {field: value for field, value in GOOD.items() if field != name}
    assert (lets_in(body), is_accepted(body)) == (False, False)


@pytest.mark.parametrize("model", [MigrationRequest, DecisionBody])
def test_schema_has_only_words_that_draft_4_means_as_pydantic_does(
    model: type[MigrationRequest | DecisionBody],
) -> None:
    made = gateway_schema(model)
    assert made["$schema"] == DRAFT
    assert words({name: each for name, each in made.items() if name not in ("$schema", "title")}) <= KEPT | {
        "$ref",
        "definitions",
    }
    assert "\\w" not in json.dumps(made)


def words(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {word for each in schema for word in words(each)}
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for name, value in schema.items():
        inner = value.values() if name in ("properties", "definitions") else [value]
        found |= {word for each in inner for word in words(each)}
    return found
