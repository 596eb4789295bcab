"""The control face: look at everything, move time, break things, start over."""

import json
from collections.abc import Mapping
from typing import Any

from simulator.engine import Simulator
from simulator.scenario import ScenarioError

_KNOWN = (
    "GET health", "GET state", "GET log", "POST advance", "GET fault", "POST fault", "DELETE fault", "POST reset",
)  # fmt: skip


def control(
    simulator: Simulator, method: str, name: str, query: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, Any]]:
    """Answer a control request: HTTP status and JSON-ready data."""
    try:
        given = json.loads(body) if body else {}
        if not isinstance(given, dict):
            raise ValueError("the body is a JSON object")
        return _perform(simulator, f"{method} {name}", query, given)
    except ScenarioError as error:
        return 400, {"message": str(error)}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        return 400, {"message": f"cannot use this request: {error}"}


def _perform(
    simulator: Simulator, request: str, query: Mapping[str, str], given: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    match request:
        case "GET health":
            return 200, {"status": "ok", "scenario": simulator.scenario.name, "servers": len(simulator.account.servers)}
        case "GET state":
            return 200, simulator.state()
        case "GET log":
            limit = int(query["limit"]) if "limit" in query else None
            entries = simulator.log(since=int(query.get("since", "0")), kind=query.get("kind", ""), limit=limit)
            return 200, {"entries": entries}
        case "POST advance":
            if given.get("to") == "next":
                simulator.advance_to_next()
            else:
                simulator.advance(float(given["seconds"]))
            return 200, {"seconds": simulator.clock.now()}
        case "GET fault":
            return 200, {"faults": simulator.faults()}
        case "POST fault":
            return 200, {"fault": simulator.inject(given).model_dump(mode="json")}
        case "DELETE fault":
            simulator.clear_faults()
            return 200, {}
        case "POST reset":
            simulator.reset()
            return 200, {"seconds": simulator.clock.now()}
    return 404, {
        "message": f"no control request {request!r}",
        "known": list(_KNOWN),
    }
