"""Simulated time that moves when told to."""

from simulator.clock.clock import DEFAULT_START, require_possible_jump


class SteppedClock:
    """Stands still until somebody advances it: the clock of tests and of simulations faster than life."""

    def __init__(self, start: float = DEFAULT_START) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` of simulated time."""
        require_possible_jump(self._now, seconds)
        self._now += seconds
