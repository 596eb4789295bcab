"""Compiles botocore's own service model on disk."""

from collections.abc import Callable, Mapping
from functools import cache
from re import fullmatch
from typing import Any

import botocore.session

from simulator.service_model.api import NOT_SIMULATED_PREFIX, ApiError, ApiOperation, Location, ServiceModel
from simulator.service_model.shapes import Shapes, compile_check, compile_shaper


@cache
def load_service_model() -> ServiceModel:
    """Compile the installed model once per process."""
    model: Mapping[str, Any] = (
        botocore.session.get_session().get_component("data_loader").load_service_model("mgn", "service-2")
    )
    shapes: Shapes = model["shapes"]
    operations = {name: _operation(name, raw, shapes) for name, raw in model["operations"].items()}
    classic = [each for each in operations.values() if not each.path.startswith(NOT_SIMULATED_PREFIX)]
    return ServiceModel(
        operations=operations,
        errors={name: _error(shape) for name, shape in shapes.items() if shape.get("exception")},
        fixed_routes={(each.method, each.path): each for each in classic if "{" not in each.path},
        open_routes=tuple((each.method, each.path.partition("{")[0], each) for each in classic if "{" in each.path),
    )


def _operation(name: str, raw: Mapping[str, Any], shapes: Shapes) -> ApiOperation:
    input_name = raw.get("input", {}).get("shape", "")
    members = shapes[input_name]["members"] if input_name else {}
    return ApiOperation(
        name=name,
        method=raw["http"]["method"],
        path=raw["http"]["requestUri"],
        status=raw["http"].get("responseCode", 200),
        errors=frozenset(each["shape"] for each in raw.get("errors", ())),
        locations=tuple(
            _location(member, reference, shapes) for member, reference in members.items() if "location" in reference
        ),
        has_body=any("location" not in reference for reference in members.values()),
        check=compile_check(shapes, input_name) if input_name else _accept,
        shape=compile_shaper(shapes, raw["output"]["shape"]) if "output" in raw else _nothing,
        reads=name.startswith(("Describe", "Get", "List")),
    )


def _location(member: str, reference: Mapping[str, Any], shapes: Shapes) -> Location:
    kind = shapes[reference["shape"]]["type"]
    convert: Callable[[list[str]], Any] = _first
    if kind == "list":
        convert = list
    elif kind in ("integer", "long"):
        convert = _number
    return Location(member, reference["location"], reference.get("locationName", member), convert)


def _first(values: list[str]) -> str:
    return values[0]


def _number(values: list[str]) -> int | str:
    return int(values[0]) if fullmatch("-?[0-9]{1,18}", values[0]) else values[0]


def _error(shape: Mapping[str, Any]) -> ApiError:
    members = shape["members"]
    headers = {
        name: reference["locationName"] for name, reference in members.items() if reference.get("location") == "header"
    }
    return ApiError(shape["error"]["httpStatusCode"], frozenset(members) - headers.keys(), headers)


def _accept(value: Any, path: str, problems: dict[str, str]) -> None:
    return None


def _nothing(value: Any) -> Any:
    return {}
