"""Serves the engine on the loopback interface and leaves no worker process behind."""

import asyncio
import logging
import os
import resource
import shutil
import signal

from hypercorn.asyncio import serve as serve_asgi  # type: ignore[import-not-found]
from hypercorn.config import Config  # type: ignore[import-not-found]
from ministack import app as gateway
from ministack.core import lambda_runtime

from localcloud.engine.settings import EngineSettings

_HEALTH_PATH = "/_ministack/health"


def serve(settings: EngineSettings, own_folder: str | None) -> None:
    """Serve until SIGTERM or SIGINT, then remove the folder."""
    _raise_file_limit()
    logging.getLogger("hypercorn.access").addFilter(lambda record: _HEALTH_PATH not in record.getMessage())
    asyncio.run(_serve(settings.port, own_folder))


async def _serve(port: int, own_folder: str | None) -> None:
    # Not through the event loop, which may be busy for seconds.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(own_folder))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    await serve_asgi(gateway.app, config, shutdown_trigger=asyncio.Event().wait)


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
