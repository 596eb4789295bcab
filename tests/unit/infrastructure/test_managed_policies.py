"""The rights of a launch beside AWS's own policies for MGN, as moto ships them: each difference has its reason."""

import json
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.unit.infrastructure.synthesis import Json
from tests.unit.infrastructure.test_permissions import allowed, of

LAUNCHING = "AWSApplicationMigrationEC2Access"
POLICIES = (LAUNCHING, "AWSApplicationMigrationSSMAccess", "AWSApplicationMigrationFullAccess")
AGENT = "AWSTransformServerMigrationAgentPolicy"
TAG = "AWSApplicationMigrationServiceManaged"

DR = "Disaster recovery of what was migrated is set up by other means."
FSX = "Replication to FSx for ONTAP is not supported: servers keep their volumes on EBS."
CONSOLE = "MGN's console lists these for a person to choose from."
EDITS = "The pipeline writes no post-launch action; it runs those that MGN has."
LEFT_OUT = {
    "drs:DescribeSourceServers": DR,
    "drs:DisconnectSourceServer": DR,
    "ec2:DescribeKeyPairs": CONSOLE,
    "ec2:DescribeNetworkInterfaces": CONSOLE,
    "ec2:DescribePlacementGroups": CONSOLE,
    "elasticloadbalancing:DescribeLoadBalancers": CONSOLE,
    "fsx:CreateSnapshot": FSX,
    "fsx:CreateVolume": FSX,
    "fsx:DeleteVolume": FSX,
    "fsx:DescribeSnapshots": FSX,
    "fsx:DescribeStorageVirtualMachines": FSX,
    "fsx:DescribeVolumes": FSX,
    "fsx:TagResource": FSX,
    "iam:ListInstanceProfiles": CONSOLE,
    "kms:ListAliases": CONSOLE,
    "license-manager:ListLicenseConfigurations": CONSOLE,
    "mgn:*": "Each function has the few calls it makes.",
    "ssm:DescribeParameters": EDITS,
    "ssm:GetDocument": EDITS,
    "ssm:GetParameter": EDITS,
    "ssm:ListDocumentVersions": EDITS,
    "ssm:ListDocuments": EDITS,
    "ssm:PutParameter": EDITS,
}
"""What AWS gives to whoever works with MGN and no function has."""

OURS = {
    "ec2:GetSubnetCidrReservations": f"{AGENT} has it through MGN.",
    "ec2:ReportInstanceStatus": "IAM lists it as a dependent action of StartTest and StartCutover.",
}
"""What only the dispatcher has, through MGN."""


class Right(NamedTuple):
    """An action on a type of EC2's resources, and the tag it asks for: of the request, of the resource or none."""

    action: str
    type: str
    tag: str


@cache
def shipped() -> Json:
    found: Json = json.loads(aws_managed_policies_data)
    return found


def statements(*names: str) -> Iterator[tuple[str, str, Json]]:
    for name in names:
        for statement in shipped()[name]["Document"]["Statement"]:
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    yield action, resource, statement.get("Condition", {})


def rights(found: Iterator[tuple[str, str, Json]]) -> set[Right]:
    return {
        Right(action, resource.rsplit(":", 1)[-1].split("/")[0], _tag(conditions))
        for action, resource, conditions in found
        if action.startswith("ec2:") and resource != "*"
    }


def of_dispatcher() -> Iterator[tuple[str, str, Json]]:
    return ((p.action, p.resource, p.conditions) for p in of("dispatch_launches"))


def test_what_awss_policies_give_and_no_function_has_is_left_out_for_a_reason() -> None:
    ours = {permission.action for permission in allowed()}
    assert {action for action, *_ in statements(*POLICIES)} - ours == set(LEFT_OUT)


def test_what_the_dispatcher_has_through_mgn_beyond_awss_policies_has_a_reason() -> None:
    through_mgn = {action for action, _, conditions in of_dispatcher() if "ForAnyValue:StringEquals" in conditions}
    assert through_mgn - {action for action, *_ in statements(*POLICIES)} == set(OURS)


def test_right_that_the_agents_policy_lends_its_reason_to_is_in_it() -> None:
    assert "ec2:GetSubnetCidrReservations" in {action for action, *_ in statements(AGENT)}


def test_dispatcher_may_change_in_ec2_what_awss_own_policy_lets_mgn_change_and_asks_for_the_same_tags() -> None:
    assert rights(of_dispatcher()) == rights(statements(LAUNCHING))


@pytest.mark.parametrize(
    "action", ["ec2:TerminateInstances", "ec2:StopInstances", "ec2:DeleteVolume", "ec2:DeleteSnapshot"]
)
def test_nothing_without_mgns_tag_is_ended(action: str) -> None:
    assert {right.tag for right in rights(of_dispatcher()) if right.action == action} == {"resource"}


def _tag(conditions: Json) -> str:
    nulls = conditions.get("Null", {})
    asked = {key.split(":")[1].split("/")[0]: value for key, value in nulls.items() if key.endswith(f"/{TAG}")}
    assert set(asked.values()) <= {"false"}
    return {"ResourceTag": "resource", "RequestTag": "request"}.get(next(iter(asked), ""), "")


def _listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
