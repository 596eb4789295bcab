"""What an operation takes and gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from simulator.model.account.account import Account
from simulator.model.forms.formats import View

Request = Mapping[str, Any]
OPERATION = "operation"
"""The member under which what only reads finds its own name: a page token is good for one operation."""


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list that must be fast: made into what its reader wants, JSON or Python, and never both."""

    account: Account
    items: Sequence[Item]
    next_token: str | None
    view: Callable[[Account, Item], View]
    json: Callable[[Account, Item], str]

    def text(self) -> str:
        """The response body."""
        token = f',"nextToken":"{self.next_token}"' if self.next_token else ""
        items = ",".join(self.json(self.account, item) for item in self.items)
        return f'{{"items":[{items}]{token}}}'

    def plain(self) -> View:
        """The same as Python's own types."""
        token = {"nextToken": self.next_token} if self.next_token else {}
        return {"items": [self.view(self.account, item) for item in self.items], **token}


Answer = Mapping[str, Any] | Page[Any]
Operation = Callable[[Account, Request], Answer]


def listed(items: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    """The usual shape of a page."""
    return {"items": items, "nextToken": token}
