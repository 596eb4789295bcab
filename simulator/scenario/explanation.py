"""Tells a person what pydantic found wrong in a scenario or a fault."""

from typing import Any

from pydantic import ValidationError

_FAULT_KINDS = frozenset({"launch", "replication", "call", "events"})


def explain(error: ValidationError) -> str:
    """One line for each wrong field: where, the value found, what to write instead."""
    return "\n".join(_line(dict(each)) for each in error.errors())


def _line(problem: dict[str, Any]) -> str:
    where = ""
    for part in problem["loc"]:
        if part in _FAULT_KINDS:
            continue  # The tag pydantic adds for the kind of fault it chose is no field.
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if problem["type"] == "missing":
        return f"  {where}: missing; add it"
    advice = _ADVICE.get(problem["type"], str(problem["msg"]).removeprefix("Value error, "))
    text = f"{advice[0].lower()}{advice[1:]}"
    if not where:
        return f"  {text}"
    shown = repr(problem["input"])
    return f"  {where}: {shown if len(shown) <= 60 else f'{shown[:57]}...'}: {text}"


_ADVICE = {
    "extra_forbidden": "no such field; remove it or correct its spelling",
    "tuple_type": "a list belongs here",
    "dict_type": "a mapping belongs here",
    "model_type": "a mapping belongs here",
    "string_type": "text belongs here; put it in quotes",
    "union_tag_not_found": f"needs a kind: {', '.join(sorted(_FAULT_KINDS))}",
}
