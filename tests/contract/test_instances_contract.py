"""What every Instances does: the fake and the EC2 and SSM adapter pass the same suite."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from runtime.adapters.servers.instances import Ec2Instances
from runtime.logic.ports import Instances
from runtime.models.mgn import SOURCE_SERVER_TAG, InstanceHealth
from tests.builders import SERVER_ID, some_health
from tests.contract.aws import aws
from tests.fakes import FakeInstances

UNKNOWN = "i-99999999999999999"


class Agents:
    """SSM's fleet: moto has none. Answers in pages of two."""

    def __init__(self) -> None:
        self.pings: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[int] = []

    def get_paginator(self, _: str) -> "Agents":
        return self

    def list_tags_for_resource(self, *, ResourceType: str, ResourceId: str) -> dict[str, Any]:
        assert ResourceType == "ManagedInstance"
        if ResourceId not in self.tags:
            raise ClientError({"Error": {"Code": "InvalidResourceId", "Message": "no"}}, "ListTagsForResource")
        tags = {"owner": "ops", SOURCE_SERVER_TAG: self.tags[ResourceId]}
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def paginate(self, *, Filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        (asked,) = Filters
        assert asked["Key"] == "InstanceIds"
        assert 1 <= len(asked["Values"]) <= 100
        self.asked.append(len(asked["Values"]))
        found = [{"InstanceId": name, "PingStatus": self.pings[name]} for name in asked["Values"] if name in self.pings]
        for start in range(0, max(1, len(found)), 2):
            yield {"InstanceInformationList": found[start : start + 2]}


@dataclass
class World:
    """An EC2 to run instances in."""

    instances: Instances
    run: Callable[[str | None], str]
    terminate: Callable[[str], None]
    tag: Callable[[str, str], None]
    """Say which source server a node is."""


@pytest.fixture
def agents() -> Agents:
    return Agents()


@pytest.fixture(params=["fake", "ec2"])
def world(request: pytest.FixtureRequest, agents: Agents) -> Iterator[World]:
    if request.param == "fake":
        yield faked(FakeInstances())
        return
    with mock_aws():
        yield real(agents)


def faked(fake: FakeInstances) -> World:
    def run(ping: str | None) -> str:
        name = f"i-{len(fake.known):017x}"
        fake.put(some_health(name, ssm_ping=ping))
        return name

    def terminate(name: str) -> None:
        fake.put(InstanceHealth(instance_id=name, state="terminated"))

    return World(fake, run, terminate, fake.tagged.__setitem__)


def real(agents: Agents) -> World:
    ec2 = aws("ec2")

    def run(ping: str | None) -> str:
        made = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="t3.micro")
        name: str = made["Instances"][0]["InstanceId"]
        if ping:
            agents.pings[name] = ping
        return name

    def tag(node_id: str, server_id: str) -> None:
        if node_id.startswith("mi-"):
            agents.tags[node_id] = server_id
        else:
            ec2.create_tags(Resources=[node_id], Tags=[{"Key": SOURCE_SERVER_TAG, "Value": server_id}])

    ssm: Any = agents
    return World(Ec2Instances(ec2, ssm), run, lambda name: ec2.terminate_instances(InstanceIds=[name]), tag)


def test_running_instance_passes_and_has_an_address(world: World) -> None:
    name = world.run("Online")
    health = world.instances.health([name])[name]
    assert health.passes_status_checks
    assert health.ssm_ping == "Online"
    assert health.private_ip is not None
    assert not health.is_gone


def test_instance_unknown_to_ssm_has_no_ping(world: World) -> None:
    name = world.run(None)
    assert world.instances.health([name])[name].ssm_ping is None


def test_unknown_instance_has_no_state_and_spoils_nothing(world: World) -> None:
    name = world.run("Online")
    found = world.instances.health([UNKNOWN, name])
    assert found.keys() == {UNKNOWN, name}
    assert found[UNKNOWN] == InstanceHealth(instance_id=UNKNOWN)
    assert found[name].passes_status_checks


def test_terminated_instance_is_gone(world: World) -> None:
    name = world.run("Online")
    world.terminate(name)
    health = world.instances.health([name])[name]
    assert health.is_gone
    assert not health.passes_status_checks


def test_nothing_asked_nothing_said(world: World) -> None:
    assert world.instances.health([]) == {}


def test_node_says_by_its_tag_which_source_server_it_is(world: World) -> None:
    for node in (world.run("Online"), "mi-0123456789abcdef0"):
        assert world.instances.source_server_of(node) is None
        world.tag(node, SERVER_ID)
        assert world.instances.source_server_of(node) == SERVER_ID


def test_node_nobody_knows_is_no_source_server(world: World) -> None:
    assert [world.instances.source_server_of(node) for node in (UNKNOWN, "mi-99999999999999999")] == [None, None]


class Hesitant:
    """EC2 that describes new instances before it has a status for them, refusing every list they are in."""

    def __init__(self, known: list[str], without_status: set[str]) -> None:
        self.known, self.without_status = known, without_status
        self.calls: list[int] = []

    def get_paginator(self, _: str) -> "Hesitant":
        return self

    def paginate(self, *, Filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        running = [{"InstanceId": name, "State": {"Name": "running"}} for name in Filters[0]["Values"]]
        yield {"Reservations": [{"Instances": running}]}

    def describe_instance_status(self, *, InstanceIds: list[str], IncludeAllInstances: bool) -> Any:
        self.calls.append(len(InstanceIds))
        assert IncludeAllInstances
        if self.without_status & set(InstanceIds):
            code = {"Error": {"Code": "InvalidInstanceID.NotFound", "Message": "no"}}
            raise ClientError(code, "DescribeInstanceStatus")  # type: ignore[arg-type]
        ok = {"Status": "ok"}
        return {
            "InstanceStatuses": [{"InstanceId": name, "InstanceStatus": ok, "SystemStatus": ok} for name in InstanceIds]
        }


def test_instances_without_a_status_yet_do_not_hide_the_others(agents: Agents) -> None:
    names = [f"i-{number:017x}" for number in range(250)]
    late = {names[3], names[140]}
    ec2: Any = Hesitant(names, late)
    ssm: Any = agents
    found = Ec2Instances(ec2, ssm).health(names)
    assert {name for name, health in found.items() if not health.passes_status_checks} == late
    assert max(ec2.calls) == 100
    assert agents.asked == [50] * 5
