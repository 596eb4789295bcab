"""Serves the engine on the loopback interface and leaves no worker process behind."""

import asyncio
import logging
import os
import resource
import signal

from hypercorn.asyncio import serve as serve_asgi  # type: ignore[import-not-found]
from hypercorn.config import Config  # type: ignore[import-not-found]
from ministack import app as gateway
from ministack.core import lambda_runtime

from localcloud.engine.settings import EngineSettings

_HEALTH_PATH = "/_ministack/health"


def serve(settings: EngineSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    _raise_file_limit()
    logging.getLogger("hypercorn.access").addFilter(lambda record: _HEALTH_PATH not in record.getMessage())
    asyncio.run(_serve(settings.port))


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2
    config.loglevel = "WARNING"
    server = asyncio.create_task(serve_asgi(gateway.app, config, shutdown_trigger=stop.wait))
    await asyncio.wait([server, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    failure = server.exception() if server.done() else None
    lambda_runtime.reset()
    if failure is not None:
        raise failure
    # Executions asleep in a Wait state hold threads that interpreter shutdown would join.
    os._exit(0)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
