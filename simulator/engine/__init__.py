"""One account on a clock, safe to use from several threads, with its log and its state to look at."""

from simulator.engine.simulator import Simulator

__all__ = ["Simulator"]
