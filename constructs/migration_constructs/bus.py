"""The migration bus."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from migration_constructs.acknowledgements import acknowledge
from migration_constructs.queue import encrypted_queue
from runtime.models.events import SOURCE

ARCHIVE_RETENTION = Duration.days(30)
FROM_OTHERS: list[str] = events.Match.anything_but(SOURCE)
"""Event pattern for `source`: producers and approvers, never the pipeline itself."""


class MigrationBus(Construct):
    """A custom bus with an archive for replays and a queue for events no target took."""

    def __init__(self, scope: Construct, id_: str, *, key: kms.IKey, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, id_)
        self.event_bus = events.EventBus(self, "Bus", kms_key=key, description="Migration requests, signals and facts.")
        events.Archive(
            self,
            "Archive",
            source_event_bus=self.event_bus,
            event_pattern=events.EventPattern(account=[Aws.ACCOUNT_ID]),
            retention=ARCHIVE_RETENTION,
            kms_key=key,
        )
        self.undelivered = encrypted_queue(self, "Undelivered", key=key, removal_policy=removal_policy)
        self._admit_rules()
        acknowledge(
            self.undelivered, {"AwsSolutions-SQS3": "This is a dead-letter queue: rules and functions send to it."}
        )

    def _admit_rules(self) -> None:
        self.undelivered.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventBridgeRules",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.undelivered.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )

    def undelivered_in(self, scope: Construct) -> sqs.IQueue:
        """The undelivered queue as rules see it, by reference only."""
        # Otherwise each rule adds itself to the queue's policy, and the two stacks depend on each other.
        return sqs.Queue.from_queue_arn(scope, "UndeliveredEvents", self.undelivered.queue_arn)
