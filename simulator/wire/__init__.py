"""From an HTTP request to an answer: routing, validation, dispatch, shaping, errors (docs/mgn.md#wire)."""

from simulator.wire.response import Response
from simulator.wire.wire import Wire

__all__ = ["Response", "Wire"]
