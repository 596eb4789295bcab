"""Launch and replication settings, account templates, and the EC2 launch template behind each server."""

from typing import Any

import pytest

from simulator.operations import OPERATIONS

TEMPLATE = {
    "stagingAreaSubnetId": "subnet-0123456789abcdef0",
    "associateDefaultSecurityGroup": True,
    "replicationServersSecurityGroupsIDs": ["sg-0123456789abcdef0"],
    "replicationServerInstanceType": "t3.small",
    "useDedicatedReplicationServer": False,
    "defaultLargeStagingDiskType": "GP3",
    "ebsEncryption": "DEFAULT",
    "bandwidthThrottling": 0,
    "dataPlaneRouting": "PRIVATE_IP",
    "createPublicIP": False,
    "stagingAreaTags": {},
}


def test_launch_configuration_looks_as_captured(simulate: Any) -> None:
    """§launch-configuration [field T22]: name, disposition, right-sizing, boot mode, licensing, template id."""
    world = simulate()
    answer = world.mgn.get_launch_configuration(sourceServerID=world.ids[0])
    assert answer["name"] == f"Launch Configuration for Source Server {world.ids[0]}"
    assert (answer["launchDisposition"], answer["targetInstanceTypeRightSizingMethod"]) == ("STARTED", "BASIC")
    assert (answer["bootMode"], answer["licensing"]) == ("LEGACY_BIOS", {"osByol": True})
    assert answer["ec2LaunchTemplateID"] in world.simulator.compute.templates


def test_each_server_has_a_template_of_its_own(simulate: Any) -> None:
    """§launch-template [docs UG/ec2-launch]: templates are not shared between servers."""
    world = simulate()
    ids = {world.mgn.get_launch_configuration(sourceServerID=each)["ec2LaunchTemplateID"] for each in world.ids}
    assert len(ids) == 3


def test_launch_uses_the_default_version(simulate: Any) -> None:
    """§launch-template [docs UG/Troubleshooting-Launch-Errors]: the default version, not the latest."""
    world = simulate("READY_FOR_TEST")
    world.mgn.update_launch_configuration(sourceServerID=world.ids[0], targetInstanceTypeRightSizingMethod="NONE")
    template = next(iter(world.simulator.compute.templates.values()))
    template.versions += [{"InstanceType": "c5.large"}, {"InstanceType": "c5.24xlarge"}]
    template.default = 2
    world.launch("test", world.ids[0])
    assert next(iter(world.simulator.compute.instances.values())).instance_type == "c5.large"


def test_basic_right_sizing_overwrites_the_template_at_launch(simulate: Any) -> None:
    """§launch-template [docs UG/launch-template]: with BASIC the recommended type wins."""
    world = simulate("READY_FOR_TEST")
    template = next(iter(world.simulator.compute.templates.values()))
    template.versions, template.default = [{"InstanceType": "c5.large"}], 1
    world.launch("test", world.ids[0])
    assert next(iter(world.simulator.compute.instances.values())).instance_type == "t3.medium"


def test_hourly_check_repairs_the_instance_type(simulate: Any) -> None:
    """§launch-template [docs UG/ec2-considerations]: an hourly job rewrites templates; with NONE it does not."""
    world = simulate("READY_FOR_TEST", "READY_FOR_TEST")
    world.mgn.update_launch_configuration(sourceServerID=world.ids[1], targetInstanceTypeRightSizingMethod="NONE")
    for template in world.simulator.compute.templates.values():
        template.versions, template.default = [{"InstanceType": "c5.large"}], 1
    world.simulator.advance(3601)
    types = [t.versions[t.default - 1]["InstanceType"] for t in world.simulator.compute.templates.values()]
    assert types == ["t3.medium", "c5.large"]


