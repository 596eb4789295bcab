"""YAML with its places. Scalars are those of JSON: yes is text, and so is a date."""

import re
from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cli.reading.entries import Entry, Path, Spot

MAX_NODES = 500_000
"""References may make a small file large."""


class NotYamlError(Exception):
    """The text is not YAML, or not what JSON could say."""

    def __init__(self, spot: Spot, why: str) -> None:
        super().__init__(why)
        self.spot, self.why = spot, why


class _Loader(yaml.SafeLoader):
    """Resolves what JSON has, and no more."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^-?(?:0|[1-9][0-9]{0,17})$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
    ("merge", r"^(?:<<)$", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def documents(text: str) -> Iterator[Node]:
    """The documents of a text; raises NotYamlError."""
    try:
        yield from (node for node in yaml.compose_all(text, Loader=_Loader) if node is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = Spot(mark.line + 1, mark.column + 1) if mark else Spot(1)
        raise NotYamlError(spot, f"not YAML ({error.problem or error.context}); correct it") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise NotYamlError(Spot(1), f"not YAML ({error}); correct it") from error


def members(node: Node) -> dict[str, Node]:
    """The values of a mapping by name."""
    return {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}


def items(node: Node) -> list[Node]:
    """The elements of a list."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def entry(node: Node) -> Entry:
    """What stands at a node, as JSON has it."""
    reader = _Reader()
    value = reader.value(node)
    return Entry(value, lambda path: _locate(node, path), faults=reader.faults)


class _Reader:
    def __init__(self) -> None:
        self.faults: list[tuple[Spot, str]] = []
        self._nodes = 0

    def value(self, node: Node) -> object:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise NotYamlError(_spot(node), "its references make it too large; write it out")
        if isinstance(node, MappingNode):
            return self._mapping(node)
        if isinstance(node, SequenceNode):
            return [self.value(child) for child in node.value]
        return _scalar(node)

    def _mapping(self, node: MappingNode) -> dict[str, object]:
        found: dict[str, object] = {}
        merged: dict[str, object] = {}
        for key, child in node.value:
            if key.tag.endswith(":merge"):
                for one in [child, *items(child)]:
                    below = self.value(one)
                    merged = {**below, **merged} if isinstance(below, dict) else merged
                continue
            if key.value in found:
                self.faults.append((_spot(key), f"{key.value}: stands there more than once; keep one of them"))
            found[str(key.value)] = self.value(child)
        return {**merged, **found}


def _scalar(node: Node) -> object:
    assert isinstance(node, ScalarNode)
    match node.tag.rsplit(":", 1)[-1]:
        case "null":
            return None
        case "bool":
            return node.value == "true"
        case "int":
            return int(node.value)
        case "float":
            return float(node.value)
    return node.value


def _locate(node: Node, path: Path) -> Spot:
    found = node
    for step in path:
        if isinstance(node, MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == step), None)
            if pair is not None:
                found, node = pair
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node = node.value[step]
    return _spot(found)


def _spot(node: Node) -> Spot:
    return Spot(node.start_mark.line + 1, node.start_mark.column + 1)
