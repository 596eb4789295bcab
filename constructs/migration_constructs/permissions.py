"""Permissions as IAM statements, with their wildcards acknowledged for cdk-nag."""

from collections.abc import Mapping

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from migration_constructs.acknowledgements import acknowledge_wildcards
from runtime.models.functions.permissions import Permission


def permit(role: iam.Role, permission: Permission) -> None:
    """Allow it to the role."""
    scope = {"partition": Aws.PARTITION, "region": Aws.REGION, "account": Aws.ACCOUNT_ID}
    role.add_to_policy(
        iam.PolicyStatement(
            actions=list(permission.actions),
            resources=[resource.format_map(scope) for resource in permission.resources],
            conditions={
                operator: {key: _in_place(value, scope) for key, value in keys.items()}
                for operator, keys in permission.conditions.items()
            },
        )
    )
    acknowledge_wildcards(role, wildcards(permission))


def _in_place(value: object, scope: Mapping[str, str]) -> object:
    return value.format_map(scope) if isinstance(value, str) else value


def wildcards(permission: Permission) -> dict[str, str]:
    """The wildcards of a permission as cdk-nag names them, each with the reason."""
    scope = {"partition": "<AWS::Partition>", "region": "<AWS::Region>", "account": "<AWS::AccountId>"}
    found = (resource.format_map(scope) for resource in permission.resources if "*" in resource)
    return {f"Resource::{resource}": permission.reason for resource in found}
