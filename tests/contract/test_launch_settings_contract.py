"""What every LaunchSettings does: the fake, and the adapter in front of the simulator with moto's launch templates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from runtime.adapters.servers.launch_settings import Ec2LaunchSettings
from runtime.errors import LaunchSettingsError, SourceServerGoneError
from runtime.logic.ports import LaunchSettings
from runtime.models.request import MigrationRequest, Phase
from simulator.pytest_plugin import make_client
from simulator.scenario import Scenario, ServerSpec
from tests.builders import SECURITY_GROUP_ID, SERVER_ID, SUBNET_ID, a_request, server_id
from tests.contract.aws import aws, simulator_on_moto
from tests.fakes import FakeLaunchSettings

TEST_SUBNET = "subnet-22222222222222222"
TEST_GROUP = "sg-22222222222222222"

NOTHING: dict[str, Any] = {"target_vm_name": None, "instance_type": None, "subnet_id": None, "security_group_ids": None}
TESTS_ELSEWHERE = {"test_subnet_id": TEST_SUBNET, "test_security_group_ids": (TEST_GROUP,)}


@dataclass
class World:
    """One server's launch settings and what a launch would use now: type, subnet, groups, name."""

    settings: LaunchSettings
    uses: Callable[[], tuple[Any, Any, Any, Any]]
    keep_stopped: Callable[[], object]
    """Somebody sets the server's instances to stay stopped after a launch."""
    encrypt: Callable[[str | None], object]
    """Replicate under a customer key, or under the account's default."""


