"""A text as requests, whatever its format."""

import csv
import json
from collections.abc import Iterator, Mapping
from functools import partial

from yaml.nodes import Node, SequenceNode

from cli.reading import csv_text, json_text, yaml_text
from cli.reading.entries import Defaults, Entry, Fault, Spot
from cli.reading.files import format_of, shown

DEFAULTS, REQUESTS = "defaults", "requests"
"""Of a document that holds several requests, and what they have in common."""

TOO_DEEP = "nested too deeply to be a request; send one flat object per server"

Found = tuple[Entry, Defaults | None]


def read(name: str, text: str, faults: list[Fault]) -> Iterator[Found]:
    """The requests in a file's text, each with the defaults of its document; what cannot be read becomes faults."""
    file = shown(name)
    try:
        match format_of(name) or _guess(text):
            case "csv":
                yield from ((entry, None) for entry in csv_text.entries(text))
            case "yaml":
                for node in yaml_text.documents(text):
                    yield from _of_yaml(node, file)
            case _:
                for place in json_text.elements(text):
                    yield from _of_json(place, file)
    except json.JSONDecodeError as error:
        faults.append(Fault(file, Spot(error.lineno, error.colno), f"not JSON ({error.msg}); correct it"))
    except yaml_text.NotYamlError as error:
        faults.append(Fault(file, error.spot, error.why))
    except csv.Error as error:
        faults.append(Fault(file, Spot(1), f"not CSV ({error}); correct it"))
    except RecursionError:
        faults.append(Fault(file, Spot(1), TOO_DEEP))


def _guess(text: str) -> str:
    start = text.lstrip()[:1]
    if start in '[{"' or not start:
        return "json"
    return "csv" if csv_text.is_table(text) else "yaml"


def _of_json(place: json_text.Place, file: str) -> Iterator[Found]:
    members = json_text.members(place)
    if REQUESTS not in members or members.keys() - {DEFAULTS, REQUESTS}:
        yield _json_entry(place), None
        return
    defaults = members.get(DEFAULTS)
    common = None
    if defaults is not None:
        value = json.loads(defaults.text)
        common = Defaults(value if isinstance(value, Mapping) else {}, file, partial(json_text.locate, defaults))
    for one in json_text.items(members[REQUESTS]):
        yield _json_entry(one), common


def _json_entry(place: json_text.Place) -> Entry:
    return Entry(json.loads(place.text), partial(json_text.locate, place), body=place.text)


def _of_yaml(node: Node, file: str) -> Iterator[Found]:
    members = yaml_text.members(node)
    if REQUESTS in members and not members.keys() - {DEFAULTS, REQUESTS}:
        below = yaml_text.entry(members[DEFAULTS]) if DEFAULTS in members else None
        value = below.value if below and isinstance(below.value, Mapping) else {}
        common = Defaults(value, file, below.find) if below else None
        found = yaml_text.items(members[REQUESTS])
    else:
        common, found = None, yaml_text.items(node) if isinstance(node, SequenceNode) else [node]
    yield from ((yaml_text.entry(one), common) for one in found)
