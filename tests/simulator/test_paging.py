"""Page tokens: whatever comes or goes between two pages, nothing else is lost or seen twice."""

from collections.abc import Callable
from typing import Any

import pytest

from simulator.operations import OPERATIONS
from simulator.operations.paging import kept_page
from tests.simulator.test_conformance_configuration import TEMPLATE

PAGE = {"maxResults": 2}
# Kind: how to make the nth, how to list, how to delete, the member that identifies one.
KINDS: dict[str, tuple[Callable[[int], tuple[str, dict[str, Any]]], str, str, str]] = {
    "waves": (lambda n: ("CreateWave", {"name": f"w{n}"}), "ListWaves", "DeleteWave", "waveID"),
    "applications": (
        lambda n: ("CreateApplication", {"name": f"a{n}"}),
        "ListApplications",
        "DeleteApplication",
        "applicationID",
    ),
    "connectors": (
        lambda n: ("CreateConnector", {"name": f"c{n}", "ssmInstanceID": "mi-" + "1" * 17}),
        "ListConnectors",
        "DeleteConnector",
        "connectorID",
    ),
    "launch templates": (
        lambda n: ("CreateLaunchConfigurationTemplate", {}),
        "DescribeLaunchConfigurationTemplates",
        "DeleteLaunchConfigurationTemplate",
        "launchConfigurationTemplateID",
    ),
    "replication templates": (
        lambda n: ("CreateReplicationConfigurationTemplate", TEMPLATE),
        "DescribeReplicationConfigurationTemplates",
        "DeleteReplicationConfigurationTemplate",
        "replicationConfigurationTemplateID",
    ),
    "source actions": (
        lambda n: ("CreateRemoteSourceAction", {"name": f"r{n}", "ssmParameterName": "p"}),
        "ListRemoteSourceActions",
        "DeleteRemoteSourceAction",
        "remoteSourceActionID",
    ),
}


def do(world: Any, operation: str, /, **request: Any) -> Any:
    """An operation past the wire, whose installed model may not know it."""
    return OPERATIONS[operation](world.simulator.account, request)


def rest(world: Any, operation: str, token: str | None, member: str, **request: Any) -> list[Any]:
    """What the following pages show."""
    shown = []
    while token:
        page = do(world, operation, **PAGE, **request, nextToken=token)
        shown += [item[member] for item in page["items"]]
        token = page["nextToken"]
    return shown


@pytest.mark.parametrize("kind", KINDS)
def test_deletion_between_two_pages_loses_nothing_else(simulate: Any, kind: str) -> None:
    make, listing, delete, member = KINDS[kind]
    world = simulate(initialized=False)
    world.simulator.account.servers.clear()  # A replication template goes only after them.
    made = []
    for number in range(5):
        operation, request = make(number)
        made.append(do(world, operation, **request)[member])
    first = do(world, listing, **PAGE)
    do(world, delete, **{member: made[0]})
    operation, request = make(5)
    made.append(do(world, operation, **request)[member])
    assert [item[member] for item in first["items"]] == made[:2]
    assert rest(world, listing, first["nextToken"], member) == made[2:]


def test_templates_asked_for_by_id_come_in_their_own_order(simulate: Any) -> None:
    world = simulate()
    member, listing = "launchConfigurationTemplateID", "DescribeLaunchConfigurationTemplates"
    made = [do(world, "CreateLaunchConfigurationTemplate")[member] for _ in range(4)]
    wanted = {f"{member}s": made[::-1]}
    first = do(world, listing, **PAGE, **wanted)
    assert [item[member] for item in first["items"]] == made[:2]
    assert rest(world, listing, first["nextToken"], member, **wanted) == made[2:]


def test_vcenter_clients_are_not_lost_by_a_deletion(simulate: Any) -> None:
    world = simulate(vcenter_clients=4)
    ids = [each["vcenterClientID"] for each in world.mgn.describe_vcenter_clients()["items"]]
    first = do(world, "DescribeVcenterClients", **PAGE)
    world.mgn.delete_vcenter_client(vcenterClientID=ids[0])
    assert rest(world, "DescribeVcenterClients", first["nextToken"], "vcenterClientID") == ids[2:]


@pytest.mark.parametrize("owner", ["SourceServer", "Template"])
def test_actions_are_not_lost_by_a_removal(simulate: Any, owner: str) -> None:
    world = simulate()
    template = world.mgn.describe_launch_configuration_templates()["items"][0]["launchConfigurationTemplateID"]
    whose = {"sourceServerID": world.ids[0]} if owner == "SourceServer" else {"launchConfigurationTemplateID": template}
    for number in range(5):
        action = {"actionID": f"a{number}", "actionName": "a", "documentIdentifier": "d", "order": 1001 + number}
        do(world, f"Put{owner}Action", **whose, **action)
    first = do(world, f"List{owner}Actions", **whose, **PAGE)
    do(world, f"Remove{owner}Action", **whose, actionID="a0")
    assert rest(world, f"List{owner}Actions", first["nextToken"], "actionID", **whose) == ["a2", "a3", "a4"]


