"""Side effects through boto3: target instances, launch templates, events and objects outside this process."""

from simulator.effects.endpoints import Effects, endpoint_effects, inline_effects

__all__ = ["Effects", "endpoint_effects", "inline_effects"]
