"""A simulator of AWS Application Migration Service (MGN) that a stock boto3 client cannot easily tell from the real one."""

from simulator.engine import Simulator
from simulator.scenario import Scenario, load_scenario

__all__ = ["Scenario", "Simulator", "load_scenario"]
