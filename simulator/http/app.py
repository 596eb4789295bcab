"""The HTTP face: a bare ASGI application over the wire, and the control face under `/_simulator/`."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from simulator.engine import Simulator
from simulator.http.control import control
from simulator.http.page import page_html
from simulator.wire import Response

logger = logging.getLogger("simulator.http")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HANG_UP = "simulator.hang_up"
CONTROL = "/_simulator/"
MAX_BODY = 4 * 1024 * 1024  # bytes; the largest request the API knows is far below
# For mistakes of the simulator's own, which the server would answer in words no AWS client reads.
_FAILED = Response(
    500,
    b'{"message": "the simulator failed; its own output says why"}',
    {"content-type": "application/json", "x-amzn-ErrorType": "InternalServerException"},
)


def make_app(simulator: Simulator) -> Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]:
    """The ASGI application of a simulator."""

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if body is None:
            await _send(send, Response(413, b"", {}))
            return
        try:
            response = _respond(simulator, scope, body)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            response = _FAILED
        if response.hang_up:
            await _hang_up(scope)
            return
        await _send(send, response)

    return app


def _respond(simulator: Simulator, scope: Mapping[str, Any], body: bytes) -> Response:
    method, path = scope["method"], scope["raw_path"].decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    asked = {name: values[-1] for name, values in parse_qs(query).items()} if query else {}
    if path == "/" and method == "GET":
        # What was refused shows too, and need not be text.
        html = page_html(simulator, asked).encode(errors="replace")
        return Response(200, html, {"content-type": "text/html; charset=utf-8"})
    if path.startswith(CONTROL):
        status, data = control(simulator, method, path.removeprefix(CONTROL), asked, body)
        return Response(status, json.dumps(data).encode(), {"content-type": "application/json"})
    return simulator.answer(method, path, query, body)


async def _body(receive: Receive) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(send: Send, response: Response) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _hang_up(scope: Mapping[str, Any]) -> None:
    extension = scope.get("extensions", {}).get(HANG_UP)
    if extension is None:
        raise RuntimeError("this server cannot close a connection without an answer")
    extension["abort"]()
    # The server notices a closed connection one turn of its loop later.
    await asyncio.sleep(0.01)
