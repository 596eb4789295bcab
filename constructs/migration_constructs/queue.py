"""An encrypted queue and its dead-letter queue."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

RETENTION = Duration.days(14)
MAX_RECEIVES = 5
"""AWS's least for a queue read by a function, whose throttled batches count as received."""


class EncryptedQueue(Construct):
    """A queue read by one function; a message received too often in vain goes to the dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        key: kms.IKey,
        consumer_timeout: Duration,
        removal_policy: RemovalPolicy,
        max_receives: int = MAX_RECEIVES,
    ) -> None:
        super().__init__(scope, id_)
        self.dead_letter_queue = encrypted_queue(self, "DeadLetters", key=key, removal_policy=removal_policy)
        self.queue = encrypted_queue(
            self,
            "Queue",
            key=key,
            removal_policy=removal_policy,
            # Lambda's own advice: six times the timeout, so that throttled batches are not received as new ones.
            visibility_timeout=Duration.seconds(6 * int(consumer_timeout.to_seconds())),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=max_receives),
        )


def encrypted_queue(
    scope: Construct,
    id_: str,
    *,
    key: kms.IKey | None,
    removal_policy: RemovalPolicy,
    visibility_timeout: Duration | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """A queue that keeps messages for 14 days and refuses plain HTTP; under SQS's own key where none is given."""
    return sqs.Queue(
        scope,
        id_,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=RETENTION,
        removal_policy=removal_policy,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )
