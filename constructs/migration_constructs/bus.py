"""The migration bus."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import Aws, CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from migration_constructs.acknowledgements import acknowledge, acknowledge_to_checkov
from migration_constructs.queue import encrypted_queue
from runtime.models.events import SOURCE

ARCHIVE_RETENTION = Duration.days(30)
FROM_OTHERS: list[str] = events.Match.anything_but(SOURCE)
"""Event pattern for `source`: producers and approvers, never the pipeline itself."""


class MigrationBus(Construct):
    """A custom bus with an archive for replays, and queues for events no target took or it could not handle itself."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
        default_bus_rules: Sequence[str] = (),
    ) -> None:
        """`default_bus_rules` are the names of those rules there that leave here what they could not deliver."""
        super().__init__(scope, id_)
        # What the bus fails at is the use of its key: a queue under the same key could not take it either. Events lie
        # there as the bus encrypted them.
        self.dead_letters = encrypted_queue(self, "DeadLetters", key=None, removal_policy=removal_policy)
        self.event_bus = events.EventBus(
            self,
            "Bus",
            kms_key=key,
            dead_letter_queue=self.dead_letters,
            description="Migration requests, signals and facts.",
        )
        events.Archive(
            self,
            "Archive",
            source_event_bus=self.event_bus,
            event_pattern=events.EventPattern(account=[Aws.ACCOUNT_ID]),
            retention=ARCHIVE_RETENTION,
            kms_key=key,
        )
        self.undelivered = encrypted_queue(self, "Undelivered", key=key, removal_policy=removal_policy)
        self._admit_rules(default_bus_rules)
        self._admit_bus()
        acknowledge_to_checkov(
            cast(sqs.CfnQueue, self.dead_letters.node.default_child), "CKV_AWS_27", "It is under SQS's own key."
        )
        acknowledge(self.dead_letters, {"AwsSolutions-SQS3": "This is the dead-letter queue of the bus."})
        acknowledge(
            self.undelivered, {"AwsSolutions-SQS3": "This is a dead-letter queue: rules and functions send to it."}
        )

    def _admit_rules(self, default_bus_rules: Sequence[str]) -> None:
        rules = [f"{self.event_bus.event_bus_name}/*", *default_bus_rules]
        arns = [f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{rule}" for rule in rules]
        self.undelivered.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventBridgeRules",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.undelivered.queue_arn],
                conditions={"ArnLike": {"aws:SourceArn": arns}, "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )

    def keep_source_to(self, scope: Construct, publishers: Sequence[iam.IRole]) -> None:
        """Nobody else puts events here in the pipeline's name, whatever their own policies allow them."""
        bus_policy(
            scope,
            "OnlyPublishers",
            bus=self.event_bus,
            statement_id="only-publishers",
            statement={
                "Effect": "Deny",
                "Principal": "*",
                "Action": "events:PutEvents",
                "Resource": self.event_bus.event_bus_arn,
                "Condition": {
                    # One call may carry events of several sources.
                    "ForAnyValue:StringEquals": {"events:source": SOURCE},
                    "ArnNotEquals": {"aws:PrincipalArn": [role.role_arn for role in publishers]},
                },
            },
        )

    def _admit_bus(self) -> None:
        self.dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventBus",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.dead_letters.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": self.event_bus.event_bus_arn}},
            )
        )

    def undelivered_in(self, scope: Construct, id_: str = "UndeliveredEvents") -> sqs.IQueue:
        """The undelivered queue as rules see it, by reference only."""
        # Otherwise each rule adds itself to the queue's policy, and the two stacks depend on each other.
        return sqs.Queue.from_queue_arn(scope, id_, self.undelivered.queue_arn)


def bus_policy(
    scope: Construct, id_: str, *, statement_id: str, statement: dict[str, object], bus: events.IEventBus | None = None
) -> None:
    """One statement of a bus's policy; without a bus, of the account's default one."""
    # Not EventBusPolicy, whose statement does not survive the way from Python, nor CfnEventBusPolicy, which warns at
    # each synthesis of a property that is not used.
    named = {"EventBusName": bus.event_bus_name} if bus else {}
    CfnResource(
        scope,
        id_,
        type="AWS::Events::EventBusPolicy",
        properties={**named, "StatementId": statement_id, "Statement": statement},
    )
