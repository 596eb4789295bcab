"""How a callback proves that we sent it: each receiver has a key of its own, derived from the stage's secret."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

SIGNATURE_HEADER = "X-Migration-Signature"
DEFAULT_PORTS = {"http": 80, "https": 443}


def receiver_of(url: str) -> str:
    """Scheme, host and port: whoever answers there is one receiver. Raises ValueError for what is no web address."""
    target = urlsplit(url)
    if target.scheme not in DEFAULT_PORTS or not target.hostname:
        raise ValueError("a receiver is named by its http or https URL")
    host = f"[{target.hostname}]" if ":" in target.hostname else target.hostname
    port = target.port or DEFAULT_PORTS[target.scheme]
    return f"{target.scheme}://{host}" + ("" if port == DEFAULT_PORTS[target.scheme] else f":{port}")


def receiver_key(secret: str, url: str) -> str:
    """The receiver's key: with it nobody finds the secret, nor the key of another receiver."""
    return _hmac(secret, f"callbacks to {receiver_of(url)}".encode())


def signature(keys: Iterable[str], at: datetime, body: bytes) -> str:
    """`t=<epoch second>,v1=<hex HMAC-SHA256 of "t.body">`, with one v1 for each key."""
    moment = int(at.timestamp())
    signed = f"{moment}.".encode() + body
    return ",".join([f"t={moment}", *(f"v1={_hmac(key, signed)}" for key in keys)])


def _hmac(key: str, text: bytes) -> str:
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
