"""The account and Region that MGN works in: its quotas, its servers and our dispatcher are of one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler


@dataclass(frozen=True, order=True, slots=True)
class Scope:
    """An account and Region; `account#region` in documents, keys and messages."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.account}#{self.region}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The scope behind its text; raises ValueError."""
        account, _, region = text.partition("#")
        if not account or not region:
            raise ValueError(f"{text!r} is no scope; write account#region")
        return cls(account, region)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._taken, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _taken(cls, value: object) -> "Scope":
        if isinstance(value, Scope):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        raise ValueError("a scope is written as account#region")


class Wake(NamedTuple):
    """A message of the wake queue: what is to be looked at."""

    scope: Scope
    everything: bool = False
    """A round over all that waits, and not only what can have changed."""

    def to_text(self) -> str:
        return f"{self.scope}#{_ROUND}" if self.everything else str(self.scope)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The wake behind its text; raises ValueError."""
        account, _, rest = text.partition("#")
        region, _, what = rest.partition("#")
        return cls(Scope.parse(f"{account}#{region}"), everything=what == _ROUND)


_ROUND = "round"
