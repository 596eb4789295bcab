"""JSON with its places: where each element and each field stands."""

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from json.decoder import WHITESPACE  # type: ignore[attr-defined]

from cli.reading.entries import Spot

_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Place:
    """One element: its text, and the line and column it starts at."""

    line: int
    column: int
    text: str

    def at(self, position: int) -> Spot:
        """Where a character of it stands in the whole."""
        before = self.text[:position]
        last_break = before.rfind("\n")
        column = position + self.column if last_break < 0 else position - last_break
        return Spot(self.line + before.count("\n"), column)


def elements(text: str) -> Iterator[Place]:
    """Each top-level value, and of a list each element; raises JSONDecodeError where the text is not JSON."""
    whole = Place(1, 1, text)
    return (_part(whole, start, end) for start, end in _values(text))


def members(place: Place) -> dict[str, Place]:
    """The values of an object's members by name, each with its place."""
    return {
        str(name): _part(place, value, _end(place.text, value))
        for name, _, value in _children(place.text, 0)
        if place.text.startswith("{")
    }


def items(place: Place) -> list[Place]:
    """The elements of a list, each with its place."""
    return [_part(place, start, end) for start, end in _items(place.text, 0)] if place.text.startswith("[") else []


def locate(place: Place, path: Sequence[str | int]) -> Spot:
    """Where the field at `path` stands; of a field that is missing, where that is which it is missing from."""
    found = value = 0
    for step in path:
        # A step that leads nowhere is a missing field or the name of a variant.
        child = next((child for child in _children(place.text, value) if child[0] == step), None)
        if child is not None:
            _, found, value = child
    return place.at(found)


def _part(place: Place, start: int, end: int) -> Place:
    spot = place.at(start)
    return Place(spot.line, int(spot.column), place.text[start:end])


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
