"""verify_migration: waits for the boot of this job's instance, then runs the application checks."""

from runtime.handlers.entry import step_handler
from runtime.logic.ports import Ports
from runtime.logic.steps.verify_migration import await_boot, check_instance
from runtime.models.functions.steps import VerifyMigration


@step_handler(VerifyMigration)
def handler(step: VerifyMigration, ports: Ports) -> None:
    if step.task_token is not None:
        await_boot(step, step.task_token, ports)
    else:
        check_instance(step, ports)
