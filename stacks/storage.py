"""The state of a stage."""

from aws_cdk import Stack
from constructs import Construct

from migration_constructs import EncryptionKey, StateTable
from runtime.models.deployment import stack_name
from stacks.settings import StageSettings


class StorageStack(Stack):
    """The state table."""

    def __init__(self, scope: Construct, *, settings: StageSettings, encryption: EncryptionKey) -> None:
        super().__init__(scope, stack_name(settings.stage, "Storage"), termination_protection=settings.keeps_stacks)
        key = encryption.key_in(self)
        self.state = StateTable(
            self,
            "State",
            key=key,
            removal_policy=settings.removal,
            deletion_protection=settings.deletion_protection,
        )
