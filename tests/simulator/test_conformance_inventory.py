"""Import and export of the inventory as CSV."""

import csv
import io
from typing import Any

import pytest

from simulator.memory import MemoryCompute

HEADER = "mgn:server:user-provided-id,mgn:app:name,mgn:wave:name,mgn:launch:instance-type,mgn:launch:nic:0:subnet-id\n"
SOURCE = {"s3Bucket": "lists", "s3Key": "wave.csv"}


def imported(world: Any, text: str) -> Any:
    world.simulator.objects.texts["lists", "wave.csv"] = text
    task = world.mgn.start_import(s3BucketSource=SOURCE)["importTask"]
    assert task["status"] == "PENDING"
    world.simulator.advance(31)
    return world.mgn.list_imports(filters={"importIDs": [task["importID"]]})["items"][0]


def test_import_creates_groups_and_changes_templates(simulate: Any) -> None:
    """§inventory [docs UG/import-main]: servers by user-provided id, groups by name, launch template columns."""
    world = simulate(servers=[{"name": "a", "user_provided_id": "vm-1"}])
    task = imported(world, HEADER + "vm-1,shop,wave 1,m5.large,subnet-0123456789abcdef0\nvm-2,shop,wave 1,,\n")
    assert (task["status"], task["progressPercentage"]) == ("SUCCEEDED", 100.0)
    assert task["summary"]["servers"] == {"createdCount": 1, "modifiedCount": 1}
    assert task["summary"]["applications"]["createdCount"] == 1
    template = next(iter(world.simulator.compute.templates.values()))
    data = template.versions[template.default - 1]
    assert (data["InstanceType"], data["NetworkInterfaces"][0]["SubnetId"]) == ("m5.large", "subnet-0123456789abcdef0")


def test_imported_server_without_agent_waits_for_its_installation(simulate: Any) -> None:
    """§lifecycle [inferred]: PENDING_INSTALLATION."""
    world = simulate()
    imported(world, HEADER + "vm-new,,,,\n")
    assert world.state(world.ids[-1]) == "PENDING_INSTALLATION"


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (HEADER + ",shop,,,\n", 1),
        (HEADER + "vm-1,,wave 1,,\n", 1),
        ("mgn:server:user-provided-id,colour\nvm,blue\n", 1),
        (HEADER + "vm-1,,,,\n vm-2,,,,\n", 2),
        (HEADER + "vm-1,shop \u2028,,,\n", 1),
        (HEADER + "vm-1,,,m5\ud800,\n", 1),
        (HEADER + "vm-1,,,,\nvm-2,,,,,,\n", 2),
        (HEADER + "vm-1,,,,\n" + "x" * 200_000 + ",,,,\n", 2),
        ("", 0),
    ],
)
def test_wrong_row_fails_the_import_and_changes_nothing(simulate: Any, text: str, row: int) -> None:
    """§inventory [model]: row errors by ListImportErrors; that nothing is applied [inferred]."""
    world = simulate()
    task = imported(world, text)
    assert task["status"] == "FAILED"
    error = world.mgn.list_import_errors(importID=task["importID"])["items"][0]
    assert (error["errorType"], error["errorData"]["rowNumber"]) == ("VALIDATION_ERROR", row)
    assert len(world.ids) == 3


@pytest.mark.parametrize(
    ("quotas", "text", "row", "told"),
    [
        ({"unarchived_servers": 3}, "vm-1,,,,\n", 0, "4 source servers that are not archived: the quota is 3"),
        ({"active_applications": 2}, "v,a,,,\nw,b,,,\nx,c,,,\n", 0, "3 active applications: the quota is 2"),
        ({"active_waves": 1}, "v,a,one,,\nw,b,two,,\n", 0, "2 active waves: the quota is 1"),
        ({"servers_per_application": 1}, "v,a,,,\nw,a,,,\nx,b,,,\n", 2, "2 servers in application 'a': the quota is 1"),
        ({"applications_per_wave": 1}, "v,a,one,,\nw,b,one,,\n", 2, "2 applications in wave 'one': the quota is 1"),
    ],
)
def test_import_over_a_quota_fails_and_changes_nothing(
    simulate: Any, quotas: dict[str, int], text: str, row: int, told: str
) -> None:
    """§quotas [inferred]: what an import says that needs more than the quotas leave is not established."""
    world = simulate(quotas=quotas)
    task = imported(world, HEADER + text)
    (error,) = world.mgn.list_import_errors(importID=task["importID"])["items"]
    assert (task["status"], error["errorData"]) == ("FAILED", {"rowNumber": row, "rawError": told})
    assert (len(world.ids), world.mgn.list_applications()["items"]) == (3, [])


