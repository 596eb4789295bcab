"""What the adapter does to a launch template and what it leaves alone (docs/mgn.md#launch-template)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from runtime.adapters.servers.launch_settings import Ec2LaunchSettings, _known_to
from runtime.adapters.servers.launch_template import edited, with_network_of
from runtime.errors import DriftError, SourceServerGoneError, TargetAccountError
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.request import LaunchOverrides, Phase
from simulator.engine import Simulator
from simulator.pytest_plugin import make_client
from simulator.scenario import Scenario, ServerSpec
from tests.builders import SECURITY_GROUP_ID, SERVER_ID, SUBNET_ID, a_request
from tests.contract.aws import aws, simulator_on_moto

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_mgn import MgnClient

MGN_MADE: dict[str, Any] = {
    "ImageId": "ami-11111111111111111",
    "KeyName": "key",
    "InstanceType": "t3.medium",
    "EbsOptimized": True,
    "IamInstanceProfile": {"Name": "profile"},
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/sda1",
            "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 8, "Encrypted": True, "DeleteOnTermination": True},
        }
    ],
    "NetworkInterfaces": [
        {"DeviceIndex": 1, "NetworkInterfaceId": "eni-2"},
        {"DeviceIndex": 0, "DeleteOnTermination": True, "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.9"},
    ],
    "TagSpecifications": [
        {
            "ResourceType": "instance",
            "Tags": [
                {"Key": "AWSApplicationMigrationServiceManaged", "Value": "mgn.amazonaws.com"},
                {"Key": "Name", "Value": "web"},
            ],
        }
    ],
}

OWNED_BY_MGN = ("ImageId", "KeyName", "BlockDeviceMappings", "EbsOptimized", "IamInstanceProfile")


def primary(data: dict[str, Any]) -> dict[str, Any]:
    return next(nic for nic in data["NetworkInterfaces"] if nic["DeviceIndex"] == 0)


def tags(data: dict[str, Any], resource_type: str) -> dict[str, str]:
    found = next(spec for spec in data["TagSpecifications"] if spec["ResourceType"] == resource_type)
    return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


class TestEditing:
    def test_what_mgn_owns_is_untouched(self) -> None:
        data = edited(MGN_MADE, a_request(tags={"owner": "ada"}), Phase.CUTOVER)
        assert {name: data[name] for name in OWNED_BY_MGN} == {name: MGN_MADE[name] for name in OWNED_BY_MGN}
        assert data["NetworkInterfaces"][0] == MGN_MADE["NetworkInterfaces"][0]

    def test_the_original_is_not_changed(self) -> None:
        copy = edited(MGN_MADE, a_request(), Phase.CUTOVER)
        assert copy != MGN_MADE
        assert primary(MGN_MADE)["SubnetId"] == "subnet-1"

    def test_network_goes_into_the_primary_interface(self) -> None:
        data = edited(MGN_MADE, a_request(), Phase.CUTOVER)
        assert primary(data) == {
            "DeviceIndex": 0,
            "DeleteOnTermination": True,
            "SubnetId": SUBNET_ID,
            "Groups": [SECURITY_GROUP_ID],
        }

    def test_address_stays_when_the_subnet_does(self) -> None:
        data = edited({**MGN_MADE}, a_request(subnet_id=None), Phase.CUTOVER)
        assert primary(data)["PrivateIpAddress"] == "10.0.0.9"

    def test_groups_of_the_instance_move_into_the_interface(self) -> None:
        data = edited({"SecurityGroupIds": ["sg-9"]}, a_request(security_group_ids=None), Phase.CUTOVER)
        assert data["NetworkInterfaces"] == [{"DeviceIndex": 0, "Groups": ["sg-9"], "SubnetId": SUBNET_ID}]
        assert "SecurityGroupIds" not in data

    def test_existing_interface_gives_way_to_a_requested_subnet(self) -> None:
        made = {"NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": "eni-1"}]}
        assert "NetworkInterfaceId" not in primary(edited(made, a_request(), Phase.CUTOVER))

    def test_tags_are_added_to_instance_and_volumes_beside_mgns_own(self) -> None:
        data = edited(MGN_MADE, a_request(tags={"owner": "ada", "Name": "overruled"}), Phase.CUTOVER)
        wanted = {"owner": "ada", "Name": "billing-web-01-aws"}
        assert tags(data, "instance") == {"AWSApplicationMigrationServiceManaged": "mgn.amazonaws.com", **wanted}
        assert tags(data, "volume") == wanted

    @pytest.mark.parametrize("key", ["AWSApplicationMigrationServiceManaged", "mgn.amazonaws.com-job"])
    def test_tags_by_which_mgn_knows_its_own_are_not_overwritten(self, key: str) -> None:
        data = edited(MGN_MADE, a_request(tags={key: "mine"}), Phase.CUTOVER)
        assert "mine" not in tags(data, "instance").values()

    def test_type_named_replaces_type_by_requirements(self) -> None:
        data = edited({"InstanceRequirements": {"VCpuCount": {"Min": 2}}}, a_request(), Phase.CUTOVER)
        assert data["InstanceType"] == "m5.large"
        assert "InstanceRequirements" not in data

    def test_test_without_its_own_network_uses_the_cutovers(self) -> None:
        request = a_request(launch=LaunchOverrides(test_security_group_ids=("sg-22222222222222222",)))
        nic = primary(edited(MGN_MADE, request, Phase.TEST))
        assert (nic["SubnetId"], nic["Groups"]) == (SUBNET_ID, ["sg-22222222222222222"])

    def test_network_of_an_earlier_version_comes_back_whole(self) -> None:
        tested = edited(MGN_MADE, a_request(), Phase.TEST)
        data = with_network_of(MGN_MADE, tested)
        assert data["NetworkInterfaces"] == MGN_MADE["NetworkInterfaces"]
        assert data["InstanceType"] == "m5.large"

    def test_members_only_answers_have_are_not_sent(self) -> None:
        shape = aws("ec2").meta.service_model.shape_for("RequestLaunchTemplateData")
        answered = {**MGN_MADE, "MetadataOptions": {"State": "applied", "HttpTokens": "required"}}
        assert _known_to(shape, answered) == {**MGN_MADE, "MetadataOptions": {"HttpTokens": "required"}}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with mock_aws():
        servers = (ServerSpec(name="web", id=SERVER_ID, launch={"targetInstanceTypeRightSizingMethod": "BASIC"}),)
        yield simulator_on_moto(Scenario(servers=servers))


@pytest.fixture
def mgn(simulator: Simulator) -> "MgnClient":
    return make_client(simulator)


@pytest.fixture
def ec2(simulator: Simulator) -> "EC2Client":
    client: EC2Client = aws("ec2")
    return client


@pytest.fixture
def settings(mgn: "MgnClient", ec2: "EC2Client") -> Ec2LaunchSettings:
    return Ec2LaunchSettings(mgn, ec2)


class TestConfiguration:
    def test_named_type_ends_right_sizing(self, settings: Ec2LaunchSettings, mgn: "MgnClient") -> None:
        settings.apply(a_request(), SERVER_ID, Phase.TEST, "mig-1:test")
        found = mgn.get_launch_configuration(sourceServerID=SERVER_ID)
        assert found["targetInstanceTypeRightSizingMethod"] == "NONE"

    def test_without_a_named_type_right_sizing_stays(self, settings: Ec2LaunchSettings, mgn: "MgnClient") -> None:
        settings.apply(a_request(instance_type=None), SERVER_ID, Phase.TEST, "mig-1:test")
        found = mgn.get_launch_configuration(sourceServerID=SERVER_ID)
        assert found["targetInstanceTypeRightSizingMethod"] == "BASIC"

    def test_only_given_overrides_are_changed(self, settings: Ec2LaunchSettings, mgn: "MgnClient") -> None:
        before = mgn.get_launch_configuration(sourceServerID=SERVER_ID)
        launch = LaunchOverrides(copy_private_ip=True, boot_mode="UEFI", os_byol=True)
        settings.apply(a_request(instance_type=None, launch=launch), SERVER_ID, Phase.TEST, "mig-1:test")
        found = mgn.get_launch_configuration(sourceServerID=SERVER_ID)
        assert (found["copyPrivateIp"], found["bootMode"], found["licensing"]) == (True, "UEFI", {"osByol": True})
        assert found["copyTags"] == before["copyTags"]


class TestVersions:
    def test_version_carries_its_marker_and_the_full_data(self, settings: Ec2LaunchSettings, ec2: "EC2Client") -> None:
        template = settings.current(SERVER_ID).launch_template_id
        settings.apply(a_request(), SERVER_ID, Phase.TEST, "mig-1:test")
        found = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["1", "2"])
        first, second = found["LaunchTemplateVersions"]
        assert second.get("VersionDescription") == "mig-1:test"
        assert first["LaunchTemplateData"].keys() <= second["LaunchTemplateData"].keys()

    def test_hour_of_mgns_repairs_does_not_undo_the_type(
        self, settings: Ec2LaunchSettings, simulator: Simulator
    ) -> None:
        settings.apply(a_request(), SERVER_ID, Phase.TEST, "mig-1:test")
        simulator.advance(2 * 3_600)
        assert settings.current(SERVER_ID).default_version == 2

    def test_template_deleted_meanwhile_needs_no_restore(self, settings: Ec2LaunchSettings, ec2: "EC2Client") -> None:
        before = settings.current(SERVER_ID)
        ec2.delete_launch_template(LaunchTemplateId=before.launch_template_id)
        settings.restore(before)

    def test_version_deleted_meanwhile_is_drift(self, settings: Ec2LaunchSettings) -> None:
        with Stubber(aws("ec2")) as stubber:
            stubber.add_client_error("modify_launch_template", "InvalidLaunchTemplateId.VersionNotFound")
            with pytest.raises(DriftError):
                settings.restore(LaunchTemplateRef(launch_template_id="lt-1", default_version=1))

    def test_what_ec2_denies_is_the_accounts_fault_and_other_refusals_are_not_hidden(
        self, settings: Ec2LaunchSettings
    ) -> None:
        with Stubber(aws("ec2")) as stubber:
            for code, error in {"UnauthorizedOperation": TargetAccountError, "InvalidParameter": ClientError}.items():
                stubber.add_client_error("modify_launch_template", code)
                with pytest.raises(error):
                    settings.restore(LaunchTemplateRef(launch_template_id="lt-1", default_version=1))
                stubber.add_client_error("describe_launch_template_versions", code)
                with pytest.raises(error):
                    settings.current(SERVER_ID)

    def test_template_mgn_names_but_ec2_lacks_is_a_server_gone(
        self, settings: Ec2LaunchSettings, ec2: "EC2Client"
    ) -> None:
        ec2.delete_launch_template(LaunchTemplateId=settings.current(SERVER_ID).launch_template_id)
        with pytest.raises(SourceServerGoneError):
            settings.current(SERVER_ID)

    def test_disconnected_server_has_no_template(self, settings: Ec2LaunchSettings, mgn: "MgnClient") -> None:
        mgn.disconnect_from_service(sourceServerID=SERVER_ID)
        with pytest.raises(SourceServerGoneError):
            settings.current(SERVER_ID)

    def test_lost_version_before_the_migration_is_drift(self, settings: Ec2LaunchSettings) -> None:
        current = settings.current(SERVER_ID)
        lost = LaunchTemplateRef(launch_template_id=current.launch_template_id, default_version=7)
        launch = LaunchOverrides(test_subnet_id=SUBNET_ID)
        with pytest.raises(DriftError):
            settings.apply(a_request(launch=launch), SERVER_ID, Phase.CUTOVER, "mig-1:cutover", before=lost)
