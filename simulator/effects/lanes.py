"""Where outside work runs: at once, or on worker threads that keep the order of each server's work."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from zlib import crc32

logger = logging.getLogger("simulator.effects")


class Lanes(Protocol):
    """Runs work; work submitted under one key runs in order."""

    def submit(self, key: str, work: Callable[[], None]) -> None: ...

    def close(self) -> None: ...


class InlineLanes:
    """Runs work at once in the calling thread: for moto and for tests."""

    def submit(self, key: str, work: Callable[[], None]) -> None:
        _guarded(work)

    def close(self) -> None:
        return None


class ThreadLanes:
    """Single worker threads, chosen by key, so that the caller never waits."""

    def __init__(self, count: int = 4) -> None:
        self._lanes = [ThreadPoolExecutor(1, thread_name_prefix=f"effects-{number}") for number in range(count)]

    def submit(self, key: str, work: Callable[[], None]) -> None:
        lane = self._lanes[crc32(key.encode()) % len(self._lanes)]
        lane.submit(_guarded, work)

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        for lane in self._lanes:
            lane.shutdown(wait=True, cancel_futures=True)


def _guarded(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:
        # One failed side effect must not stop the lane; those that matter report through their callback.
        logger.warning("side effect failed: %s: %s", type(error).__name__, error)
