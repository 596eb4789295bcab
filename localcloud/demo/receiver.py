"""A receiver of callbacks on this machine: keeps what it gets, as a customer's webhook would."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runtime.models.events import MigrationStatusChanged


class CallbackReceiver(ThreadingHTTPServer):
    """Callbacks by idempotency key, and how often each came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.callbacks: dict[str, MigrationStatusChanged] = {}
        self.deliveries = 0
        self.unsigned = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/callbacks"


class _Handler(BaseHTTPRequestHandler):
    server: CallbackReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.deliveries += 1
            self.server.unsigned += "X-Migration-Signature" not in self.headers
            key = self.headers["Idempotency-Key"]
            self.server.callbacks[key] = MigrationStatusChanged.model_validate(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the demo's own table shows what arrives."""


@contextmanager
def callback_receiver() -> Iterator[CallbackReceiver]:
    """A receiver for the duration of a block."""
    with CallbackReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, name="callback-receiver", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
