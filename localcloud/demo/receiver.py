"""A receiver of callbacks on this machine: keeps what it gets, as a customer's webhook would."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runtime.adapters.messages.signatures import SIGNATURE_HEADER, receiver_key
from runtime.models.events import MigrationStatusChanged

MAX_AGE = 300.0


class CallbackReceiver(ThreadingHTTPServer):
    """Callbacks by idempotency key, and how often each came."""

    daemon_threads = True

    def __init__(self, secret: str) -> None:
        """`secret` is the stage's; a receiver on other machines is told its key."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = receiver_key(secret, self.url)
        self.callbacks: dict[str, MigrationStatusChanged] = {}
        self.deliveries = 0
        self.forged = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/callbacks"


class _Handler(BaseHTTPRequestHandler):
    server: CallbackReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = is_genuine(self.server.key, self.headers.get(SIGNATURE_HEADER, ""), body)
        with self.server.lock:
            self.server.deliveries += 1
            self.server.forged += not genuine
            key = self.headers["Idempotency-Key"]
            if genuine:
                self.server.callbacks[key] = MigrationStatusChanged.model_validate(json.loads(body))
        self.send_response(204 if genuine else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the demo's own table shows what arrives."""


def is_genuine(key: str, header: str, body: bytes) -> bool:
    """Whether one of the signatures in X-Migration-Signature fits the raw body and is fresh."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    sent_at = dict(parts).get("t", "")
    if not (sent_at.isascii() and sent_at.isdigit()) or abs(time.time() - int(sent_at)) > MAX_AGE:
        return False
    expected = hmac.new(key.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(expected.encode(), sent.encode()) for name, sent in parts if name == "v1")


@contextmanager
def callback_receiver(secret: str) -> Iterator[CallbackReceiver]:
    """A receiver for the duration of a block."""
    with CallbackReceiver(secret) as server:
        thread = threading.Thread(target=server.serve_forever, name="callback-receiver", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
