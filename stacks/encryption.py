"""The key of a stage."""

from aws_cdk import Stack
from constructs import Construct

from migration_constructs import EncryptionKey
from runtime.models.deployment import stack_name
from stacks.settings import StageSettings


class EncryptionStack(Stack):
    """One KMS key for everything the stage stores."""

    def __init__(self, scope: Construct, *, settings: StageSettings) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, "Encryption"),
            env=settings.home,
            termination_protection=settings.keeps_stacks,
        )
        self.encryption = EncryptionKey(
            self, "Encryption", alias=f"alias/migration-{settings.stage}", removal_policy=settings.removal
        )
