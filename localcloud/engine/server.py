"""Serves the engine on the loopback interface and leaves no worker process behind.

Not on hypercorn, the engine's own server, which takes more time for a request than most answers do.
"""

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from ministack import app as gateway
from ministack.core import lambda_runtime

from localcloud.engine.settings import EngineSettings


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Ours end the process at once.
        yield


def serve(settings: EngineSettings, own_folder: str | None) -> None:
    """Serve until SIGTERM or SIGINT, then remove the folder."""
    _raise_file_limit()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(own_folder))
    config = uvicorn.Config(
        gateway.app,
        host="127.0.0.1",
        port=settings.port,
        http="httptools",
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )
    _Server(config).run()


def _end(own_folder: str | None) -> None:
    """End at once with every worker: there is no state to save, and a worker may be starting this moment."""
    if own_folder is not None:
        shutil.rmtree(own_folder, ignore_errors=True)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    lambda_runtime.reset()
    os._exit(0)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
