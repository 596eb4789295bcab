"""Members of JSON objects that stand there more than once: parsers keep one of them, and not all the same one."""

import json
from collections import Counter
from collections.abc import Iterator

Way = tuple[str | int, ...]


class _Members(list[tuple[str, object]]):
    """An object's members as they stand."""


def repeated_names(text: str | bytes) -> list[Way]:
    """The way to each name that an object of the JSON text has more than once; raises what `json.loads` raises."""
    # Numbers are left as text: Python refuses to read one of more than 4,300 digits.
    return list(_repeated(json.loads(text, object_pairs_hook=_Members, parse_int=str, parse_float=str), ()))


def _repeated(value: object, way: Way) -> Iterator[Way]:
    if isinstance(value, _Members):
        counted = Counter(name for name, _ in value)
        yield from ((*way, name) for name, count in counted.items() if count > 1)
        for name, member in value:
            yield from _repeated(member, (*way, name))
    elif isinstance(value, list):
        for number, element in enumerate(value):
            yield from _repeated(element, (*way, number))
