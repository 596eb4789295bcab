"""validate_input: claims a migration for its execution and checks it against live state."""

from runtime.handlers.entry import step_handler
from runtime.logic.ports import Ports
from runtime.logic.steps.validate_input import validate
from runtime.models.functions.steps import Plan, ValidateInput


@step_handler(ValidateInput)
def handler(step: ValidateInput, ports: Ports) -> Plan:
    return validate(step, ports)
