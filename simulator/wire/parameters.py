"""Takes the parameters of a call out of its HTTP request (docs/mgn.md#wire)."""

import json
from typing import Any
from urllib.parse import parse_qs, unquote

from simulator.model.forms.errors import invalid
from simulator.service_model import ApiOperation

MAX_DEPTH = 32  # levels; no request of the API has ten, and whoever reads the log walks through them all


def read_parameters(operation: ApiOperation, segment: str, query: str, body: bytes) -> dict[str, Any]:
    """Members of body, query and the one path segment; raises MgnError for a body that is no JSON object."""
    parameters: dict[str, Any] = {}
    if operation.has_body and body:
        parameters.update(_json_object(body))
    if operation.locations:
        asked = parse_qs(query, keep_blank_values=True)
        for location in operation.locations:
            if location.place == "uri":
                parameters[location.member] = unquote(segment)
            elif location.name in asked:
                parameters[location.member] = location.convert(asked[location.name])
    return parameters


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise invalid("The request body is not JSON", reason="cannotParse") from error
    if not isinstance(parsed, dict):
        raise invalid("The request body is not a JSON object", reason="cannotParse")
    if _deeper_than(MAX_DEPTH, parsed):
        raise invalid(f"The request body is nested more than {MAX_DEPTH} levels deep", reason="cannotParse")
    return parsed


def _refuse(constant: str) -> None:
    # NaN and the infinities, which Python's own reader takes.
    raise ValueError(f"{constant} is no JSON")


def _deeper_than(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return False
    if not levels:
        return True
    return any(_deeper_than(levels - 1, each) for each in (value.values() if isinstance(value, dict) else value))
