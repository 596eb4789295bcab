"""Settings a new source server or template starts with (docs/mgn.md#launch-configuration)."""

from typing import Any

from simulator.model.account.server import SourceServer

Settings = dict[str, Any]

REPLICATION: Settings = {
    "associateDefaultSecurityGroup": True,
    "bandwidthThrottling": 0,
    "createPublicIP": True,
    "dataPlaneRouting": "PRIVATE_IP",
    "defaultLargeStagingDiskType": "GP3",
    "ebsEncryption": "DEFAULT",
    "replicationServerInstanceType": "t3.small",
    "replicationServersSecurityGroupsIDs": [],
    "stagingAreaSubnetId": "subnet-0123456789abcdef0",
    "stagingAreaTags": {},
    "useDedicatedReplicationServer": False,
    "useFipsEndpoint": False,
}
LAUNCH: Settings = {
    "bootMode": "LEGACY_BIOS",
    "copyPrivateIp": False,
    "copyTags": False,
    "launchDisposition": "STARTED",
    "licensing": {"osByol": True},
    "targetInstanceTypeRightSizingMethod": "BASIC",
    "enableMapAutoTagging": False,
}
LAUNCH_TEMPLATE_ONLY: Settings = {"associatePublicIpAddress": False, "smallVolumeMaxSize": 0}
ACTION: Settings = {
    "active": True,
    "documentVersion": "$DEFAULT",
    "mustSucceedForCutover": False,
    "timeoutSeconds": 3600,
}
POST_LAUNCH: Settings = {"deployment": "TEST_AND_CUTOVER", "ssmDocuments": []}


_OF_THE_TEMPLATE = frozenset(
    {"launchConfigurationTemplateID", "replicationConfigurationTemplateID", "ec2LaunchTemplateID"}
    | {"arn", "tags", "number"}
)


def launch_settings(server: SourceServer, template: Settings | None) -> Settings:
    """Launch configuration of a server added now."""
    return {
        "name": f"Launch Configuration for Source Server {server.server_id}",
        **LAUNCH,
        "licensing": {"osByol": server.platform != "windows"},
        **_inherited(template),
    }


def replication_settings(server: SourceServer, template: Settings | None) -> Settings:
    """Replication configuration of a server added now."""
    return {
        "name": f"Replication Configuration for Source Server {server.server_id}",
        **REPLICATION,
        **_inherited(template),
        "replicatedDisks": [
            {"deviceName": disk.device_name, "isBootDisk": index == 0, "stagingDiskType": "AUTO"}
            for index, disk in enumerate(server.hardware.disks)
        ],
    }


def _inherited(template: Settings | None) -> Settings:
    return {name: value for name, value in (template or {}).items() if name not in _OF_THE_TEMPLATE}
