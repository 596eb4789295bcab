"""Answers boto3 clients inside the process: no sockets, works beside moto's `mock_aws`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.handlers
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from simulator.engine import Simulator
from simulator.wire import Response

_EVENT = "before-send.mgn"


class RawBody:
    """A response body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body


def attach(target: Any, simulator: Simulator) -> None:
    """Answer the MGN calls of a boto3 client, a boto3 session or a botocore session from now on."""
    events = target.meta.events if hasattr(target, "meta") else getattr(target, "events", None)
    if isinstance(target, botocore.session.Session):
        events = target.get_component("event_emitter")
    if events is None:
        raise TypeError(f"cannot attach to {type(target).__name__}: give a boto3 client or session")
    events.register_first(_EVENT, _handler(simulator))


@contextmanager
def intercept(simulator: Simulator) -> Iterator[Simulator]:
    """Answer the MGN calls of every client made inside the block."""
    entry = (_EVENT, _handler(simulator))
    handlers: list[Any] = botocore.handlers.BUILTIN_HANDLERS
    handlers.insert(0, entry)
    default, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, None
    try:
        yield simulator
    finally:
        handlers.remove(entry)
        boto3.DEFAULT_SESSION = default


def _handler(simulator: Simulator) -> Any:
    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        body = request.body or b""
        if not isinstance(body, bytes | str):
            raise TypeError("MGN requests have no streamed bodies")
        raw = body.encode() if isinstance(body, str) else body
        response = simulator.answer(request.method, url.path, url.query, raw)
        if response.hang_up:
            raise _no_answer(response, request.url)
        # botocore wraps any mapping itself; building its header class here would cost as much as the answer.
        headers: Any = dict(response.headers)
        return AWSResponse(request.url, response.status, headers, RawBody(response.body))

    return answer


def _no_answer(response: Response, url: str) -> Exception:
    if response.hang_up == "before":
        return ConnectionClosedError(endpoint_url=url)
    return ReadTimeoutError(endpoint_url=url)
