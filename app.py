"""The CDK app: one stage, five stacks, and one more for each target."""

import os

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.access import AccessStack
from stacks.encryption import EncryptionStack
from stacks.messaging import MessagingStack
from stacks.orchestration import OrchestrationStack
from stacks.settings import StageSettings
from stacks.storage import StorageStack
from stacks.target_access import TargetAccessStack


def build(app: App) -> App:
    """Add the stacks of the stage named by `-c stage=…`."""
    settings = StageSettings.from_context(app.node)
    settings.check_account(os.environ.get("CDK_DEFAULT_ACCOUNT"))
    encryption = EncryptionStack(app, settings=settings).encryption
    storage = StorageStack(app, settings=settings, encryption=encryption)
    messaging = MessagingStack(app, settings=settings, encryption=encryption)
    orchestration = OrchestrationStack(
        app, settings=settings, encryption=encryption, storage=storage, messaging=messaging
    )
    AccessStack(
        app,
        settings=settings,
        encryption=encryption,
        state=storage.state,
        messaging=messaging,
        http=orchestration.http,
    )
    if targets := settings.targets:
        for place in targets.places:
            TargetAccessStack(app, settings=settings, targets=targets, place=place)
    Tags.of(app).add("application", "migration-orchestrator")
    Tags.of(app).add("stage", settings.stage)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


if __name__ == "__main__":
    build(App()).synth()
