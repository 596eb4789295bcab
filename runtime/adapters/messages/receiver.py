"""Callback receivers behind the Receiver port."""

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

import urllib3

from runtime.adapters.messages.addresses import checked_address
from runtime.errors import CallbackDeliveryError

TRIES = 3
FIRST_PAUSE = 0.2
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
DEFAULT_PORTS = {"http": 80, "https": 443}
SIGNATURE_HEADER = "X-Migration-Signature"


class HttpReceiver:
    """POSTs signed bodies. Says of a URL its scheme and host only: path and query may be a secret of the receiver."""

    def __init__(
        self,
        secret: Callable[[], str],
        now: Callable[[], datetime],
        *,
        allows_private_addresses: bool = False,
        timeout_seconds: float = 5.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._secret = secret
        self._now = now
        self._allows_private = allows_private_addresses
        self._timeout = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._pause = pause

    def deliver(self, url: str, body: str, key: str) -> None:
        target = self._parsed(url)
        address = checked_address(target.hostname or "", _port(target), allows_private=self._allows_private)
        content = body.encode()
        headers = {
            "Host": target.netloc,
            "Content-Type": "application/json",
            "User-Agent": "mgn-migration-orchestrator",
            "Idempotency-Key": key,
            SIGNATURE_HEADER: signature(self._secret(), self._now(), content),
        }
        seen = "nothing"
        for attempt in range(TRIES):
            if attempt:
                self._pause(FIRST_PAUSE * 2 ** (attempt - 1))
            seen, try_again = self._attempt(target, address, content, headers)
            if not seen:
                return
            if not try_again:
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

    def _attempt(self, target: SplitResult, address: str, content: bytes, headers: dict[str, str]) -> tuple[str, bool]:
        """What went wrong, empty for nothing, and whether another try may help."""
        try:
            with _connections(target, address) as connections:
                # urllib3's own retries would read refused answers to their end, however long; and a redirect could
                # lead to an address nobody checked.
                response = connections.urlopen(
                    "POST",
                    f"{target.path or '/'}?{target.query}" if target.query else target.path or "/",
                    body=content,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    timeout=self._timeout,
                )
                status = response.status
                response.close()
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__, True
        return ("" if 200 <= status < 300 else f"status {status}"), status in TRY_AGAIN


def _connections(target: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(address, _port(target))
    # The connection goes to the checked address, the certificate must be the host's.
    return urllib3.HTTPSConnectionPool(
        address,
        _port(target),
        cert_reqs="CERT_REQUIRED",
        server_hostname=target.hostname,
        assert_hostname=target.hostname,
    )


def _port(target: SplitResult) -> int:
    return target.port or DEFAULT_PORTS[target.scheme]


def signature(secret: str, at: datetime, body: bytes) -> str:
    """`t=<epoch second>,v1=<hex HMAC-SHA256 of "t.body">`; the receiver computes the same and compares."""
    moment = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
