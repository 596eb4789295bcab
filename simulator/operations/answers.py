"""What an operation takes and gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.model.account.account import Account

Request = Mapping[str, Any]
OPERATION = "operation"
"""The member under which what only reads finds its own name: a page token is good for one operation."""


@dataclass(frozen=True, slots=True)
class TextItems:
    """A page of items already rendered as JSON, for the lists that must be fast."""

    items: list[str]
    next_token: str | None

    def text(self) -> str:
        """The response body."""
        token = f',"nextToken":"{self.next_token}"' if self.next_token else ""
        return f'{{"items":[{",".join(self.items)}]{token}}}'


Answer = Mapping[str, Any] | TextItems
Operation = Callable[[Account, Request], Answer]


def listed(items: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    """The usual shape of a page."""
    return {"items": items, "nextToken": token}
