"""Networks, launch templates, instances and their agents in the local engine."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import unique, until

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

DATA: dict[str, Any] = {
    "ImageId": "ami-0123456789abcdef0",
    "InstanceType": "m5.large",
    "IamInstanceProfile": {"Name": "profile"},
    "Placement": {"Tenancy": "host"},
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/sda1",
            "Ebs": {"VolumeSize": 40, "VolumeType": "gp3", "Iops": 3000, "Encrypted": True, "KmsKeyId": "alias/disks"},
        }
    ],
    "NetworkInterfaces": [
        {
            "DeviceIndex": 0,
            "SubnetId": "subnet-00000001",
            "Groups": ["sg-00000001"],
            "PrivateIpAddress": "10.0.0.9",
            "DeleteOnTermination": True,
            "AssociatePublicIpAddress": False,
        }
    ],
    "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    "MetadataOptions": {"HttpTokens": "required"},
}


def create_template(aws: "Aws") -> str:
    created = aws.client("ec2").create_launch_template(LaunchTemplateName=unique("template"), LaunchTemplateData=DATA)
    return str(created["LaunchTemplate"]["LaunchTemplateId"])


def version(aws: "Aws", template: str, which: str) -> dict[str, Any]:
    found = aws.client("ec2").describe_launch_template_versions(LaunchTemplateId=template, Versions=[which])
    return dict(found["LaunchTemplateVersions"][0])


def run(aws: "Aws", **settings: Any) -> str:
    defaults = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    return str(aws.client("ec2").run_instances(**{**defaults, **settings})["Instances"][0]["InstanceId"])


def tagged(aws: "Aws", **tags: str) -> str:
    found = [{"Key": f"mgn-simulator:{key}", "Value": value} for key, value in tags.items()]
    return run(aws, TagSpecifications=[{"ResourceType": "instance", "Tags": found}])


def test_launch_template_keeps_every_member(aws: "Aws") -> None:
    found = version(aws, create_template(aws), "$Latest")["LaunchTemplateData"]
    assert {name: found[name] for name in DATA} == DATA


def test_new_version_inherits_from_its_source(aws: "Aws") -> None:
    template = create_template(aws)
    aws.client("ec2").create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="$Default", LaunchTemplateData={"InstanceType": "m5.xlarge"}
    )
    found = version(aws, template, "2")["LaunchTemplateData"]
    assert found["InstanceType"] == "m5.xlarge"
    assert found["BlockDeviceMappings"] == DATA["BlockDeviceMappings"]


def test_default_version_changes_only_when_told(aws: "Aws") -> None:
    ec2, template = aws.client("ec2"), create_template(aws)
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=DATA)
    assert version(aws, template, "$Default")["VersionNumber"] == 1
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
    assert version(aws, template, "$Default")["VersionNumber"] == 2


def test_unknown_version_is_an_error(aws: "Aws") -> None:
    with pytest.raises(ClientError, match="VersionNotFound"):
        version(aws, create_template(aws), "2")


def test_instance_is_launched_from_its_template(aws: "Aws") -> None:
    instance_id = run(aws, LaunchTemplate={"LaunchTemplateId": create_template(aws)}, InstanceType="m5.2xlarge")
    (reservation,) = aws.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    found = reservation["Instances"][0]
    assert (found["InstanceType"], found["PrivateIpAddress"]) == ("m5.2xlarge", "10.0.0.9")
    assert found["Tags"] == [{"Key": "Name", "Value": "web"}]


def test_instance_is_found_by_its_tag_with_its_address(aws: "Aws") -> None:
    name = unique("web")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
    interface = {"DeviceIndex": 0, "SubnetId": "subnet-00000001", "PrivateIpAddress": "127.16.0.7"}
    instance_id = run(aws, NetworkInterfaces=[interface], TagSpecifications=tags)
    found = aws.client("ec2").describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
    (instance,) = found["Reservations"][0]["Instances"]
    assert (instance["InstanceId"], instance["PrivateIpAddress"]) == (instance_id, "127.16.0.7")
    assert instance["State"]["Name"] == "running"


def test_network_can_be_created_with_known_ids(aws: "Aws") -> None:
    ec2 = aws.client("ec2")

    def known(kind: str, id_: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "localcloud:id", "Value": id_}]}]

    ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=known("vpc", "vpc-0000000000000abcd"))
    ec2.create_subnet(
        VpcId="vpc-0000000000000abcd",
        CidrBlock="10.9.0.0/24",
        TagSpecifications=known("subnet", "subnet-0000000000000abcd"),
    )
    (subnet,) = ec2.describe_subnets(SubnetIds=["subnet-0000000000000abcd"])["Subnets"]
    assert subnet["VpcId"] == "vpc-0000000000000abcd"


def test_unknown_network_parts_are_errors(aws: "Aws") -> None:
    ec2 = aws.client("ec2")
    with pytest.raises(ClientError, match=r"InvalidSubnetID\.NotFound"):
        ec2.describe_subnets(SubnetIds=["subnet-0123456789abcdef0"])
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.describe_security_groups(GroupIds=["sg-0123456789abcdef1"])


def test_instance_types_that_exist_are_offered(aws: "Aws") -> None:
    types = ["m5.large", "t3.micro", "c7g.4xlarge", "r6i.metal", "x2idn.16xlarge", "m7i-flex.large"]
    filters = [{"Name": "instance-type", "Values": [*types, "q9.huge"]}]
    found = aws.client("ec2").describe_instance_type_offerings(Filters=filters)["InstanceTypeOfferings"]
    assert [offering["InstanceType"] for offering in found] == types


@pytest.mark.parametrize(
    ("tag", "system", "instance"),
    [
        ("ok", "ok", "ok"),
        ("initializing", "initializing", "initializing"),
        ("impaired", "ok", "impaired"),
    ],
)
def test_instance_has_the_status_it_is_tagged_with(aws: "Aws", tag: str, system: str, instance: str) -> None:
    instance_id = tagged(aws, status=tag)
    (found,) = aws.client("ec2").describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    assert (found["SystemStatus"]["Status"], found["InstanceStatus"]["Status"]) == (system, instance)


def test_untagged_instance_is_fine(aws: "Aws") -> None:
    (found,) = aws.client("ec2").describe_instance_status(InstanceIds=[run(aws)])["InstanceStatuses"]
    assert found["InstanceStatus"]["Status"] == "ok"


def test_agent_is_online_once_its_instance_is_tagged(aws: "Aws") -> None:
    ssm, instance_id = aws.client("ssm"), tagged(aws, ssm="offline")
    other = tagged(aws, ssm="online")
    filters = [{"Key": "InstanceIds", "Values": [instance_id]}]
    assert ssm.describe_instance_information(Filters=filters)["InstanceInformationList"] == []
    tags = [{"Key": "mgn-simulator:ssm", "Value": "online"}]
    aws.client("ec2").create_tags(Resources=[instance_id], Tags=tags)
    (found,) = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    assert (found["InstanceId"], found["PingStatus"]) == (instance_id, "Online")
    everyone = ssm.describe_instance_information()["InstanceInformationList"]
    assert {instance_id, other} <= {instance["InstanceId"] for instance in everyone}


@pytest.mark.parametrize("document", ["AWS-RunShellScript", "Own-Check"])
def test_command_to_a_machine_with_an_agent_succeeds(aws: "Aws", document: str) -> None:
    ssm, instance_id = aws.client("ssm"), tagged(aws, ssm="online")
    sent = ssm.send_command(InstanceIds=[instance_id], DocumentName=document, Parameters={"commands": ["true"]})
    command = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance_id}
    until(lambda: ssm.get_command_invocation(**command)["Status"] not in ("Pending", "InProgress"))
    assert ssm.get_command_invocation(**command)["Status"] == "Success"


def test_command_to_a_machine_without_an_agent_is_refused(aws: "Aws") -> None:
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        aws.client("ssm").send_command(InstanceIds=[tagged(aws, ssm="offline")], DocumentName="AWS-RunShellScript")
