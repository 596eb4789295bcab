"""Network checks of a launched instance behind the Prober port."""

import socket
import ssl
from string import punctuation
from urllib.parse import quote

from runtime.adapters.web import Deadline, NoAnswerError, Peer, Request, status_of_answer
from runtime.models.request import Check, HttpCheck, SsmCheck, TcpCheck

TIMEOUT_SECONDS = 4.0
"""Of a whole check. A migration has at most ten, and the function that runs them has 60 seconds."""


class NetworkProber:
    """Tries once; trying again is the state machine's part."""

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds

    def probe(self, check: Check, address: str) -> str | None:
        match check:
            case TcpCheck():
                return self._connects(address, check.port)
            case HttpCheck():
                return self._answers(check, address)
            case SsmCheck():
                raise TypeError("an SSM check runs on the instance, not over the network")

    def _connects(self, address: str, port: int) -> str | None:
        try:
            socket.create_connection((address, port), timeout=self._timeout_seconds).close()
        except OSError as error:
            return f"no connection: {error.strerror or type(error).__name__}"
        return None

    def _answers(self, check: HttpCheck, address: str) -> str | None:
        peer = Peer(address=address, port=check.port, tls=_any_certificate() if check.scheme == "https" else None)
        request = Request(method="GET", target=quote(check.path, safe=punctuation))
        try:
            status = status_of_answer(peer, request, Deadline(self._timeout_seconds))
        except NoAnswerError as error:
            return f"no answer: {error}"
        return None if status == check.expected_status else f"status {status} instead of {check.expected_status}"


def _any_certificate() -> ssl.SSLContext:
    # Unverified: the instance is asked by its private address, and no certificate names that. The check is about the
    # answer's status; nothing is sent that an impostor could use.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
