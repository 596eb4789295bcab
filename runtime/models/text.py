"""Text of others: which characters it may hold, and how it is shown without obeying it."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationInfo
from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

STEERING = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Controls of C0 and C1, separators of lines and paragraphs, and what turns the direction of writing around."""

STORED = object()
"""Validation context of documents that were accepted before: they are not judged anew."""

_STEERING = re.compile(f"[{STEERING}]")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class OneLine:
    """Text without characters that steer a terminal, forge a line or show something else than they say."""

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> core_schema.CoreSchema:
        return core_schema.with_info_before_validator_function(_refuse_steering, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        made = handler(schema)
        if made.get("type") != "string":
            return made
        # A lookahead, because `$` passes a line break at the end in Python. What ends a line is one of the characters
        # too, so `.` reaches the first of them.
        pattern = made.get("pattern", "^").removeprefix("^")
        return {**made, "pattern": f"^(?!.*[{STEERING}]){pattern}"}


def _refuse_steering(value: object, info: ValidationInfo) -> object:
    if info.context is not STORED and isinstance(value, str) and (found := _STEERING.search(value)):
        raise ValueError(f"holds the control character U+{ord(found.group()):04X}; remove it")
    return value


def visible(text: str) -> str:
    """The text on one line with everything that is not to be seen written out, as U+001B is written \\x1b."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def visible_name(name: object) -> str:
    """A name someone else chose, as it may stand in a message."""
    shown = visible(str(name))
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
