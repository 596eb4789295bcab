"""How messages come in and go out."""

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as event_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from migration_constructs import (
    FROM_OTHERS,
    EncryptedQueue,
    EncryptionKey,
    MigrationBus,
    acknowledge,
    bus_policy,
    duration,
)
from runtime.models.deployment import DEFAULT_BUS_RULES, rule_name, stack_name
from runtime.models.envelopes import MGN_DETAIL_TYPES, MGN_SOURCE
from runtime.models.events import REQUEST_DETAIL_TYPE, SOURCE, MigrationStatusChanged
from runtime.models.functions.catalogue import CALLBACK_HANDLER, DISPATCH_LAUNCHES
from runtime.models.functions.steps import AwaitSignal
from stacks.settings import StageSettings, TargetSettings

# What was asked for: a request that was not taken in after three times is looked at by a person.
REQUEST_RECEIVES = 3


class MessagingStack(Stack):
    """The bus and the queues of requests, decisions, callbacks and wakes."""

    def __init__(self, scope: Construct, *, settings: StageSettings, encryption: EncryptionKey) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, "Messaging"),
            env=settings.home,
            termination_protection=settings.keeps_stacks,
        )
        key = encryption.key_in(self)
        ingress_timeout = Duration.seconds(settings.ingress.timeout_seconds)
        self.bus = MigrationBus(
            self,
            "Events",
            key=key,
            removal_policy=settings.removal,
            default_bus_rules=[rule_name(settings.stage, rule) for rule in DEFAULT_BUS_RULES],
        )
        self.requests = EncryptedQueue(
            self,
            "Requests",
            key=key,
            consumer_timeout=ingress_timeout,
            removal_policy=settings.removal,
            max_receives=REQUEST_RECEIVES,
        )
        self.decisions = EncryptedQueue(
            self,
            "Decisions",
            key=key,
            consumer_timeout=duration(AwaitSignal.function.timeout),
            removal_policy=settings.removal,
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
        if settings.requests_by_bus:
            self._forward("RequestRule", FROM_OTHERS, REQUEST_DETAIL_TYPE, self.requests, detail)
        self._forward("CallbackRule", [SOURCE], MigrationStatusChanged.detail_type, self.callbacks)
        if settings.targets:
            self._hear(settings.stage, settings.targets)

    def _hear(self, stage: str, targets: TargetSettings) -> None:
        # Other Regions of this account need no such leave: the role of their rule is enough.
        accounts = [account for account in targets.regions if account != targets.home_account]
        if not accounts:
            return
        bus_policy(
            self,
            "TargetEvents",
            statement_id=f"migration-{stage}-targets",
            statement={
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:{Aws.PARTITION}:iam::{account}:root" for account in accounts]},
                "Action": "events:PutEvents",
                "Resource": f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:event-bus/default",
                # Only AWS itself puts events in the name of one of its services.
                "Condition": {
                    "ForAllValues:StringEquals": {"events:source": MGN_SOURCE},
                    "StringEquals": {"events:detail-type": MGN_DETAIL_TYPES},
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
        # By reference: CDK would admit every rule of the account to the queue.
        queue = sqs.Queue.from_queue_arn(self, f"{id_}Queue", to.queue.queue_arn)
        undelivered = self.bus.undelivered_in(self, f"{id_}Undelivered")
        rule.add_target(event_targets.SqsQueue(queue, message=message, dead_letter_queue=undelivered))
        acknowledge(rule, {"@aws-cdk/aws-events:ruleUnresolvedEnvironment": "The queue is one of this stack."})
        to.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid=id_,
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[to.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
            )
        )
