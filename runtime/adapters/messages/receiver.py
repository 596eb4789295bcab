"""Callback receivers behind the Receiver port."""

import ssl
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from urllib.parse import SplitResult, urlsplit

from runtime.adapters.messages.addresses import checked_address
from runtime.adapters.messages.signatures import DEFAULT_PORTS, SIGNATURE_HEADER, receiver_key, signature
from runtime.adapters.web import Deadline, NoAnswerError, Peer, Request, status_of_answer
from runtime.errors import CallbackDeliveryError

TRIES = 3
FIRST_PAUSE = 0.2
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpReceiver:
    """POSTs signed bodies. Says of a URL its scheme and host only: path and query may be a secret of the receiver."""

    def __init__(
        self,
        secrets: Sequence[str],
        now: Callable[[], datetime],
        *,
        allows_private_addresses: bool = False,
        timeout_seconds: float = 5.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`secrets` are the stage's, the current one first.

        `timeout_seconds` are those of a whole delivery, every try of it included.
        """
        self._secrets = secrets
        self._now = now
        self._allows_private = allows_private_addresses
        self._timeout_seconds = timeout_seconds
        self._pause = pause

    def deliver(self, url: str, body: str, key: str) -> None:
        deadline = Deadline(self._timeout_seconds)
        target = self._parsed(url)
        peer = self._peer(target, deadline)
        content = body.encode()
        keys = [receiver_key(secret, url) for secret in self._secrets]
        request = Request(
            method="POST",
            target=f"{target.path or '/'}?{target.query}" if target.query else target.path or "/",
            body=content,
            headers={
                "Host": target.netloc,
                "Content-Type": "application/json",
                "Idempotency-Key": key,
                SIGNATURE_HEADER: signature(keys, self._now(), content),
            },
        )
        seen = "nothing"
        for attempt in range(TRIES):
            if attempt:
                self._pause(FIRST_PAUSE * 2 ** (attempt - 1))
            seen, try_again = _attempt(peer, request, deadline)
            if not seen:
                return
            if not try_again or deadline.is_over:
                break
        raise CallbackDeliveryError(f"{target.scheme}://{target.hostname} did not take the callback: {seen}")

    def _parsed(self, url: str) -> SplitResult:
        try:
            target = urlsplit(url)
            clean = url.isascii() and url.isprintable()
            usable = clean and target.port != 0 and bool(target.hostname) and target.username is None
        except ValueError:
            raise CallbackDeliveryError("the callback URL is no URL") from None
        schemes = ("http", "https") if self._allows_private else ("https",)
        if not usable or target.scheme not in schemes:
            raise CallbackDeliveryError(
                f"the callback URL must be {' or '.join(schemes)} with a host and no credentials"
            )
        return target

    def _peer(self, target: SplitResult, deadline: Deadline) -> Peer:
        port = target.port or DEFAULT_PORTS[target.scheme]
        address = checked_address(target.hostname or "", port, deadline, allows_private=self._allows_private)
        # The connection goes to the checked address, the certificate must be the host's.
        tls = self._tls if target.scheme == "https" else None
        return Peer(address=address, port=port, tls=tls, name=target.hostname)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def _attempt(peer: Peer, request: Request, deadline: Deadline) -> tuple[str, bool]:
    """What went wrong, empty for nothing, and whether another try may help."""
    try:
        status = status_of_answer(peer, request, deadline)
    except NoAnswerError as error:
        return str(error), True
    return ("" if 200 <= status < 300 else f"status {status}"), status in TRY_AGAIN
