"""Where simulated time comes from."""

import time
from datetime import UTC, datetime
from typing import Protocol

DEFAULT_START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC).timestamp()


class Clock(Protocol):
    """Simulated time in seconds since 1970, never going back."""

    def now(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


class SteppedClock:
    """Stands still until somebody advances it: the clock of tests and of simulations faster than life."""

    def __init__(self, start: float = DEFAULT_START) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` of simulated time."""
        if seconds < 0:
            raise ValueError("simulated time cannot go back")
        self._now += seconds


class ScaledClock:
    """Runs by itself, `scale` simulated seconds for each real one, from the real time at its creation."""

    def __init__(self, scale: float = 1.0, start: float | None = None) -> None:
        if scale <= 0:
            raise ValueError("the time scale must be above zero")
        self.scale = scale
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        return self._start + (time.monotonic() - self._origin) * self.scale

    def advance(self, seconds: float) -> None:
        """Jump ahead by `seconds` of simulated time; the clock keeps running from there."""
        if seconds < 0:
            raise ValueError("simulated time cannot go back")
        self._start += seconds
