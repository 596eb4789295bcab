"""JSONata for moto's interpreter, whose evaluator is missing."""

import json
import re
from typing import Any

import jsonata
from ministack.services import stepfunctions
from moto.stepfunctions.parser.asl.component.intrinsic import jsonata as moto_functions
from moto.stepfunctions.parser.asl.eval import states, variable_store
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata

from localcloud.engine.pins import install, pinned

_OWN_FUNCTIONS = ("$partition", "$range", "$hash", "$uuid", "$parse")


def complete_expressions() -> None:
    """Let moto evaluate expressions with the engine's JSONata and Step Functions' own functions."""
    pinned(moto_jsonata, "eval_jsonata_expression", "696d324549c4")
    pinned(moto_jsonata, "encode_jsonata_variable_declarations", "c33b311faa45")
    install(moto_jsonata, "_eval_jsonata", evaluate)
    for name in _OWN_FUNCTIONS:
        moto_functions._DECLARATION_BY_VARIABLE_REFERENCE.pop(name, None)
    for module in (moto_jsonata, states, variable_store):
        install(module, "encode_jsonata_variable_declarations", declarations)


def evaluate(expression: str) -> Any:
    """The value of an expression that carries its variables as declarations."""
    try:
        parsed = jsonata.Jsonata.jsonata(expression, timeout=1000)
        stepfunctions._register_sfn_jsonata_functions(parsed)
        return _plain(parsed.evaluate(None))
    except Exception as failure:
        raise moto_jsonata.JSONataException("UNKNOWN", str(failure)) from failure


def declarations(bindings: dict[str, Any]) -> str:
    """Variables as the head of an expression; moto leaves the quotes inside strings as they are."""
    return "".join(f"{name}:={_literal(value)};" for name, value in bindings.items())


def _literal(value: Any) -> str:
    # JSONata reads the same escapes as JSON, but of Unicode only \uXXXX.
    return re.sub(r"(?<=[{,])\s+", "", json.dumps(value, default=str))


def _plain(value: Any) -> Any:
    """The engine's JSONata marks its lists and turns integers into floats."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
