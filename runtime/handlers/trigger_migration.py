"""trigger_migration: asks the dispatcher for a test or cutover launch and parks until MGN tells its result."""

from runtime.handlers.entry import step_handler
from runtime.logic.ports import Ports
from runtime.logic.steps.trigger_migration import trigger
from runtime.models.functions.steps import TriggerMigration


@step_handler(TriggerMigration)
def handler(step: TriggerMigration, ports: Ports) -> None:
    trigger(step, ports)
