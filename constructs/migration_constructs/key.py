"""The one KMS key of a stage."""

from collections.abc import Mapping

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


class EncryptionKey(Construct):
    """A rotated key for everything a stage stores, usable by the AWS services that store it."""

    def __init__(self, scope: Construct, id_: str, *, alias: str, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, id_)
        self.key = kms.Key(
            self,
            "Key",
            alias=alias,
            description="Data of the migration orchestrator: table, queues, bus, logs, secrets, environments.",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        self._admit_logs()
        self._admit_log_delivery()
        self._admit_events()

    def key_in(self, scope: Construct) -> kms.IKey:
        """The key as another stack uses it: by reference, so that its policy stays as written here."""
        # CDK would write each bus, secret, role and rule into the policy and make this stack depend on all others.
        return kms.Key.from_key_arn(scope, "Key", self.key.key_arn)

    def _admit_logs(self) -> None:
        log_groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
        self._admit(
            "CloudWatchLogs",
            f"logs.{Aws.REGION}.amazonaws.com",
            ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        )

    def _admit_log_delivery(self) -> None:
        # Of an encrypted state machine (https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html).
        logs = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"
        self._admit(
            "LogDelivery",
            "delivery.logs.amazonaws.com",
            ["kms:Decrypt"],
            {"StringEquals": {"kms:EncryptionContext:SourceArn": logs}},
        )

    def _admit_events(self) -> None:
        buses = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:event-bus/*"
        self._admit(
            "EventBridgeTargets",
            "events.amazonaws.com",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
        self._admit(
            "EventBridgeBuses",
            "events.amazonaws.com",
            ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncrypt*"],
            {"ArnLike": {"kms:EncryptionContext:aws:events:event-bus:arn": buses}},
        )
        # Archives look the key up without naming themselves.
        self._admit("EventBridgeLookUp", "events.amazonaws.com", ["kms:DescribeKey"], {})

    def _admit(self, sid: str, service: str, actions: list[str], conditions: Mapping[str, Mapping[str, str]]) -> None:
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                principals=[iam.ServicePrincipal(service)],
                actions=actions,
                resources=["*"],
                conditions=conditions,
            )
        )
