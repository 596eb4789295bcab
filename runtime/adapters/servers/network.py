"""The target network behind the Network port."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime.adapters.aws.batches import batches
from runtime.adapters.aws.faults import account_faults
from runtime.models.mgn import NetworkFacts

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.literals import InstanceTypeType

VALUES_PER_FILTER = 200


class Ec2Network:
    """EC2 in one Region. Asked through filters, which leave unknown ids out where id lists would fail."""

    def __init__(self, client: "EC2Client") -> None:
        self._client = client

    def facts(
        self, subnets: Sequence[str], security_groups: Sequence[str], instance_types: Sequence[str]
    ) -> NetworkFacts:
        with account_faults():
            return NetworkFacts(
                vpc_by_subnet=self._subnets(subnets),
                vpc_by_security_group=self._security_groups(security_groups),
                known_instance_types=tuple(self._instance_types(instance_types)),
            )

    def _subnets(self, ids: Sequence[str]) -> dict[str, str]:
        pages = self._client.get_paginator("describe_subnets")
        return {
            subnet["SubnetId"]: subnet["VpcId"]
            for batch in batches(ids, VALUES_PER_FILTER)
            for page in pages.paginate(Filters=[{"Name": "subnet-id", "Values": batch}])
            for subnet in page["Subnets"]
        }

    def _security_groups(self, ids: Sequence[str]) -> dict[str, str]:
        pages = self._client.get_paginator("describe_security_groups")
        return {
            group["GroupId"]: group["VpcId"]
            for batch in batches(ids, VALUES_PER_FILTER)
            for page in pages.paginate(Filters=[{"Name": "group-id", "Values": batch}])
            for group in page["SecurityGroups"]
        }

    def _instance_types(self, names: Sequence[str]) -> "list[InstanceTypeType]":
        pages = self._client.get_paginator("describe_instance_type_offerings")
        return [
            offering["InstanceType"]
            for batch in batches(names, VALUES_PER_FILTER)
            for page in pages.paginate(Filters=[{"Name": "instance-type", "Values": batch}])
            for offering in page["InstanceTypeOfferings"]
        ]
