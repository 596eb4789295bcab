"""Launch templates through boto3 EC2 (docs/mgn.md#launch-template)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.model.account.ports import TemplateOrder
from simulator.model.account.template_change import TemplateChange

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


class LaunchTemplates:
    """The launch templates of an EC2 endpoint."""

    def __init__(self, client: "EC2Client") -> None:
        self._client: Any = client

    def make(self, order: TemplateOrder) -> str:
        """Create a template; returns its id."""
        try:
            return self._create(order)
        except ClientError as error:
            if error_code(error) != "InvalidLaunchTemplateName.AlreadyExistsException":
                raise
        # Left by an earlier run of the same scenario against the same engine.
        self._client.delete_launch_template(LaunchTemplateName=order.name)
        return self._create(order)

    def _create(self, order: TemplateOrder) -> str:
        tags = tag_list(order.tags)
        answer = self._client.create_launch_template(
            LaunchTemplateName=order.name,
            LaunchTemplateData={
                "InstanceType": order.instance_type,
                "NetworkInterfaces": [{"DeviceIndex": 0, "DeleteOnTermination": True}],
                "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
            },
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
        )
        return str(answer["LaunchTemplate"]["LaunchTemplateId"])

    def delete(self, template_id: str) -> None:
        """Delete a template."""
        self._client.delete_launch_template(LaunchTemplateId=template_id)

    def edit(self, template_id: str, change: TemplateChange) -> dict[str, Any]:
        """Make a new default version with the change, unless the default has it already; returns its data."""
        number, data = self.default_version(template_id)
        changed = change.applied(data)
        if changed == data:
            return data
        # The whole data is sent: not every engine merges from SourceVersion (docs/mgn.md#launch-template).
        answer = self._client.create_launch_template_version(
            LaunchTemplateId=template_id, SourceVersion=str(number), LaunchTemplateData=changed
        )
        made = answer["LaunchTemplateVersion"]["VersionNumber"]
        self._client.modify_launch_template(LaunchTemplateId=template_id, DefaultVersion=str(made))
        return changed

    def default_version(self, template_id: str) -> tuple[int, dict[str, Any]]:
        """The number of the default version and its data."""
        answer = self._client.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=["$Default"])
        version = answer["LaunchTemplateVersions"][0]
        return version["VersionNumber"], version["LaunchTemplateData"]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def error_code(error: BotoCoreError | ClientError) -> str:
    """The code AWS gave the error, empty when it never came that far."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""
