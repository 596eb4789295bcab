"""What a source server looks like, and how servers are found."""

import re
from typing import Any

import pytest

SERVERS = [
    {
        "name": "web-1",
        "user_provided_id": "vm-1",
        "fqdn": "web-1.example.com",
        "vmware_uuid": "4210aa4e-0000-4000-8000-000000000001",
        "os": "Microsoft Windows Server 2019",
        "cpu_cores": 8,
        "ram_gib": 32,
        "disks": [{"device": "c:0", "gib": 60}, {"device": "d:0", "gib": 100}],
        "tags": {"team": "web"},
        "app": "shop",
    },
    {"name": "web-2", "lifecycle": "READY_FOR_CUTOVER"},
    {"name": "vm-3", "replication_type": "SNAPSHOT_SHIPPING", "lifecycle": "CUTOVER", "archived": True},
]


def test_ids_have_the_services_forms(simulate: Any) -> None:
    """§identity [model]: s- and 17 characters, ARN source-server/s-…."""
    world = simulate()
    server = world.server(world.ids[0])
    assert re.fullmatch(r"s-[0-9a-zA-Z]{17}", server["sourceServerID"])
    assert server["arn"] == f"arn:aws:mgn:us-east-1:000000000000:source-server/{server['sourceServerID']}"


def test_hardware_is_what_the_scenario_says(simulate: Any) -> None:
    """§identity [model]: sourceProperties."""
    properties = simulate(servers=SERVERS).mgn.describe_source_servers()["items"][0]["sourceProperties"]
    assert properties["identificationHints"] == {
        "fqdn": "web-1.example.com", "hostname": "web-1", "vmWareUuid": "4210aa4e-0000-4000-8000-000000000001",
    }  # fmt: skip
    assert (properties["ramBytes"], properties["cpus"][0]["cores"]) == (32 * 1024**3, 8)
    assert [disk["deviceName"] for disk in properties["disks"]] == ["c:0", "d:0"]
    assert properties["os"]["fullString"] == "Microsoft Windows Server 2019"


def test_mac_addresses_have_dashes(simulate: Any) -> None:
    """§identity [field T22]: MAC format with dashes."""
    world = simulate()
    interface = world.server(world.ids[0])["sourceProperties"]["networkInterfaces"][0]
    assert re.fullmatch(r"([0-9A-F]{2}-){5}[0-9A-F]{2}", interface["macAddress"])
    assert interface["isPrimary"] is True


def test_empty_tags_may_show_the_arn(simulate: Any) -> None:
    """§identity [field T22]: a quirk once observed on servers without tags."""
    world = simulate(knobs={"tags_quirk": True})
    server = world.server(world.ids[0])
    assert server["tags"] == {"resourceArn": server["arn"]}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [0, 1, 2]),
        ({"isArchived": False}, [0, 1]),
        ({"isArchived": True}, [2]),
        ({"lifeCycleStates": ["READY_FOR_CUTOVER", "CUTOVER"]}, [1, 2]),
        ({"replicationTypes": ["SNAPSHOT_SHIPPING"]}, [2]),
        ({"isArchived": False, "lifeCycleStates": ["CUTOVER"]}, []),
        ({"sourceServerIDs": ["s-" + "9" * 17]}, []),
        ({"sourceServerIDs": []}, [0, 1, 2]),
    ],
)
def test_servers_are_filtered(simulate: Any, filters: dict[str, Any], found: list[int]) -> None:
    """§identity [model]: the five filters; unknown ids are simply not found [inferred]."""
    world = simulate(servers=SERVERS)
    items = world.mgn.describe_source_servers(filters=filters)["items"]
    assert [item["sourceServerID"] for item in items] == [world.ids[index] for index in found]


def test_servers_are_found_by_application(simulate: Any) -> None:
    """§grouping [model]: applicationID is one id, the way from a wave to its servers."""
    world = simulate(servers=SERVERS)
    application = world.mgn.list_applications()["items"][0]["applicationID"]
    items = world.mgn.describe_source_servers(filters={"applicationIDs": [application]})["items"]
    assert [(item["sourceServerID"], item["applicationID"]) for item in items] == [(world.ids[0], application)]


@pytest.mark.parametrize("state", ["DISCOVERED", "PENDING_INSTALLATION"])
def test_server_without_an_agent_was_never_seen(simulate: Any, state: str) -> None:
    """§lifecycle [inferred]: no agent yet, hence no lastSeenByServiceDateTime."""
    world = simulate(state, "STOPPED")
    world.simulator.advance(300)
    seen = [world.server(each)["lifeCycle"].get("lastSeenByServiceDateTime") for each in world.ids]
    assert seen == [None, "2026-01-05T08:05:00.000000+00:00"]


