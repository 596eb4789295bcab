"""boto3 clients for tests inside `mock_aws`, each made once: EC2's alone takes half a second."""

from functools import cache
from typing import Any

import boto3
import moto.core.botocore_stubber  # noqa: F401 - clients made before moto is imported would reach for real AWS

from simulator.effects.compute import BotoCompute
from simulator.effects.lanes import InlineLanes
from simulator.engine import Simulator
from simulator.scenario import Scenario


@cache
def aws(name: Any) -> Any:
    """The shared client of a service."""
    return boto3.client(name, region_name="us-east-1")


def simulator_on_moto(scenario: Scenario) -> Simulator:
    """A simulator whose launch templates and instances are moto's; inside `mock_aws`."""
    return Simulator(scenario, compute=lambda _: BotoCompute(aws("ec2"), InlineLanes()))
