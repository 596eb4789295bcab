"""Under AUTH, a file tells what IAM was asked and what it decided: one line of JSON for each question, once.

`make permissions` holds it against what the tests saw.
"""

import json
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings


def apply(settings: EngineSettings) -> None:
    if not settings.auth or not settings.decisions_file:
        return
    evaluate = pinned(iam_evaluator, "evaluate", "2a5dd6932d1a")
    file = Path(settings.decisions_file)
    told: set[str] = set()

    def evaluate_and_tell(asked: Any, policies: Any, *limits: Any) -> Any:
        result = evaluate(asked, policies, *limits)
        line = json.dumps(
            {
                "principal": asked.principal_arn,
                "action": asked.action,
                "resource": asked.resource_arn,
                "decision": result.decision,
            }
        )
        if line not in told:
            told.add(line)
            with file.open("a") as lines:
                lines.write(f"{line}\n")
        return result

    iam_evaluator.evaluate = evaluate_and_tell
