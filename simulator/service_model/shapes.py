"""Shapes of a botocore service model compiled into checks of requests and shapers of responses."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Shapes = Mapping[str, Mapping[str, Any]]
Check = Callable[[Any, str, dict[str, str]], None]
Shaper = Callable[[Any], Any]

_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = frozenset({"integer", "long"})


def compile_check(shapes: Shapes, name: str) -> Check:
    """A function that notes, by path, what is wrong with a value of the named shape."""
    return _Checks(shapes).get(name)


def compile_shaper(shapes: Shapes, name: str) -> Shaper:
    """A function that copies a value, leaving out null members and those the shape does not have."""
    return _Shapers(shapes).get(name)


class _Checks:
    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._made: dict[str, Check] = {}

    def get(self, name: str) -> Check:
        if name not in self._made:
            # Entered first, so that a shape may contain itself.
            self._made[name] = lambda value, path, problems: self._made[name](value, path, problems)
            shape = self._shapes[name]
            make = {"structure": self._structure, "list": self._list, "map": self._map, "string": _string,
                    "boolean": _boolean}.get(shape["type"], _number)  # fmt: skip
            self._made[name] = make(shape)
        return self._made[name]

    def _structure(self, shape: Mapping[str, Any]) -> Check:
        members = {name: self.get(reference["shape"]) for name, reference in shape["members"].items()}
        required = tuple(shape.get("required", ()))

        def check(value: Any, path: str, problems: dict[str, str]) -> None:
            if not isinstance(value, Mapping):
                problems[path or "."] = "Member must be a structure"
                return
            for name in required:
                if value.get(name) is None:
                    problems[_join(path, name)] = "Member must not be null"
            for name, each in value.items():
                if each is not None and name in members:
                    members[name](each, _join(path, name), problems)

        return check

    def _list(self, shape: Mapping[str, Any]) -> Check:
        member = self.get(shape["member"]["shape"])
        size = _size(shape)

        def check(value: Any, path: str, problems: dict[str, str]) -> None:
            if not isinstance(value, list | tuple):
                problems[path] = "Member must be a list"
                return
            if text := size(len(value)):
                problems[path] = text
                return
            for index, each in enumerate(value):
                member(each, f"{path}.{index + 1}.member", problems)

        return check

    def _map(self, shape: Mapping[str, Any]) -> Check:
        key_check, value_check = self.get(shape["key"]["shape"]), self.get(shape["value"]["shape"])
        size = _size(shape)

        def check(value: Any, path: str, problems: dict[str, str]) -> None:
            if not isinstance(value, Mapping):
                problems[path] = "Member must be a map"
                return
            if text := size(len(value)):
                problems[path] = text
                return
            for key, each in value.items():
                key_check(key, f"{path}.key", problems)
                value_check(each, f"{path}.{key}.member", problems)

        return check


def _string(shape: Mapping[str, Any]) -> Check:
    size = _size(shape)
    values = frozenset(shape.get("enum", ()))
    pattern = re.compile(shape["pattern"]) if "pattern" in shape else None

    def check(value: Any, path: str, problems: dict[str, str]) -> None:
        if not isinstance(value, str):
            problems[path] = "Member must be a string"
        elif text := size(len(value)):
            problems[path] = text
        elif not value.isascii() and _SURROGATE.search(value):
            problems[path] = "Member must be text: half a surrogate pair is none"
        elif values and value not in values:
            problems[path] = f"Member must satisfy enum value set: [{', '.join(sorted(values))}]"
        elif pattern is not None and not pattern.fullmatch(value):
            problems[path] = f"Member must satisfy regular expression pattern: {pattern.pattern}"

    return check


def _boolean(shape: Mapping[str, Any]) -> Check:
    def check(value: Any, path: str, problems: dict[str, str]) -> None:
        if not isinstance(value, bool):
            problems[path] = "Member must be a boolean"

    return check


def _number(shape: Mapping[str, Any]) -> Check:
    kinds: tuple[type, ...] = (int,) if shape["type"] in _WHOLE else (int, float)
    low, high = shape.get("min"), shape.get("max")

    def check(value: Any, path: str, problems: dict[str, str]) -> None:
        if isinstance(value, bool) or not isinstance(value, kinds):
            problems[path] = "Member must be a number"
        elif low is not None and value < low:
            problems[path] = f"Member must have value greater than or equal to {low}"
        elif high is not None and value > high:
            problems[path] = f"Member must have value less than or equal to {high}"

    return check


def _size(shape: Mapping[str, Any]) -> Callable[[int], str]:
    low, high = shape.get("min", 0), shape.get("max", float("inf"))

    def check(length: int) -> str:
        if length < low:
            return f"Member must have length greater than or equal to {low}"
        if length > high:
            return f"Member must have length less than or equal to {high}"
        return ""

    return check


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class _Shapers:
    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._made: dict[str, Shaper] = {}

    def get(self, name: str) -> Shaper:
        if name not in self._made:
            self._made[name] = lambda value: self._made[name](value)
            shape = self._shapes[name]
            make = {"structure": self._structure, "list": self._list, "map": self._map}.get(shape["type"])
            self._made[name] = make(shape) if make else _same
        return self._made[name]

    def _structure(self, shape: Mapping[str, Any]) -> Shaper:
        members = {name: self.get(reference["shape"]) for name, reference in shape["members"].items()}
        # Most are as they are, and a job has hundreds of servers.
        nested = {name: made for name, made in members.items() if made is not _same}

        def build(value: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: nested[name](each) if name in nested else each
                for name, each in value.items()
                if each is not None and name in members
            }

        return build

    def _list(self, shape: Mapping[str, Any]) -> Shaper:
        member = self.get(shape["member"]["shape"])
        return lambda value: [member(each) for each in value]

    def _map(self, shape: Mapping[str, Any]) -> Shaper:
        member = self.get(shape["value"]["shape"])
        return lambda value: {key: member(each) for key, each in value.items()}


def _same(value: Any) -> Any:
    return value
