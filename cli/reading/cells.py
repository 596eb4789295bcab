"""Text as the value of a field, as cells of a table and options have it: the field's type says what is meant."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from runtime.models.request import MigrationRequest

_BETWEEN = re.compile(r"[;,\s]+")


def is_field(path: Sequence[str]) -> bool:
    """Whether a request has a field of this name, dots leading into objects."""
    return _schema(path) is not None


def field_names() -> list[str]:
    """Every field that may be named, `tags.` standing for any tag."""
    found: list[str] = []
    for name, member in _request_schema()["properties"].items():
        below = _resolved(member)
        found += [f"{name}.{child}" for child in below.get("properties", {})] or [name]
    return found


def value_of(path: Sequence[str], text: str) -> object:
    """The value that a text stands for; one that does not fit stays text, and is told of as such."""
    kind = (_schema(path) or {}).get("type")
    if text[:1] in "[{" and kind in ("array", "object"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    if kind == "array":
        return [part for part in _BETWEEN.split(text) if part]
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "integer" and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text


def put(into: dict[str, object], path: Sequence[str], value: object) -> None:
    """Set the field at `path`, making the objects on the way."""
    for step in path[:-1]:
        below = into.setdefault(step, {})
        if not isinstance(below, dict):
            return
        into = below
    into[path[-1]] = value


def split(name: str) -> list[str]:
    """The path of a name: a tag's name may itself have dots."""
    first, dot, rest = name.partition(".")
    if not dot:
        return [first]
    return [first, rest] if first == "tags" else name.split(".")


@cache
def _request_schema() -> dict[str, Any]:
    return MigrationRequest.model_json_schema(by_alias=True)


def _schema(path: Sequence[str]) -> Mapping[str, Any] | None:
    node: Mapping[str, Any] = _request_schema()
    for step in path:
        below = node.get("properties", {}).get(step) or node.get("additionalProperties")
        if not below and (patterns := node.get("patternProperties")):
            [below] = patterns.values()
        if not isinstance(below, Mapping):
            return None
        node = _resolved(below)
    return node


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    while True:
        if "$ref" in node:
            node = _request_schema()["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in node:
            node = next(each for each in node["anyOf"] if each.get("type") != "null")
        else:
            return node