def test_import_may_move_servers_within_the_quotas(simulate: Any) -> None:
    """§inventory [docs UG/import-main]: servers by user-provided id, so that a file may also regroup them."""
    servers = [{"name": name, "user_provided_id": name, "app": app} for name, app in (("v", "a"), ("w", "b"))]
    world = simulate(servers=servers, quotas={"servers_per_application": 1, "active_applications": 2})
    assert imported(world, HEADER + "v,b,,,\nw,a,,,\n")["status"] == "SUCCEEDED"


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_import_takes_any_line_ends_and_braces_in_names(simulate: Any, end: str) -> None:
    """§inventory [inferred]: files come from any system, and braces are characters like others."""
    world = simulate()
    assert imported(world, (HEADER + "u{x},shop,,,\n").replace("\n", end))["status"] == "SUCCEEDED"
    assert world.server(world.ids[-1])["userProvidedID"] == "u{x}"


def test_import_for_a_server_whose_template_is_gone_leaves_it_so(simulate: Any) -> None:
    """§launch-template [inferred]: what the service does about a deleted template is not established."""
    world = simulate(servers=[{"name": "a", "user_provided_id": "vm-1"}])
    world.simulator.compute.templates.clear()
    assert imported(world, HEADER + "vm-1,,,m5.large,\n")["status"] == "SUCCEEDED"
    world.simulator.advance(3600)
    assert world.simulator.compute.templates == {}


def test_missing_file_fails_the_import(simulate: Any) -> None:
    """§inventory [model]: FAILED with a PROCESSING_ERROR."""
    world = simulate()
    task = world.mgn.start_import(s3BucketSource=SOURCE)["importTask"]
    world.simulator.advance(31)
    errors = world.mgn.list_import_errors(importID=task["importID"])["items"]
    assert [error["errorType"] for error in errors] == ["PROCESSING_ERROR"]


def test_same_client_token_gives_the_same_import(simulate: Any) -> None:
    """§inventory [model]: clientToken makes StartImport idempotent."""
    world = simulate()
    ids = {world.mgn.start_import(s3BucketSource=SOURCE, clientToken="t")["importTask"]["importID"] for _ in range(2)}
    assert len(ids) == 1


def test_export_writes_the_inventory(simulate: Any) -> None:
    """§inventory [model]: PENDING, STARTED, SUCCEEDED, with counts."""
    world = simulate(servers=[{"name": "a", "user_provided_id": "vm-1", "app": "shop", "wave": "w"}])
    task = world.mgn.start_export(s3Bucket="out", s3Key="all.csv")["exportTask"]
    world.simulator.advance(1)
    assert world.mgn.list_exports()["items"][0]["status"] == "STARTED"
    world.simulator.advance(31)
    done = world.mgn.list_exports(filters={"exportIDs": [task["exportID"]]})["items"][0]
    assert (done["status"], done["summary"]["serversCount"], done["summary"]["wavesCount"]) == ("SUCCEEDED", 1, 1)
    assert "vm-1" in world.simulator.objects.texts["out", "all.csv"]
    assert world.mgn.list_export_errors(exportID=task["exportID"])["items"] == []


WIDE = (
    "mgn:server:user-provided-id,mgn:server:tag:owner,mgn:app:name,mgn:app:description,mgn:app:tag:tier,"
    "mgn:wave:name,mgn:wave:description,mgn:launch:placement:tenancy,mgn:launch:tag:instance:cost\n"
)


def test_import_describes_and_tags_and_sets_placement(simulate: Any) -> None:
    """§inventory [docs UG/import-main]: descriptions, tags and placement have columns too."""
    world = simulate(servers=[{"name": "a", "user_provided_id": "vm-1"}])
    task = imported(world, WIDE + "vm-1,ada,shop,sells things,1,w,the first,dedicated,42\n")
    assert task["status"] == "SUCCEEDED"
    assert world.server(world.ids[0])["tags"]["owner"] == "ada"
    (application,) = world.mgn.list_applications()["items"]
    assert (application["description"], application["tags"]) == ("sells things", {"tier": "1"})
    assert world.mgn.list_waves()["items"][0]["description"] == "the first"
    template = next(iter(world.simulator.compute.templates.values()))
    data = template.versions[template.default - 1]
    assert data["Placement"]["Tenancy"] == "dedicated"
    tags = next(each["Tags"] for each in data["TagSpecifications"] if each["ResourceType"] == "instance")
    assert {"Key": "cost", "Value": "42"} in tags


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("vm-1,,shop,a,,,,,", "vm-2,,shop,b,,,,,", "mgn:app:description 'b' contradicts 'a' of an earlier row"),
        ("vm-1,,shop,,,w,,,", "vm-2,,shop,,,x,,,", "mgn:wave:name 'x' contradicts 'w' of an earlier row"),
        ("vm-1,,shop,,,,,,", "vm-1,,store,,,,,,", "mgn:app:name 'store' contradicts 'shop' of an earlier row"),
        ("vm-1,,a,,,w,1,,", "vm-2,,b,,,w,2,,", "mgn:wave:description '2' contradicts '1' of an earlier row"),
    ],
)
def test_rows_that_contradict_each_other_fail_the_import(simulate: Any, first: str, second: str, told: str) -> None:
    """§inventory [inferred]: one of two contradicting rows is wrong, and with a wrong row nothing is applied."""
    world = simulate()
    task = imported(world, f"{WIDE}{first}\n{second}\n")
    (error,) = world.mgn.list_import_errors(importID=task["importID"])["items"]
    assert (task["status"], error["errorData"]) == ("FAILED", {"rowNumber": 2, "rawError": told})
    assert len(world.ids) == 3


