"""What every Network does: the fake and the EC2 adapter (moto) pass the same suite."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from moto import mock_aws

from runtime.adapters.servers.network import Ec2Network
from runtime.logic.ports import Network
from runtime.models.mgn import NetworkFacts
from tests.contract.aws import aws
from tests.fakes import FakeNetwork

NO_SUBNET = "subnet-99999999999999999"
NO_GROUP = "sg-99999999999999999"


@dataclass
class World:
    network: Network
    vpc: str
    subnet: str
    group: str


@pytest.fixture(params=["fake", "ec2"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        facts = NetworkFacts(
            vpc_by_subnet={"subnet-1": "vpc-1"},
            vpc_by_security_group={"sg-1": "vpc-1"},
            known_instance_types=("m5.large",),
        )
        yield World(FakeNetwork(facts), "vpc-1", "subnet-1", "sg-1")
        return
    with mock_aws():
        client = aws("ec2")
        vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = client.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        yield World(Ec2Network(client), vpc, subnet, group)


def test_known_things_have_their_vpc(world: World) -> None:
    facts = world.network.facts([world.subnet], [world.group], ["m5.large"])
    assert facts.vpc_by_subnet == {world.subnet: world.vpc}
    assert facts.vpc_by_security_group == {world.group: world.vpc}
    assert facts.known_instance_types == ("m5.large",)


def test_unknown_things_are_left_out(world: World) -> None:
    facts = world.network.facts([world.subnet, NO_SUBNET], [NO_GROUP, world.group], ["m5.large", "m5.tiny"])
    assert facts.vpc_by_subnet.keys() == {world.subnet}
    assert facts.vpc_by_security_group.keys() == {world.group}
    assert facts.known_instance_types == ("m5.large",)


def test_nothing_asked_nothing_said(world: World) -> None:
    assert world.network.facts([], [], []) == NetworkFacts()
