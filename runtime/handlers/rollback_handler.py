"""rollback_handler: one round of the undo, or with no token left to answer, the freeze."""

from runtime.handlers.entry import step_handler
from runtime.logic.ports import Ports
from runtime.logic.steps.rollback import freeze, roll_back
from runtime.models.functions.steps import Rollback


@step_handler(Rollback)
def handler(step: Rollback, ports: Ports) -> None:
    if step.task_token is not None:
        roll_back(step, step.task_token, ports)
    else:
        freeze(step, ports)
