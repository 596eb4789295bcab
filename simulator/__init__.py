"""A simulator of AWS Application Migration Service (MGN) for stock boto3 clients."""

from simulator.engine import Simulator
from simulator.model.forms.errors import MgnError
from simulator.scenario import Scenario, load_scenario

__all__ = ["MgnError", "Scenario", "Simulator", "load_scenario"]
