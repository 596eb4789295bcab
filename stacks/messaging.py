"""How messages come in and go out."""

from aws_cdk import Aws, CfnResource, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as event_targets
from constructs import Construct

from migration_constructs import FROM_OTHERS, EncryptedQueue, EncryptionKey, MigrationBus, duration
from runtime.models.deployment import stack_name
from runtime.models.events import REQUEST_DETAIL_TYPE, SOURCE, MigrationStatusChanged
from runtime.models.functions.catalogue import CALLBACK_HANDLER, DISPATCH_LAUNCHES
from stacks.settings import StageSettings, TargetSettings


class MessagingStack(Stack):
    """The bus and the queues of requests, callbacks and wakes."""

    def __init__(self, scope: Construct, *, settings: StageSettings, encryption: EncryptionKey) -> None:
        super().__init__(scope, stack_name(settings.stage, "Messaging"))
        key = encryption.key_in(self)
        ingress_timeout = Duration.seconds(settings.ingress.timeout_seconds)
        self.bus = MigrationBus(self, "Events", key=key, removal_policy=settings.removal)
        self.requests = EncryptedQueue(
            self, "Requests", key=key, consumer_timeout=ingress_timeout, removal_policy=settings.removal
        )
        self.callbacks = EncryptedQueue(
            self,
            "Callbacks",
            key=key,
            consumer_timeout=duration(CALLBACK_HANDLER.timeout),
            removal_policy=settings.removal,
        )
        self.wakes = EncryptedQueue(
            self,
            "Wakes",
            key=key,
            consumer_timeout=duration(DISPATCH_LAUNCHES.timeout),
            removal_policy=settings.removal,
        )
        # Requests arrive on the queue as producers send them, callbacks as events.
        detail = events.RuleTargetInput.from_event_path("$.detail")
        self._forward("RequestRule", FROM_OTHERS, REQUEST_DETAIL_TYPE, self.requests, detail)
        self._forward("CallbackRule", [SOURCE], MigrationStatusChanged.detail_type, self.callbacks)
        if settings.targets:
            self._hear(settings.stage, settings.targets)

    def _hear(self, stage: str, targets: TargetSettings) -> None:
        # Other Regions of this account need no such leave: the role of their rule is enough.
        accounts = [account for account in targets.regions if account != targets.home_account]
        if not accounts:
            return
        # Not EventBusPolicy, whose statement does not survive the way from Python, nor CfnEventBusPolicy, which warns
        # at each synthesis of a property that is not used.
        CfnResource(
            self,
            "TargetEvents",
            type="AWS::Events::EventBusPolicy",
            properties={
                "StatementId": f"migration-{stage}-targets",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"AWS": [f"arn:{Aws.PARTITION}:iam::{account}:root" for account in accounts]},
                    "Action": "events:PutEvents",
                    "Resource": f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:event-bus/default",
                },
            },
        )

    def _forward(
        self,
        id_: str,
        source: list[str],
        detail_type: str,
        to: EncryptedQueue,
        message: events.RuleTargetInput | None = None,
    ) -> None:
        rule = events.Rule(
            self,
            id_,
            event_bus=self.bus.event_bus,
            event_pattern=events.EventPattern(source=source, detail_type=[detail_type]),
        )
        rule.add_target(event_targets.SqsQueue(to.queue, message=message, dead_letter_queue=self.bus.undelivered))