def exported(world: Any) -> str:
    world.mgn.start_export(s3Bucket="out", s3Key="all.csv")
    world.simulator.advance(31)
    return str(world.simulator.objects.texts["out", "all.csv"])


def template_of(world: Any, server_id: str) -> Any:
    template_id = world.mgn.get_launch_configuration(sourceServerID=server_id)["ec2LaunchTemplateID"]
    template = world.simulator.compute.templates[template_id]
    return template.versions[template.default - 1]


def test_export_names_ids_and_states(simulate: Any) -> None:
    """§inventory [docs UG/export-main]: ids, lifecycle state, kind and state of the replication."""
    world = simulate(servers=[{"name": "a", "os": "Windows Server 2022", "app": "shop", "wave": "w"}])
    (row,) = csv.DictReader(io.StringIO(exported(world)))
    assert (row["mgn:server:id"], row["mgn:server:lifecycle-state"]) == (world.ids[0], "READY_FOR_TEST")
    assert (row["mgn:server:replication-type"], row["mgn:server:replication-state"]) == ("AGENT_BASED", "CONTINUOUS")
    assert row["mgn:server:platform"] == "Windows"
    (wave,) = world.mgn.list_waves()["items"]
    assert (row["mgn:wave:id"], row["mgn:wave:name"]) == (wave["waveID"], "w")


LAUNCH = {
    "mgn:launch:instance-type": "m5.large",
    "mgn:launch:iam-instance-profile:name": "web",
    "mgn:launch:placement:tenancy": "host",
    "mgn:launch:placement:host-id": "h-0123456789abcdef0",
    "mgn:launch:placement:operating-system-licensing": "LI",
    "mgn:launch:transfer-server-tags": "true",
    "mgn:launch:nic:0:private-ip:0": "10.0.0.7",
    "mgn:launch:nic:0:private-ip:1": "10.0.0.8",
    "mgn:launch:nic:0:security-group-id:0": "sg-0123456789abcdef0",
    "mgn:launch:nic:0:security-group-id:1": "sg-0123456789abcdef1",
    "mgn:launch:nic:0:subnet-id": "subnet-0123456789abcdef0",
    "mgn:launch:nic:1:network-interface-id": "eni-0123456789abcdef0",
    "mgn:launch:tag:instance:cost": "42",
    "mgn:launch:volume:/dev/sda1:type": "io2",
}


def test_export_carries_launch_settings_that_an_import_restores(simulate: Any) -> None:
    """§inventory [docs UG/export-main]: the columns of launches are those an import takes."""
    world = simulate(servers=[{"name": "a"}, {"name": "b", "user_provided_id": "vm-2", "app": "shop"}])
    first, second = world.ids
    imported(world, f"mgn:server:id,{','.join(LAUNCH)}\n{first},{','.join(LAUNCH.values())}\n")
    template, settings = template_of(world, first), world.mgn.get_launch_configuration(sourceServerID=first)
    text = exported(world)
    row = next(row for row in csv.DictReader(io.StringIO(text)) if row["mgn:server:id"] == first)
    assert {name: value for name, value in row.items() if name.startswith("mgn:launch:") and value} == LAUNCH

    other = {**dict.fromkeys(LAUNCH, "x"), "mgn:launch:placement:tenancy": "default"}
    other |= {"mgn:launch:placement:operating-system-licensing": "BYOL", "mgn:launch:transfer-server-tags": "false"}
    task = imported(world, f"mgn:server:id,{','.join(other)}\n{first},{','.join(other.values())}\n")
    assert task["status"] == "SUCCEEDED"
    assert template_of(world, first) != template
    task = imported(world, text)
    assert (task["status"], task["summary"]["servers"]) == ("SUCCEEDED", {"createdCount": 0, "modifiedCount": 2})
    assert template_of(world, first) == template
    after = world.mgn.get_launch_configuration(sourceServerID=first)
    assert (after["licensing"], after["copyTags"]) == (settings["licensing"], settings["copyTags"])
    assert template_of(world, second) == {"InstanceType": "t3.medium"}