@pytest.fixture(params=["fake", "ec2"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeLaunchSettings(SERVER_ID)
        fake.versions[SERVER_ID][0][1].update(instance_type="t3.medium", name="web")
        yield World(
            fake,
            lambda: _faked(fake.settings(SERVER_ID)),
            lambda: fake.stopped.add(SERVER_ID),
            lambda key: fake.encrypt(SERVER_ID, key),
        )
        return
    with mock_aws():
        servers = (ServerSpec(name="web", id=SERVER_ID),)
        simulator = simulator_on_moto(Scenario(servers=servers))
        mgn, ec2 = make_client(simulator), aws("ec2")
        template = mgn.get_launch_configuration(sourceServerID=SERVER_ID)["ec2LaunchTemplateID"]

        def uses() -> tuple[Any, Any, Any, Any]:
            found = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Default"])
            return _templated(found["LaunchTemplateVersions"][0]["LaunchTemplateData"])

        def encrypt(key: str | None) -> object:
            # MGN keeps a key that was set before.
            settings: Any = (
                {"ebsEncryption": "CUSTOM", "ebsEncryptionKeyArn": key} if key else {"ebsEncryption": "DEFAULT"}
            )
            return mgn.update_replication_configuration(sourceServerID=SERVER_ID, **settings)

        yield World(
            Ec2LaunchSettings(mgn, ec2),
            uses,
            lambda: mgn.update_launch_configuration(sourceServerID=SERVER_ID, launchDisposition="STOPPED"),
            encrypt,
        )


def _faked(settings: dict[str, object]) -> tuple[Any, Any, Any, Any]:
    groups: Any = settings.get("groups") or ()
    return settings.get("instance_type"), settings.get("subnet"), tuple(groups), settings.get("name")


def _templated(data: Any) -> tuple[Any, Any, Any, Any]:
    nic = data["NetworkInterfaces"][0]
    tags = {tag["Key"]: tag["Value"] for tag in data["TagSpecifications"][0]["Tags"]}
    return data.get("InstanceType"), nic.get("SubnetId"), tuple(nic.get("Groups", ())), tags.get("Name")


def apply(world: World, request: MigrationRequest, phase: Phase = Phase.CUTOVER, **more: Any) -> int:
    return world.settings.apply(request, SERVER_ID, phase, f"{request.migration_id}:{phase}", **more)


def test_first_version_is_the_default(world: World) -> None:
    assert world.settings.current(SERVER_ID).default_version == 1


def test_requested_settings_are_what_a_launch_uses(world: World) -> None:
    assert apply(world, a_request()) == 2
    assert world.settings.current(SERVER_ID).default_version == 2
    assert world.uses() == ("m5.large", SUBNET_ID, (SECURITY_GROUP_ID,), "billing-web-01-aws")


def test_server_whose_instances_stay_stopped_is_refused_before_anything_changes(world: World) -> None:
    before = world.uses()
    world.keep_stopped()
    with pytest.raises(LaunchSettingsError, match=f"{SERVER_ID} is set to stay stopped after its launch"):
        apply(world, a_request())
    assert (world.uses(), world.settings.current(SERVER_ID).default_version) == (before, 1)


def test_repeated_call_makes_no_second_version(world: World) -> None:
    assert [apply(world, a_request()) for _ in range(3)] == [2, 2, 2]


def test_repeated_call_makes_its_version_the_default_again(world: World) -> None:
    before = world.settings.current(SERVER_ID)
    apply(world, a_request())
    world.settings.restore(before)
    assert apply(world, a_request()) == 2
    assert world.settings.current(SERVER_ID).default_version == 2


def test_request_without_settings_changes_nothing(world: World) -> None:
    before = world.uses()
    assert apply(world, a_request(**NOTHING)) == 1
    assert world.uses() == before


def test_settings_left_out_stay_as_mgn_has_them(world: World) -> None:
    apply(world, a_request(**{**NOTHING, "subnet_id": SUBNET_ID}))
    instance_type, subnet, groups, name = world.uses()
    assert (instance_type, subnet, groups) == ("t3.medium", SUBNET_ID, ())
    assert name != "billing-web-01-aws"


def test_cutover_that_differs_in_nothing_needs_no_version_of_its_own(world: World) -> None:
    assert apply(world, a_request(), Phase.TEST) == 2
    assert apply(world, a_request(), Phase.CUTOVER) == 2


def test_test_has_its_own_network_and_the_cutover_its_own(world: World) -> None:
    request = a_request(launch=TESTS_ELSEWHERE)
    apply(world, request, Phase.TEST)
    assert world.uses()[1:3] == (TEST_SUBNET, (TEST_GROUP,))
    apply(world, request, Phase.CUTOVER)
    assert world.uses()[1:3] == (SUBNET_ID, (SECURITY_GROUP_ID,))


def test_cutover_without_a_network_goes_back_to_the_one_before_the_test(world: World) -> None:
    apply(world, a_request("mig-0"))
    before = world.settings.current(SERVER_ID)
    request = a_request(**{**NOTHING, "launch": TESTS_ELSEWHERE})
    apply(world, request, Phase.TEST, before=before)
    assert world.uses()[1:3] == (TEST_SUBNET, (TEST_GROUP,))
    apply(world, request, Phase.CUTOVER, before=before)
    assert world.uses()[1:3] == (SUBNET_ID, (SECURITY_GROUP_ID,))


def test_restored_version_is_what_a_launch_uses(world: World) -> None:
    before, used = world.settings.current(SERVER_ID), world.uses()
    apply(world, a_request())
    world.settings.restore(before)
    world.settings.restore(before)
    assert world.settings.current(SERVER_ID) == before
    assert world.uses() == used


def test_unknown_server_is_gone(world: World) -> None:
    with pytest.raises(SourceServerGoneError):
        world.settings.current(server_id(9))
    with pytest.raises(SourceServerGoneError):
        world.settings.apply(a_request(), server_id(9), Phase.TEST, "mig-1:test")


def test_customer_key_of_the_volumes_is_told_while_it_is_in_use(world: World) -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/1"
    assert world.settings.ebs_key(SERVER_ID) is None
    world.encrypt(key)
    assert world.settings.ebs_key(SERVER_ID) == key
    world.encrypt(None)
    assert world.settings.ebs_key(SERVER_ID) is None
