"""Requests as people wrote them, whatever the format: the message each becomes, and where its fields stand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Path: TypeAlias = Sequence[str | int]


class Spot(NamedTuple):
    """A place in a file; the column of a table is its letter."""

    line: int
    column: int | str = 1


class Fault(NamedTuple):
    """What is wrong, and where; `at` is a file's line and column, or the option it came from."""

    file: str
    at: Spot | None
    text: str

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.text}"
            if self.at is None
            else f"{self.file}:{self.at.line}:{self.at.column}: {self.text}"
        )


@dataclass(frozen=True)
class Entry:
    """One request as it was read. `body` is the message as it stands where that is JSON."""

    value: object
    find: Callable[[Path], Spot]
    body: str | None = None
    faults: Sequence[tuple[Spot, str]] = ()


@dataclass(frozen=True)
class Defaults:
    """What requests get that do not say otherwise, and where it was said."""

    value: Mapping[str, object]
    file: str
    find: Callable[[Path], Spot] | None = None


def merged(defaults: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """The request's own fields win; objects are merged field by field, lists and all else are not."""
    result = {**defaults, **own}
    for name, value in own.items():
        below = defaults.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[name] = merged(below, value)
    return result


def has(value: object, path: Path) -> bool:
    """Whether there is something at `path`."""
    for step in path:
        if isinstance(value, Mapping) and step in value:
            value = value[str(step)]
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return False
    return True