def test_template_check_can_be_switched_off(simulate: Any) -> None:
    """§launch-template [inferred]: how much the check repairs is not known."""
    world = simulate("READY_FOR_TEST", knobs={"template_check_seconds": None})
    template = next(iter(world.simulator.compute.templates.values()))
    template.versions, template.default = [{"InstanceType": "c5.large"}], 1
    world.simulator.advance(10_000)
    assert len(template.versions) == 1


@pytest.mark.parametrize(("knob", "left"), [("deleted", 0), ("kept", 1)])
def test_disconnected_server_has_no_template(simulate: Any, knob: str, left: int) -> None:
    """§launch-template [field CMF]: disconnected servers have no launch template."""
    world = simulate("READY_FOR_TEST", knobs={"disconnected_template": knob})
    world.mgn.disconnect_from_service(sourceServerID=world.ids[0])
    answer = world.mgn.get_launch_configuration(sourceServerID=world.ids[0])
    assert (len(world.simulator.compute.templates), "ec2LaunchTemplateID" in answer) == (left, left == 1)


def test_missing_template_fails_the_launch(simulate: Any) -> None:
    """§launch-template [model]: launch errors show up per server."""
    world = simulate("READY_FOR_TEST")
    world.simulator.compute.templates.clear()
    assert world.job(world.launch("test", world.ids[0]))["participatingServers"][0]["launchStatus"] == "FAILED"


def test_instances_carry_the_services_tags(simulate: Any) -> None:
    """§launched-instances [field]: four tags tie an instance to its server and job."""
    world = simulate("READY_FOR_TEST")
    job_id = world.launch("test", world.ids[0])
    tags = next(iter(world.simulator.compute.instances.values())).tags
    assert tags["AWSApplicationMigrationServiceManaged"] == "mgn.amazonaws.com"
    assert tags["AWSApplicationMigrationServiceSourceServerID"] == world.ids[0]
    assert tags["mgn.amazonaws.com-job"] == job_id
    assert tags["mgn.amazonaws.com-source-server"] == world.ids[0]


def test_copy_tags_brings_the_servers_tags(simulate: Any) -> None:
    """§launch-configuration [model]: copyTags."""
    world = simulate(servers=[{"name": "a", "tags": {"team": "web"}, "launch": {"copyTags": True}}])
    world.launch("test", world.ids[0])
    assert next(iter(world.simulator.compute.instances.values())).tags["team"] == "web"


def test_launch_configuration_keeps_what_is_not_updated(simulate: Any) -> None:
    """§launch-configuration [model]: every member of the update is optional."""
    world = simulate()
    world.mgn.update_launch_configuration(sourceServerID=world.ids[0], copyPrivateIp=True)
    answer = world.mgn.update_launch_configuration(sourceServerID=world.ids[0], bootMode="UEFI")
    assert (answer["copyPrivateIp"], answer["bootMode"]) == (True, "UEFI")


def test_replication_configuration_lists_the_disks(simulate: Any) -> None:
    """§replication [model]: replicatedDisks with a boot disk."""
    world = simulate()
    answer = world.mgn.get_replication_configuration(sourceServerID=world.ids[0])
    assert answer["replicatedDisks"][0]["isBootDisk"] is True
    changed = world.mgn.update_replication_configuration(sourceServerID=world.ids[0], bandwidthThrottling=100)
    assert (changed["bandwidthThrottling"], changed["dataPlaneRouting"]) == (100, "PRIVATE_IP")


def test_onboarding_leaves_default_templates(simulate: Any) -> None:
    """§account [docs UG/mgn-release-notes]: default replication and launch templates; by the API [inferred]."""
    world = simulate(initialized=False)
    world.mgn.initialize_service()
    world.mgn.initialize_service()
    assert len(world.mgn.describe_replication_configuration_templates()["items"]) == 1
    assert len(world.mgn.describe_launch_configuration_templates()["items"]) == 1


def test_default_templates_are_a_knob(simulate: Any) -> None:
    """§account [inferred]: whether the API creates them too is not established."""
    world = simulate(initialized=False, knobs={"initialize_creates_templates": False})
    world.mgn.initialize_service()
    assert world.mgn.describe_launch_configuration_templates()["items"] == []


