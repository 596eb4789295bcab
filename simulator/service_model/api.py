"""What the service model says of the API: operations with their routes, and errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from simulator.service_model.shapes import Check, Shaper

NOT_SIMULATED_PREFIX = "/network-migration/"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a member travels when it is not in the body."""

    member: str
    place: str
    name: str
    convert: Callable[[list[str]], Any]


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation of the service model."""

    name: str
    method: str
    path: str
    status: int
    errors: frozenset[str]
    locations: tuple[Location, ...]
    has_body: bool
    check: Check
    shape: Shaper
    reads: bool


@dataclass(frozen=True, slots=True)
class ApiError:
    """One modelled error: HTTP status, body members, header members."""

    status: int
    members: frozenset[str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """All operations and errors, with the routes to reach them."""

    operations: Mapping[str, ApiOperation]
    errors: Mapping[str, ApiError]
    fixed_routes: Mapping[tuple[str, str], ApiOperation]
    open_routes: tuple[tuple[str, str, ApiOperation], ...]

    def no_operation(self, name: str) -> ValueError:
        """What to raise for a name, or a pattern of names, that fits no operation."""
        close = get_close_matches(name, self.operations)
        meant = f": did you mean {' or '.join(close)}?" if close else ""
        return ValueError(f"the API has no operation {name!r}{meant}")

    def route(self, method: str, raw_path: str) -> tuple[ApiOperation, str] | None:
        """The operation at an undecoded path, with the one path segment it may carry."""
        found = self.fixed_routes.get((method, raw_path))
        if found is not None:
            return found, ""
        for verb, prefix, operation in self.open_routes:
            rest = raw_path[len(prefix) :]
            if verb == method and raw_path.startswith(prefix) and rest and "/" not in rest:
                return operation, rest
        return None
