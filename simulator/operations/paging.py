"""Pages of a list with opaque tokens that survive insertions and deletions and refuse another query's token."""

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar
from zlib import crc32

from simulator.model.forms.errors import invalid

T = TypeVar("T")
Request = Mapping[str, Any]
Resource = dict[str, Any]


def page(
    items: Sequence[T],
    request: Request,
    default_size: int,
    position: Callable[[T], int],
    keep: Callable[[T], bool] = lambda _: True,
) -> tuple[list[T], str | None]:
    """The page a request asks for out of items with rising positions, and the token of the next one."""
    size = request.get("maxResults") or default_size
    token = request.get("nextToken")
    start = bisect_right(items, _read(token, request), key=position) if token else 0
    found = list(islice(filter(keep, islice(items, start, None)), size + 1))
    if len(found) <= size:
        return found, None
    return found[:size], _write(position(found[size - 1]), request)


def numbered_page(items: Iterable[tuple[int, T]], request: Request, default_size: int) -> tuple[list[T], str | None]:
    """A page of items that come with rising numbers, which stay theirs as other items come and go."""
    found, token = page(list(items), request, default_size, lambda pair: pair[0])
    return [item for _, item in found], token


def kept_page(kept: Iterable[Resource], request: Request, default_size: int) -> tuple[list[Resource], str | None]:
    """A page of kept resources, the oldest first."""
    return numbered_page(((resource["number"], resource) for resource in kept), request, default_size)


def _write(position: int, request: Request) -> str:
    raw = json.dumps([position, _query(request)]).encode()
    return base64.urlsafe_b64encode(raw).decode()


def _read(token: str, request: Request) -> int:
    try:
        position, query = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        position, query = None, None
    if not isinstance(position, int) or query != _query(request):
        raise invalid("Invalid pagination token", {"nextToken": "not a token of this query"})
    return position


def _query(request: Request) -> int:
    asked = {name: value for name, value in request.items() if name not in ("maxResults", "nextToken")}
    return crc32(json.dumps(asked, sort_keys=True).encode())
