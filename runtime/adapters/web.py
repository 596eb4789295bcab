"""One HTTP exchange with a machine nobody vouches for: it is over in time, however slowly that machine speaks."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext

USER_AGENT = "mgn-migration-orchestrator"


class NoAnswerError(Exception):
    """An exchange came to no answer; says why in a few words."""


class Deadline:
    """The moment at which a whole exchange is given up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._end

    def left(self) -> float:
        """Seconds until then; raises TimeoutError when there are none."""
        if self.is_over:
            raise TimeoutError(str(self))
        return self._end - monotonic()

    def __str__(self) -> str:
        return f"not over within {self._seconds:g} s"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Who is spoken to: an address, and with TLS how its certificate is judged and for which name."""

    address: str
    port: int
    tls: "SSLContext | None" = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent."""

    method: str
    target: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def status_of_answer(peer: Peer, request: Request, deadline: Deadline) -> int:
    """The status of the answer, of which nothing else is read and no redirect followed; raises NoAnswerError."""
    try:
        with socket.create_connection((peer.address, peer.port), timeout=deadline.left()) as plain:
            with _cut_off(plain, deadline):
                status = _ask(plain, peer, request)
            # A header that was cut off reads like one that ended.
            deadline.left()
            return status
    # An address or path that cannot be sent at all is a ValueError.
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswerError(str(deadline) if deadline.is_over else type(error).__name__) from error


def _ask(plain: socket.socket, peer: Peer, request: Request) -> int:
    connection = HTTPConnection(peer.address, peer.port)
    connection.sock = peer.tls.wrap_socket(plain, server_hostname=peer.name) if peer.tls else plain
    try:
        headers = {"User-Agent": USER_AGENT, **request.headers}
        connection.request(request.method, request.target, body=request.body, headers=headers)
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


@contextmanager
def _cut_off(plain: socket.socket, deadline: Deadline) -> Iterator[None]:
    """Ends the connection at the deadline, whatever it is doing then.

    A socket's own timeout holds for one read: a peer that sends a byte now and then never meets it.
    """
    # A copy, because TLS takes over the socket it is given.
    with plain.dup() as line:
        timer = Timer(deadline.left(), _hang_up, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