def test_discovered_server_names_its_vcenter_client(simulate: Any) -> None:
    """§agentless [docs UG/installing-vcenter-overview-mgn]: the client discovers the machines."""
    servers = [{"name": "vm", "lifecycle": "DISCOVERED", "vcenter_client": 2}, {"name": "other"}]
    world = simulate(servers=servers, vcenter_clients=2)
    clients = [client["vcenterClientID"] for client in world.mgn.describe_vcenter_clients()["items"]]
    assert [world.server(each).get("vcenterClientID") for each in world.ids] == [clients[1], None]


@pytest.mark.parametrize(
    ("state", "test", "cutover"),
    [
        ("READY_FOR_TEST", [], []),
        ("TESTING", ["initiated"], []),
        ("CUTTING_OVER", [], ["initiated"]),
        ("CUTOVER", [], ["initiated", "finalized"]),
    ],
)
def test_lifecycle_implies_the_calls_that_led_there(simulate: Any, state: str, test: Any, cutover: Any) -> None:
    """§lifecycle [model doc]: StartTest leads to TESTING, StartCutover to CUTTING_OVER, FinalizeCutover to CUTOVER."""
    world = simulate(state)
    life = world.server(world.ids[0])["lifeCycle"]
    assert [name for name, call in life["lastTest"].items() if call] == test
    assert [name for name, call in life["lastCutover"].items() if call] == cutover
    for call in (life[phase]["initiated"] for phase in ("lastTest", "lastCutover")):
        assert not call or call["jobID"].startswith("mgnjob-")


def test_server_can_be_updated(simulate: Any) -> None:
    """§identity [model]: connectorAction, userProvidedID, fqdnForActionFramework, platform."""
    world = simulate()
    arn = f"arn:aws:mgn:us-east-1:000000000000:connector/connector-{'1' * 17}"
    answer = world.mgn.update_source_server(
        sourceServerID=world.ids[0],
        userProvidedID="mine",
        fqdnForActionFramework="a.example.com",
        platform="linux",
        connectorAction={"connectorArn": arn},
    )
    assert (answer["userProvidedID"], answer["fqdnForActionFramework"]) == ("mine", "a.example.com")
    assert answer["connectorAction"] == {"connectorArn": arn}


def test_first_boot_succeeds_after_the_boot_time(simulate: Any) -> None:
    """§launched-instances [model]: launchedInstance.firstBoot WAITING, then SUCCEEDED."""
    world = simulate("READY_FOR_TEST")
    world.launch("test", world.ids[0])
    assert world.server(world.ids[0])["launchedInstance"]["firstBoot"] == "WAITING"
    world.simulator.advance(121)
    assert world.server(world.ids[0])["launchedInstance"]["firstBoot"] == "SUCCEEDED"


@pytest.mark.parametrize("shown", ["WAITING", "UNKNOWN"])
def test_instance_that_never_boots_says_so(simulate: Any, shown: str) -> None:
    """§launched-instances [model]: WAITING and UNKNOWN are values of firstBoot."""
    world = simulate("READY_FOR_TEST", faults=[{"kind": "launch", "at": "boot", "first_boot": shown}])
    world.launch("test", world.ids[0])
    world.simulator.advance(10_000)
    assert world.server(world.ids[0])["launchedInstance"]["firstBoot"] == shown
    instance = next(iter(world.simulator.compute.instances.values()))
    assert (instance.status, instance.ssm) == ("impaired", "offline")


def test_stopped_disposition_shows_stopped(simulate: Any) -> None:
    """§launched-instances [inferred]: with disposition STOPPED there is no boot until somebody starts the instance."""
    world = simulate("READY_FOR_TEST")
    world.mgn.update_launch_configuration(sourceServerID=world.ids[0], launchDisposition="STOPPED")
    world.launch("test", world.ids[0])
    world.simulator.advance(1000)
    assert world.server(world.ids[0])["launchedInstance"]["firstBoot"] == "STOPPED"
    assert next(iter(world.simulator.compute.instances.values())).state == "stopped"


def test_last_known_checks_are_behind_a_knob(simulate: Any) -> None:
    """§launched-instances [model]: lastKnownChecks is recent; checkedAt is a real timestamp."""
    world = simulate("READY_FOR_TEST", knobs={"last_known_checks": True})
    world.launch("test", world.ids[0])
    world.simulator.advance(121)
    checks = world.server(world.ids[0])["launchedInstance"]["lastKnownChecks"]
    assert {check["status"] for check in checks} == {"PASSED"}
    assert checks[0]["checkedAt"].year == 2026


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_arn_is_of_the_partition_of_its_region(simulate: Any, region: str, partition: str) -> None:
    """§identity [model]: ARN."""
    world = simulate(region=region)
    assert world.server(world.ids[0])["arn"].startswith(f"arn:{partition}:mgn:{region}:")
