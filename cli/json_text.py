"""JSON with its places: on which line each element and each field stands."""

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from json.decoder import WHITESPACE  # type: ignore[attr-defined]

_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Place:
    """One element: its text and the line it starts on."""

    line: int
    text: str


def elements(text: str) -> Iterator[Place]:
    """Each top-level value, and of a list each element; raises JSONDecodeError where the text is not JSON."""
    line, counted = 1, 0
    for start, end in _values(text):
        line, counted = line + text.count("\n", counted, start), start
        yield Place(line, text[start:end])


def locate(place: Place, path: Sequence[str | int]) -> int:
    """The line of the field at `path`; of a field that is missing, the line of what it is missing from."""
    found = value = 0
    for step in path:
        # A step that leads nowhere is a missing field or the name of a variant.
        child = next((child for child in _children(place.text, value) if child[0] == step), None)
        if child is not None:
            _, found, value = child
    return place.line + place.text.count("\n", 0, found)


def _values(text: str) -> Iterator[tuple[int, int]]:
    position = _skip(text, 0)
    while position < len(text):
        if text[position] == "[":
            position = yield from _items(text, position)
        else:
            end = _end(text, position)
            yield position, end
            position = end
        position = _skip(text, position)
        if text.startswith(",", position):
            raise json.JSONDecodeError("put several requests in a list, or each on its own line", text, position)


def _items(text: str, position: int) -> Generator[tuple[int, int], None, int]:
    """Start and end of each element of the list at `position`; gives back where the list ends."""
    position = _skip(text, position + 1)
    while not text.startswith("]", position):
        end = _end(text, position)
        yield position, end
        position = _after_comma(text, end, "]")
    return position + 1


def _children(text: str, position: int) -> Iterator[tuple[str | int, int, int]]:
    """Name or number, start, and start of the value of each child of the valid JSON value at `position`."""
    if text.startswith("[", position):
        yield from ((number, start, start) for number, (start, _) in enumerate(_items(text, position)))
    elif text.startswith("{", position):
        position = _skip(text, position + 1)
        while not text.startswith("}", position):
            key, end = _DECODER.raw_decode(text, position)
            value = _skip(text, _skip(text, end) + 1)
            yield key, position, value
            position = _after_comma(text, _end(text, value), "}")


def _end(text: str, position: int) -> int:
    return _DECODER.raw_decode(text, position)[1]


def _after_comma(text: str, position: int, closing: str) -> int:
    position = _skip(text, position)
    if text.startswith(",", position):
        after = _skip(text, position + 1)
        if not text.startswith(closing, after):
            return after
        raise json.JSONDecodeError("a comma before the closing bracket", text, position)
    if not text.startswith(closing, position):
        raise json.JSONDecodeError(f"a comma or {closing} is missing", text, position)
    return position


def _skip(text: str, position: int) -> int:
    match = WHITESPACE.match(text, position)
    return int(match.end()) if match else position