def test_template_edit_affects_servers_added_later_only(simulate: Any) -> None:
    """§replication [docs UG/Agent-Related-FAQ]: editing the template leaves existing servers alone."""
    from simulator.scenario import ServerSpec

    world = simulate("READY_FOR_TEST")
    template = world.mgn.describe_launch_configuration_templates()["items"][0]["launchConfigurationTemplateID"]
    world.mgn.update_launch_configuration_template(launchConfigurationTemplateID=template, copyPrivateIp=True)
    late = world.simulator.add_servers(ServerSpec(name="late"))[0].server_id
    copies = [world.mgn.get_launch_configuration(sourceServerID=each)["copyPrivateIp"] for each in (world.ids[0], late)]
    assert copies == [False, True]


def test_new_server_follows_its_templates_in_every_member(simulate: Any) -> None:
    """§replication [model]: all members both the template and the configuration have; not ids, ARN and tags."""
    from simulator.scenario import ServerSpec

    world = simulate("READY_FOR_TEST")
    replication = {
        "ebsEncryption": "CUSTOM",
        "ebsEncryptionKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
        "internetProtocol": "IPV6",
        "storeSnapshotOnLocalZone": True,
        "bandwidthThrottling": 7,
    }
    launch = {"enableMapAutoTagging": True, "mapAutoTaggingMpeID": "mpe-1", "bootMode": "UEFI"}
    for kind, settings in (("replication", replication), ("launch", launch)):
        template = getattr(world.mgn, f"describe_{kind}_configuration_templates")()["items"][0]
        member = f"{kind}ConfigurationTemplateID"
        # Past the wire, as an older installed model lacks some of these members.
        operation = f"Update{kind.capitalize()}ConfigurationTemplate"
        OPERATIONS[operation](world.simulator.account, {member: template[member], **settings})
    late = world.simulator.add_servers(ServerSpec(name="late"))[0]
    account, asked = world.simulator.account, {"sourceServerID": late.server_id}
    got: Any = OPERATIONS["GetReplicationConfiguration"](account, asked)
    assert {name: got.get(name) for name in replication} == replication
    got = OPERATIONS["GetLaunchConfiguration"](account, asked)
    assert {name: got.get(name) for name in launch} == launch
    assert not got.keys() & {"arn", "tags", "launchConfigurationTemplateID"}
    assert got["ec2LaunchTemplateID"] == late.template_id


def test_templates_are_created_described_and_deleted(simulate: Any, refused: Any) -> None:
    """§launch-configuration [model]: 201, id filter, ResourceNotFoundException for unknown ids."""
    world = simulate()
    made = world.mgn.create_launch_configuration_template(bootMode="UEFI", tags={"a": "b"})
    template = made["launchConfigurationTemplateID"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    found = world.mgn.describe_launch_configuration_templates(launchConfigurationTemplateIDs=[template])["items"]
    assert (found[0]["bootMode"], found[0]["tags"]) == ("UEFI", {"a": "b"})
    world.mgn.delete_launch_configuration_template(launchConfigurationTemplateID=template)
    wanted = {"launchConfigurationTemplateIDs": [template]}
    refused(world.mgn.describe_launch_configuration_templates, wanted, "ResourceNotFoundException", template)


def test_replication_template_goes_last(simulate: Any, refused: Any) -> None:
    """§replication [docs UG/Other-Troubleshooting-Topics]: deletable once servers and jobs are gone."""
    world = simulate()
    made = world.mgn.create_replication_configuration_template(**TEMPLATE)["replicationConfigurationTemplateID"]
    call = {"replicationConfigurationTemplateID": made}
    refused(world.mgn.delete_replication_configuration_template, call, "ConflictException")
    world.simulator.account.servers.clear()
    world.mgn.delete_replication_configuration_template(**call)
