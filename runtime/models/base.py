"""The base of every model that crosses a boundary."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time with a time zone, kept in UTC."""

AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$")]

Label = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]
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
        """Parse the wire form; raises pydantic's ValidationError."""
        return cls.model_validate_json(text)


class Stored(Model):
    """What the table keeps, a task hands on or a queue holds: another release may have written it (I13).

    Unknown fields are ignored, in closed models inside it too. A field is never renamed, removed or made required
    (docs/decisions/0009-documents-outlive-releases.md).
    """

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse the wire form; raises pydantic's ValidationError."""
        return cls.model_validate_json(text, extra="ignore")

    @classmethod
    def from_wire(cls, document: object) -> Self:
        """Parse the wire form as JSON's own types; raises pydantic's ValidationError."""
        return cls.model_validate(document, extra="ignore")
