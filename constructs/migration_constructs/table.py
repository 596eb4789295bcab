"""The state table."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from runtime.models.table import INDEXES, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, Index

READ = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
# DynamoDB authorises TransactWriteItems by the actions of its items.
WRITE = ("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")


class StateTable(Construct):
    """Migrations, journals, waits, signals and locks, laid out by `runtime.models.table`."""

    def __init__(
        self, scope: Construct, id_: str, *, key: kms.IKey, removal_policy: RemovalPolicy, deletion_protection: bool
    ) -> None:
        super().__init__(scope, id_)
        self.key = key
        self.table = _table(
            self,
            key,
            removal_policy,
            sort_key=_text(SORT_KEY),
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            deletion_protection=deletion_protection,
        )
        for index, keys in INDEXES.items():
            self.table.add_global_secondary_index(
                index_name=index.value, partition_key=_text(keys.partition), sort_key=_text(keys.sort)
            )

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Read items and partitions of the table."""
        self.key.grant_decrypt(grantee)
        return self._grant(grantee, READ, self.table.table_arn)

    def grant_read_write(self, grantee: iam.IGrantable) -> iam.Grant:
        """Read, and write items, alone or in transactions."""
        self.key.grant_encrypt_decrypt(grantee)
        return self._grant(grantee, READ + WRITE, self.table.table_arn)

    def grant_query(self, grantee: iam.IGrantable, *indexes: Index) -> iam.Grant:
        """Query these indexes."""
        return self._grant(grantee, ("dynamodb:Query",), *map(self._index_arn, indexes))

    @property
    def index_arns(self) -> list[str]:
        """All indexes: nothing but migrations and rejections is in them."""
        return [self._index_arn(index) for index in Index]

    def _index_arn(self, index: Index) -> str:
        return f"{self.table.table_arn}/index/{index}"

    def _grant(self, grantee: iam.IGrantable, actions: tuple[str, ...], *arns: str) -> iam.Grant:
        return iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=list(arns))


class TokenTable(Construct):
    """The task tokens of parked steps, apart from the state table and its stream, so that few may read them."""

    def __init__(self, scope: Construct, id_: str, *, key: kms.IKey, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, id_)
        self.key = key
        self.table = _table(self, key, removal_policy)

    def grant_keep(self, grantee: iam.IGrantable) -> iam.Grant:
        """Write tokens without reading any."""
        self.key.grant_encrypt_decrypt(grantee)
        return self._grant(grantee, "dynamodb:PutItem")

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Read a token whose key is known."""
        self.key.grant_decrypt(grantee)
        return self._grant(grantee, "dynamodb:GetItem")

    def _grant(self, grantee: iam.IGrantable, action: str) -> iam.Grant:
        return iam.Grant.add_to_principal(grantee=grantee, actions=[action], resource_arns=[self.table.table_arn])


def _table(
    scope: Construct,
    key: kms.IKey,
    removal_policy: RemovalPolicy,
    *,
    sort_key: dynamodb.Attribute | None = None,
    stream: dynamodb.StreamViewType | None = None,
    deletion_protection: bool | None = None,
) -> dynamodb.Table:
    # TableV2 with a key of ours wants to know its Region; these stacks are deployed to any.
    return dynamodb.Table(
        scope,
        "Table",
        partition_key=_text(PARTITION_KEY),
        sort_key=sort_key,
        time_to_live_attribute=TTL_ATTRIBUTE,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        stream=stream,
        deletion_protection=deletion_protection,
        removal_policy=removal_policy,
    )


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