@pytest.mark.parametrize(("order", "complete"), [("by_time", True), ("by_server", False), ("newest_first", False)])
def test_log_that_grows_between_two_pages_shows_nothing_twice(simulate: Any, order: str, complete: bool) -> None:
    world = simulate(knobs={"job_log_order": order})
    job_id = world.mgn.start_test(sourceServerIDs=world.ids)["job"]["jobID"]
    world.simulator.advance(200)
    known = world.log(job_id)
    first = world.mgn.describe_job_log_items(jobID=job_id, maxResults=3)
    world.simulator.finish_jobs()
    asked = {"jobID": job_id, "maxResults": 3}
    shown, token = list(first["items"]), first.get("nextToken")
    while token:
        page = world.mgn.describe_job_log_items(**asked, nextToken=token)
        shown += page["items"]
        token = page.get("nextToken")
    lines = [(item["event"], item["eventData"].get("sourceServerID")) for item in shown]
    assert len(lines) == len(set(lines)) >= len(known)
    assert not complete or len(lines) == len(world.log(job_id))


def test_invocations_whose_status_changes_are_not_lost(simulate: Any) -> None:
    world = simulate(*("READY_FOR_TEST",) * 4)
    connector = do(world, "CreateConnector", name="c", ssmInstanceID="mi-" + "1" * 17)["arn"]
    action = do(world, "CreateRemoteSourceAction", name="a", ssmParameterName="p")["arn"]
    arns = [world.server(each)["arn"] for each in world.ids]
    job = do(world, "StartRemoteSourceActionJob", connectorArn=connector, remoteSourceActionArns=[action],
             sourceServerArns=arns)["remoteSourceActionJob"]  # fmt: skip
    asked = {"remoteSourceActionJobID": job["remoteSourceActionJobID"], "filters": {"statuses": ["PENDING"]}}
    first = do(world, "ListRemoteSourceActionInvocations", **asked, **PAGE)
    job["invocations"][0]["status"] = "SUCCESS"
    shown = rest(world, "ListRemoteSourceActionInvocations", first["nextToken"], "sourceServerArn", **asked)
    assert shown == arns[2:]


def test_results_keep_their_places_when_an_action_runs_again_or_goes(simulate: Any) -> None:
    world = simulate("READY_FOR_TEST")
    connector = do(world, "CreateConnector", name="c", ssmInstanceID="mi-" + "1" * 17)["arn"]
    actions = [do(world, "CreateRemoteSourceAction", name=f"a{n}", ssmParameterName="p") for n in range(4)]
    ids = [each["remoteSourceActionID"] for each in actions]

    def run(action: Any) -> None:
        do(world, "StartRemoteSourceActionJob", connectorArn=connector, remoteSourceActionArns=[action["arn"]],
           sourceServerArns=[world.server(world.ids[0])["arn"]])  # fmt: skip
        world.simulator.advance(3600)

    for action in (*actions, actions[0]):
        run(action)
    listing, server = "ListRemoteSourceActionInvocationResults", {"sourceServerID": world.ids[0]}
    first = do(world, listing, **server, **PAGE)
    run(actions[0])
    do(world, "DeleteRemoteSourceAction", remoteSourceActionID=ids[1])
    assert [item["remoteSourceActionID"] for item in first["items"]] == ids[:2]
    assert rest(world, listing, first["nextToken"], "remoteSourceActionID", **server) == ids[2:]


@pytest.mark.parametrize("direction", ["Import", "Export"])
def test_tasks_started_between_two_pages_come_last(simulate: Any, direction: str) -> None:
    world = simulate()
    member = f"{direction.lower()}ID"

    def start() -> str:
        place = {"s3Bucket": "b", "s3Key": "k.csv"}
        request = {"s3BucketSource": place} if direction == "Import" else place
        return str(do(world, f"Start{direction}", **request)[f"{direction.lower()}Task"][member])

    made = [start() for _ in range(4)]
    first = do(world, f"List{direction}s", **PAGE)
    made.append(start())
    assert rest(world, f"List{direction}s", first["nextToken"], member) == made[2:]


def test_page_follows_the_number_and_not_the_place() -> None:
    kept = [{"number": number} for number in (1, 2, 3, 4)]
    _, token = kept_page(kept, PAGE, 50)
    assert kept_page(kept[2:], {**PAGE, "nextToken": token}, 50) == (kept[2:], None)


def test_token_of_another_operation_is_refused(simulate: Any, refused: Any) -> None:
    world = simulate()
    for number in range(3):
        world.mgn.create_wave(name=f"w{number}")
        world.mgn.create_application(name=f"a{number}")
    token = world.mgn.list_waves(maxResults=1)["nextToken"]
    assert world.mgn.list_waves(maxResults=1, nextToken=token)["items"][0]["name"] == "w1"
    asked = {"maxResults": 1, "nextToken": token}
    refused(world.mgn.list_applications, asked, "ValidationException", "Invalid pagination token")
