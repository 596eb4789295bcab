"""What a deployment tells its users: the outputs of the orchestration stack, read by the CLI."""

from pydantic import Field

from runtime.models.base import Payload


class Deployment(Payload):
    """Outputs of one stage's orchestration stack; the output keys are these names in PascalCase."""

    queue_url: str
    decisions_queue_url: str | None = Field(default=None, description="None: deployed by a release without one.")
    dead_letter_queue_url: str
    event_bus_name: str
    state_table_name: str
    state_machine_arn: str
    callback_secret_arn: str
    http_url: str | None = Field(default=None, description="None: the stage has no HTTP door.")


DEFAULT_BUS_RULES = ("mgn-events", "execution-failed", "sweep")
"""Our rules on the account's default bus."""


def function_role_name(stage: str, function: str, region: str) -> str:
    """IAM name of a function's role: targets trust it by this name, and IAM is global."""
    return f"migration-{stage}-{function}-{region}"


def rule_name(stage: str, rule: str) -> str:
    """Name of a rule on the account's default bus: the queue for what it could not deliver admits it by this name."""
    return f"migration-{stage}-{rule}"


def stack_name(stage: str, part: str) -> str:
    """CloudFormation name of one stack of a stage, for example MigrationDevOrchestration."""
    return f"Migration{stage.capitalize()}{part}"
