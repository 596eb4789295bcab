"""finalize_cutover: the point of no return."""

from runtime.handlers.entry import step_handler
from runtime.logic.ports import Ports
from runtime.logic.steps.finalize_cutover import finalize
from runtime.models.functions.steps import FinalizeCutover


@step_handler(FinalizeCutover)
def handler(step: FinalizeCutover, ports: Ports) -> None:
    finalize(step, ports)
