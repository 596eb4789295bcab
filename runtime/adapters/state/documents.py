"""Documents of the table as models. One that this release cannot read is reported and set aside, never lost (I13)."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from runtime.adapters.state import items
from runtime.errors import UnreadableDocumentError
from runtime.models.base import faults
from runtime.models.table import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from runtime.adapters.state.items import Item

Read = TypeVar("Read")
Report = Callable[[UnreadableDocumentError], None]
"""Who is told of a document that was set aside."""


def refuse(unreadable: UnreadableDocumentError) -> None:
    """For tools that must see everything: raises the error."""
    raise unreadable


def read(item: "Item", parse: Callable[[str], Read]) -> Read:
    """The item's document; raises UnreadableDocumentError."""
    try:
        return parse(items.document(item))
    except ValidationError as error:
        where = f"{item[PARTITION_KEY]['S']} {item[SORT_KEY]['S']}"
        raise UnreadableDocumentError(f"{where} cannot be read by this release ({faults(error)})") from None


def readable(found: "Iterable[Item]", parse: Callable[[str], Read], report: Report) -> Iterator[Read]:
    """The documents this release can read. The others stay where they are, for a release that can."""
    for item in found:
        try:
            yield read(item, parse)
        except UnreadableDocumentError as error:
            report(error)
