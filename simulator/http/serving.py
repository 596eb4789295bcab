"""Runs the HTTP face on uvicorn: in the foreground for the command, in a thread for tests."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.engine import Simulator
from simulator.http.app import HANG_UP, make_app

logger = logging.getLogger("simulator.serving")
TICK_SECONDS = 0.05  # longest real time an event-driven caller waits for something that is due


class _Protocol(HttpToolsProtocol):
    """Lets the application close a connection without an answer, which ASGI has no word for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"abort": self.transport.abort}}


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are handled by whoever runs the server, so that ending on one is a clean end.
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.listen(1024)
    return bound


def serve(simulator: Simulator, bound: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.run(_serve(simulator, _server(simulator), bound, handle_signals=True))


@contextmanager
def serving(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread for the length of the block; yields the URL."""
    bound = listen(host, port)
    server = _server(simulator)
    thread = Thread(target=lambda: asyncio.run(_serve(simulator, server, bound, handle_signals=False)), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        bound.close()


def _server(simulator: Simulator) -> _Server:
    app: Any = make_app(simulator)
    return _Server(
        uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,
        )
    )


async def _serve(simulator: Simulator, server: _Server, bound: socket.socket, *, handle_signals: bool) -> None:
    if handle_signals:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    ticking = asyncio.create_task(_tick(simulator))
    try:
        await server.serve(sockets=[bound])
    finally:
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking


async def _tick(simulator: Simulator) -> None:
    while True:
        try:
            simulator.run_due()
        except Exception:
            # What failed is off the agenda; time goes on for everything else.
            logger.exception("a transition failed")
        await asyncio.sleep(TICK_SECONDS)
