"""Where simulated time comes from: a clock that stands until it is told to move, or one that runs by itself."""

from simulator.clock.clock import DEFAULT_START, LATEST, LONGEST_JUMP, Clock
from simulator.clock.scaled import FASTEST, ScaledClock
from simulator.clock.stepped import SteppedClock

__all__ = ["DEFAULT_START", "FASTEST", "LATEST", "LONGEST_JUMP", "Clock", "ScaledClock", "SteppedClock"]
