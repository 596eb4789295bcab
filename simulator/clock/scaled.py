"""Simulated time that runs by itself, from the machine's own clock."""

import time

from simulator.clock.clock import LATEST, require_possible_jump

FASTEST = 86_400  # simulated seconds for each real one; beyond, hourly work of thousands of servers cannot keep up


class ScaledClock:
    """Runs by itself, `scale` simulated seconds for each real one, from the real time at its creation."""

    def __init__(self, scale: float = 1.0, start: float | None = None) -> None:
        if not 0 < scale <= FASTEST:
            raise ValueError(f"{scale}: the time scale is above zero and at most {FASTEST}")
        self.scale = scale
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        return min(LATEST, self._start + (time.monotonic() - self._origin) * self.scale)

    def advance(self, seconds: float) -> None:
        """Jump ahead by `seconds` of simulated time; the clock keeps running from there."""
        require_possible_jump(self.now(), seconds)
        self._start += seconds
