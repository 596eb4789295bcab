"""prepare_source: waits until the source server is launchable, then applies one phase's launch settings."""

from runtime.handlers.entry import step_handler
from runtime.logic.ports import Ports
from runtime.logic.steps.prepare_source import await_replication, prepare_launch
from runtime.models.functions.steps import PrepareSource


@step_handler(PrepareSource)
def handler(step: PrepareSource, ports: Ports) -> None:
    if step.task_token is not None:
        await_replication(step, step.task_token, ports)
    elif step.phase is not None:
        prepare_launch(step, step.phase, ports)
