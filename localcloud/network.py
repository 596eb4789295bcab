"""The network of the sample account, with ids that scenarios and requests can name."""

from typing import Any

import boto3

from localcloud.state import CloudState

VPC_ID = "vpc-0a1b2c3d4e5f60001"
SUBNETS = {
    "subnet-0a1b2c3d4e5f60001": ("app-a", "10.20.0.0/22", "us-east-1a"),
    "subnet-0a1b2c3d4e5f60002": ("app-b", "10.20.4.0/22", "us-east-1b"),
    "subnet-0a1b2c3d4e5f60003": ("test", "10.20.8.0/22", "us-east-1a"),
}
SECURITY_GROUPS = {
    "sg-0a1b2c3d4e5f60001": "web",
    "sg-0a1b2c3d4e5f60002": "database",
}


def create_network(state: CloudState) -> None:
    """Create the VPC, its subnets and its security groups."""
    ec2 = boto3.client(
        "ec2",
        endpoint_url=state.endpoint,
        region_name=state.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=[_named("vpc", VPC_ID, "migration")])
    for subnet_id, (name, cidr, zone) in SUBNETS.items():
        ec2.create_subnet(
            VpcId=VPC_ID, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=[_named("subnet", subnet_id, name)]
        )
    for group_id, name in SECURITY_GROUPS.items():
        ec2.create_security_group(
            GroupName=name, Description=name, VpcId=VPC_ID, TagSpecifications=[_named("security-group", group_id, name)]
        )


def _named(resource_type: Any, id_: str, name: str) -> Any:
    """The tags that give a resource its name and, in the local engine, its id."""
    return {
        "ResourceType": resource_type,
        "Tags": [{"Key": "Name", "Value": name}, {"Key": "localcloud:id", "Value": id_}],
    }