def test_export_of_an_unreadable_launch_template_fails(simulate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """§inventory [model]: a PROCESSING_ERROR in ListExportErrors."""
    world = simulate()
    monkeypatch.setattr(MemoryCompute, "read_template", lambda *asked: asked[-1](({}, "UnauthorizedOperation")))
    task = world.mgn.start_export(s3Bucket="out", s3Key="all.csv")["exportTask"]
    world.simulator.advance(31)
    assert world.mgn.list_exports()["items"][0]["status"] == "FAILED"
    (error,) = world.mgn.list_export_errors(exportID=task["exportID"])["items"]
    assert error["errorData"] == {"rawError": "UnauthorizedOperation"}


def test_import_says_the_platform(simulate: Any) -> None:
    """§inventory [docs UG/import-main]: Linux or Windows."""
    world = simulate(servers=[{"name": "a", "user_provided_id": "vm-1"}])
    task = imported(world, "mgn:server:user-provided-id,mgn:server:platform\nvm-1,WINDOWS\nvm-2,Windows\nvm-3,\n")
    assert task["status"] == "SUCCEEDED"
    shown = {row["mgn:server:user-provided-id"]: row for row in csv.DictReader(io.StringIO(exported(world)))}
    assert {name: row["mgn:server:platform"] for name, row in shown.items()} == {
        "vm-1": "Windows",
        "vm-2": "Windows",
        "vm-3": "Linux",
    }


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("mgn:server:platform", "BeOS"),
        ("mgn:launch:placement:operating-system-licensing", "free"),
        ("mgn:launch:placement:tenancy", "shared"),
        ("mgn:launch:transfer-server-tags", "perhaps"),
    ],
)
def test_value_that_a_column_does_not_know_fails_the_import(simulate: Any, column: str, value: str) -> None:
    """§inventory [inferred]: the guide lists the values, not what becomes of others."""
    world = simulate()
    task = imported(world, f"mgn:server:user-provided-id,{column}\nvm-1,{value}\n")
    (error,) = world.mgn.list_import_errors(importID=task["importID"])["items"]
    assert error["errorData"]["rawError"].startswith(f"{column} {value!r} is none of ")


def test_user_provided_id_stays_once_a_server_has_one(simulate: Any) -> None:
    """§inventory [docs UG/import-main]: it cannot be modified."""
    world = simulate(servers=[{"name": "a"}, {"name": "b", "user_provided_id": "vm-2"}])
    header = "mgn:server:id,mgn:server:user-provided-id\n"
    assert imported(world, f"{header}{world.ids[0]},vm-1\n")["status"] == "SUCCEEDED"
    assert world.server(world.ids[0])["userProvidedID"] == "vm-1"
    assert imported(world, f"{header}{world.ids[1]},vm-3\n")["status"] == "FAILED"


def test_groups_may_be_named_by_their_ids_alone(simulate: Any) -> None:
    """§inventory [docs UG/import-main]: the id is looked for first."""
    world = simulate(servers=[{"name": "a"}, {"name": "b", "app": "shop", "wave": "w"}])
    (application,), (wave,) = world.mgn.list_applications()["items"], world.mgn.list_waves()["items"]
    ids = f"{world.ids[0]},{application['applicationID']},{wave['waveID']}"
    assert imported(world, f"mgn:server:id,mgn:app:id,mgn:wave:id\n{ids}\n")["status"] == "SUCCEEDED"
    assert world.server(world.ids[0])["applicationID"] == application["applicationID"]


@pytest.mark.parametrize(
    "text",
    [
        "mgn:server:user-provided-id,mgn:server:id\nvm-1,s-11111111111111111\n",
        "mgn:server:user-provided-id,mgn:app:id,mgn:app:name\nvm-1,app-11111111111111111,shop\n",
        "mgn:server:user-provided-id,mgn:app:name,mgn:wave:id\nvm-1,shop,wave-11111111111111111\n",
    ],
)
def test_import_of_an_id_that_is_not_there_fails(simulate: Any, text: str) -> None:
    """§inventory [ours]: whose ids a file may name is not established."""
    assert imported(simulate(), text)["status"] == "FAILED"
