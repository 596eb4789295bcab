"""The tiny plain HTTP applications of launched instances, on real addresses."""

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from ipaddress import IPv4Network, ip_network
from threading import Lock, Thread
from typing import Any

from simulator.model.account.server import Application


class AddressPool:
    """Hands out host addresses of a network in turn, skipping those in use."""

    def __init__(self, cidr: str) -> None:
        network = ip_network(cidr)
        if not isinstance(network, IPv4Network) or network.num_addresses < 4:
            raise ValueError(f"{cidr}: give an IPv4 network of at least four addresses, e.g. 127.16.0.0/16")
        self._network = network
        self._next = 1
        self._used: set[str] = set()
        self._lock = Lock()

    def take(self) -> str:
        """A free address."""
        with self._lock:
            for _ in range(self._network.num_addresses - 2):
                address = str(self._network[self._next])
                self._next = self._next % (self._network.num_addresses - 2) + 1
                if address not in self._used:
                    self._used.add(address)
                    return address
        raise RuntimeError(f"no free address left in {self._network}")

    def release(self, address: str) -> None:
        """Make an address free again."""
        with self._lock:
            self._used.discard(address)


class Listeners:
    """Listeners on an event loop and thread of their own, one for each serving instance."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[str, asyncio.Server] = {}
        Thread(target=self._loop.run_forever, name="applications", daemon=True).start()

    def open(self, instance_id: str, address: str, application: Application) -> None:
        """Serve the application; returns once it listens, raises OSError when it cannot."""
        self._run(self._open(instance_id, address, application))

    def close(self, instance_id: str) -> None:
        """Stop serving; nothing happens when it never did."""
        self._run(self._close(instance_id))

    def close_all(self) -> None:
        """Stop everything and the loop."""
        for instance_id in list(self._servers):
            self.close(instance_id)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _open(self, instance_id: str, address: str, application: Application) -> None:
        self._servers[instance_id] = await asyncio.start_server(_responder(application), address, application.port)

    async def _close(self, instance_id: str) -> None:
        if server := self._servers.pop(instance_id, None):
            server.close()


def _responder(
    application: Application,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=30)
            target = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
            right = target == application.path
            writer.write(_answer(application.status if right else 404, application.body if right else "not found\n"))
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError, IndexError):
            pass  # A TCP check connects and leaves; that is no request.
        finally:
            writer.close()

    return respond


def _answer(status: int, body: str) -> bytes:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Status"
    raw = body.encode()
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain\r\ncontent-length: {len(raw)}\r\nconnection: close"
    return head.encode() + b"\r\n\r\n" + raw
