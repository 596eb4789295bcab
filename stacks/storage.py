"""The state of a stage."""

from aws_cdk import Stack
from constructs import Construct

from migration_constructs import EncryptionKey, MgnClaim, StateTable, TokenTable
from runtime.models.deployment import stack_name
from stacks.settings import StageSettings


class StorageStack(Stack):
    """The state table, with the locks, and the claim that they are the only ones here; the table of task tokens."""

    def __init__(self, scope: Construct, *, settings: StageSettings, encryption: EncryptionKey) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, "Storage"),
            env=settings.home,
            termination_protection=settings.keeps_stacks,
        )
        key = encryption.key_in(self)
        self.state = StateTable(
            self,
            "State",
            key=key,
            removal_policy=settings.removal,
            deletion_protection=settings.deletion_protection,
        )
        self.tokens = TokenTable(self, "Tokens", key=key, removal_policy=settings.removal)
        if not settings.shares_mgn:
            # First, because a protected table could not be taken back when the claim fails.
            self.state.node.add_dependency(MgnClaim(self, "Claim", stage=settings.stage))
