"""Launched instances behind the Instances port."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runtime.adapters.aws.batches import batches
from runtime.adapters.aws.faults import account_faults, code_of
from runtime.models.mgn import SOURCE_SERVER_TAG, InstanceHealth

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import InstanceStatusTypeDef, InstanceTypeDef
    from mypy_boto3_ssm import SSMClient

INSTANCES_PER_CALL = 100
NODES_PER_CALL = 50


class Ec2Instances:
    """EC2's and SSM's word on instances, in one round of calls for all of them."""

    def __init__(self, ec2: "EC2Client", ssm: "SSMClient") -> None:
        self._ec2 = ec2
        self._ssm = ssm

    def health(self, ids: Sequence[str]) -> dict[str, InstanceHealth]:
        with account_faults():
            known = self._described(ids)
            running = [name for name, instance in known.items() if instance["State"]["Name"] == "running"]
            statuses = {
                status["InstanceId"]: status
                for batch in batches(running, INSTANCES_PER_CALL)
                for status in self._statuses(batch)
            }
            pings = self._pings(running)
        return {name: _health(name, known.get(name), statuses.get(name), pings.get(name)) for name in ids}

    def source_server_of(self, node_id: str) -> str | None:
        if node_id.startswith("mi-"):
            return self._tag_of_hybrid(node_id)
        filters = {"resource-id": node_id, "key": SOURCE_SERVER_TAG}
        with account_faults():
            found = self._ec2.describe_tags(Filters=[{"Name": name, "Values": [v]} for name, v in filters.items()])
        return next((tag.get("Value") for tag in found["Tags"]), None)

    def _tag_of_hybrid(self, node_id: str) -> str | None:
        try:
            with account_faults():
                found = self._ssm.list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node_id)
        except ClientError as error:
            if code_of(error) != "InvalidResourceId":
                raise
            return None
        return next((tag["Value"] for tag in found["TagList"] if tag["Key"] == SOURCE_SERVER_TAG), None)

    def _described(self, ids: Sequence[str]) -> "dict[str, InstanceTypeDef]":
        # By filter: an id EC2 does not know yet (just launched) or any more would fail a list of ids.
        pages = self._ec2.get_paginator("describe_instances")
        return {
            instance["InstanceId"]: instance
            for batch in batches(ids, INSTANCES_PER_CALL)
            for page in pages.paginate(Filters=[{"Name": "instance-id", "Values": batch}])
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }

    def _statuses(self, ids: Sequence[str]) -> "list[InstanceStatusTypeDef]":
        try:
            return self._ec2.describe_instance_status(InstanceIds=ids, IncludeAllInstances=True)["InstanceStatuses"]
        except ClientError as error:
            if code_of(error) != "InvalidInstanceID.NotFound":
                raise
        # This call has no filter by id, and EC2's views of a new instance differ for a while: halve around it.
        if len(ids) == 1:
            return []
        middle = len(ids) // 2
        return self._statuses(ids[:middle]) + self._statuses(ids[middle:])

    def _pings(self, ids: Sequence[str]) -> dict[str, str]:
        pages = self._ssm.get_paginator("describe_instance_information")
        return {
            node["InstanceId"]: node["PingStatus"]
            for batch in batches(ids, NODES_PER_CALL)
            for page in pages.paginate(Filters=[{"Key": "InstanceIds", "Values": batch}])
            for node in page["InstanceInformationList"]
        }


def _health(
    instance_id: str, instance: "InstanceTypeDef | None", status: "InstanceStatusTypeDef | None", ping: str | None
) -> InstanceHealth:
    return InstanceHealth(
        instance_id=instance_id,
        state=instance["State"]["Name"] if instance else None,
        private_ip=instance.get("PrivateIpAddress") if instance else None,
        instance_status=status["InstanceStatus"]["Status"] if status else None,
        system_status=status["SystemStatus"]["Status"] if status else None,
        ssm_ping=ping,
    )
