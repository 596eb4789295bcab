"""The part of CloudWatch metric math that alarms use: arithmetic, comparison, IF, FILL, MIN, MAX, SUM, AVG."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

Series = list[float | None]

_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "MIN": min,
    "MAX": max,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


class UnsupportedExpressionError(ValueError):
    """An expression outside the part implemented here."""


def series_of_expression(metrics: list[dict[str, Any]], read: Callable[[dict[str, Any]], Series]) -> Series | None:
    """The series the alarm watches, latest first, or None when its expression is not supported."""
    series: dict[str, Series] = {query["Id"]: read(query["MetricStat"]) for query in metrics if query.get("MetricStat")}
    expressions = {query["Id"]: query["Expression"] for query in metrics if query.get("Expression")}
    watched = next(query["Id"] for query in metrics if str(query.get("ReturnData", True)).lower() == "true")
    length = max((len(values) for values in series.values()), default=0)
    try:
        return [_value_at(position, watched, series, expressions) for position in range(length)]
    except (UnsupportedExpressionError, SyntaxError, KeyError):
        return None


def _value_at(position: int, id_: str, series: Mapping[str, Series], expressions: Mapping[str, str]) -> float | None:
    if id_ in series:
        return series[id_][position]
    source = expressions[id_].replace("&&", " and ").replace("||", " or ")
    expression = ast.parse(source, mode="eval").body
    try:
        return _evaluate(expression, lambda name: _value_at(position, name, series, expressions))
    except ZeroDivisionError:
        return None


def _evaluate(node: ast.AST, value_of: Callable[[str], float | None]) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return value_of(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _applied(operator.sub, 0, _evaluate(operand, value_of))
        case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
            if type(sign) in _OPERATORS:
                return _applied(_OPERATORS[type(sign)], _evaluate(left, value_of), _evaluate(right, value_of))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, [_evaluate(argument, value_of) for argument in arguments])
    raise UnsupportedExpressionError(ast.dump(node))


def _called(name: str, values: Series) -> float | None:
    known = [value for value in values if value is not None]
    match name, values:
        case "IF", [condition, then, otherwise]:
            return then if condition else otherwise
        case "IF", [condition, then]:
            return then if condition else None
        case "FILL", [value, filler]:
            return filler if value is None else value
        case (("MIN" | "MAX" | "SUM" | "AVG"), _):
            return _AGGREGATES[name](known) if known else None
    raise UnsupportedExpressionError(name)


def _applied(function: Callable[[float, float], float], left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else float(function(left, right))
