"""The base of every model that crosses a boundary."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails

from runtime.models.repeats import repeated_names
from runtime.models.text import STORED, OneLine, visible_name


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time with a time zone, kept in UTC."""

AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$")]

Label = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True), OneLine()]
"""A short name chosen by people."""

Reason = Annotated[str, StringConstraints(max_length=2048)]
"""Why something happened, in words a person can act on."""


class Model(BaseModel):
    """Frozen, camelCase on the wire and snake_case in code."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,  # a cold start builds only the models its event needs
        frozen=True,
        hide_input_in_errors=True,  # task tokens pass through these models
        populate_by_name=True,
        serialize_by_alias=True,
    )

    def to_json(self) -> str:
        """The compact wire form; fields that are None are left out."""
        return self.model_dump_json(exclude_none=True)


class Payload(Model):
    """What senders write, and what we send: closed to unknown fields, so that a misspelt one is told."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse what a sender wrote, to the letter; raises pydantic's ValidationError.

        Of two members under one name pydantic would take the later; it would also take "1" for 1 and 1 for true.
        """
        found = cls.model_validate_json(text, strict=True, by_alias=True, by_name=False)
        if repeated := repeated_names(text):
            raise ValidationError.from_exception_data(cls.__name__, [_stands_twice(way) for way in repeated])
        return found


class Stored(Model):
    """What the table keeps, a task hands on or a queue holds: another release may have written it (I13).

    Unknown fields are ignored, in closed models inside it too. A field is never renamed, removed or made required
    (docs/decisions/0009-documents-outlive-releases.md).
    """

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse the wire form; raises pydantic's ValidationError."""
        return cls.model_validate_json(text, extra="ignore", context=STORED)

    @classmethod
    def from_wire(cls, document: object) -> Self:
        """Parse the wire form as JSON's own types; raises pydantic's ValidationError."""
        return cls.model_validate(document, extra="ignore", context=STORED)


def faults(error: ValidationError) -> str:
    """Places and kinds of what is wrong in a document, never values: they may be secrets (I11)."""
    return "; ".join(
        f"{'.'.join(map(visible_name, fault['loc'])) or 'document'}: {fault['type']}"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _stands_twice(way: tuple[str | int, ...]) -> InitErrorDetails:
    error = ValueError("stands there more than once; keep one of them")
    return InitErrorDetails(type="value_error", loc=way, input={}, ctx={"error": error})
