"""What the local engine decided in `make demo AUTH=1`: a second opinion, on other calls than the tests make."""

import json
from pathlib import Path

from runtime.models.functions.catalogue import FUNCTIONS
from tests.unit.infrastructure.synthesis import ROOT

FILE = ROOT / "out" / "demo" / "cloud" / "decisions.jsonl"


def decided(file: Path = FILE) -> dict[tuple[str, str], bool]:
    """Function and action, and whether every call of it was allowed; nothing without a demo."""
    questions: dict[tuple[str, str, str], bool] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        told = json.loads(line)
        if function := _function(told["principal"]):
            asked = (function, told["action"], told["resource"])
            # The role's policies and the resource's own are asked one after the other: one of them has to allow it.
            questions[asked] = questions.get(asked, False) or told["decision"] == "Allow"
    answers: dict[tuple[str, str], bool] = {}
    for (function, action, _), is_allowed in questions.items():
        answers[function, action] = answers.get((function, action), True) and is_allowed
    return answers


def _function(principal: str) -> str | None:
    """The function whose role, at home or in a target, this is a session of."""
    flat = principal.replace("_", "").replace("-", "").casefold()
    return next((f.name for f in FUNCTIONS if f.name.replace("_", "") in flat), None)
