"""The networks of the sample accounts, with ids that scenarios and requests can name."""

from typing import Any, NamedTuple

from localcloud.state import CloudState
from runtime.models.scope import Scope


class Network(NamedTuple):
    """A VPC, its subnets with name, range and zone, and its security groups with their names."""

    vpc_id: str
    cidr: str
    subnets: dict[str, tuple[str, str, str]]
    security_groups: dict[str, str]


HOME = Network(
    vpc_id="vpc-0a1b2c3d4e5f60001",
    cidr="10.20.0.0/16",
    subnets={
        "subnet-0a1b2c3d4e5f60001": ("app-a", "10.20.0.0/22", "us-east-1a"),
        "subnet-0a1b2c3d4e5f60002": ("app-b", "10.20.4.0/22", "us-east-1b"),
        "subnet-0a1b2c3d4e5f60003": ("test", "10.20.8.0/22", "us-east-1a"),
    },
    security_groups={"sg-0a1b2c3d4e5f60001": "web", "sg-0a1b2c3d4e5f60002": "database"},
)
TARGET_ACCOUNT, TARGET_REGION = "222222222222", "eu-west-1"
TARGET_SCOPE = Scope(TARGET_ACCOUNT, TARGET_REGION)
TARGET = Network(
    vpc_id="vpc-0a1b2c3d4e5f61001",
    cidr="10.30.0.0/16",
    subnets={"subnet-0a1b2c3d4e5f61001": ("app-a", "10.30.0.0/22", "eu-west-1a")},
    security_groups={"sg-0a1b2c3d4e5f61001": "web"},
)


def create_networks(state: CloudState) -> None:
    """Create the networks at home and in the target."""
    _create(HOME, state.client("ec2"))
    _create(TARGET, state.client("ec2", TARGET_SCOPE))


def _create(network: Network, ec2: Any) -> None:
    ec2.create_vpc(CidrBlock=network.cidr, TagSpecifications=[_named("vpc", network.vpc_id, "migration")])
    for subnet_id, (name, cidr, zone) in network.subnets.items():
        ec2.create_subnet(
            VpcId=network.vpc_id,
            CidrBlock=cidr,
            AvailabilityZone=zone,
            TagSpecifications=[_named("subnet", subnet_id, name)],
        )
    for group_id, name in network.security_groups.items():
        ec2.create_security_group(
            GroupName=name,
            Description=name,
            VpcId=network.vpc_id,
            TagSpecifications=[_named("security-group", group_id, name)],
        )


def _named(resource_type: Any, id_: str, name: str) -> Any:
    """The tags that give a resource its name and, in the local engine, its id."""
    return {
        "ResourceType": resource_type,
        "Tags": [{"Key": "Name", "Value": name}, {"Key": "localcloud:id", "Value": id_}],
    }
