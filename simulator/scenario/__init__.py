"""A scenario as data: which servers exist, how long things take, what goes wrong."""

from simulator.scenario.files import load_scenario, parse_scenario, ready_scenarios
from simulator.scenario.scenario import REGION, CheckedFault, Scenario, ScenarioError
from simulator.scenario.servers import ServerSpec

__all__ = [
    "REGION",
    "CheckedFault",
    "Scenario",
    "ScenarioError",
    "ServerSpec",
    "load_scenario",
    "parse_scenario",
    "ready_scenarios",
]
