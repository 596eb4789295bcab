"""Scripts on source servers and launch defaults: operations newer than many installed service models."""

from typing import Any

import pytest

from simulator.model.forms.errors import MgnError
from simulator.operations import OPERATIONS

CONNECTOR = {"name": "c", "ssmInstanceID": "mi-" + "1" * 17}


class Actions:
    """Performs operations past the wire, whose installed model may not know them."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.servers = [world.server(server_id)["arn"] for server_id in world.ids]
        self.connector = world.mgn.create_connector(**CONNECTOR)["arn"]

    def do(self, operation: str, /, **request: Any) -> Any:
        return OPERATIONS[operation](self.world.simulator.account, request)

    def create(self, **settings: Any) -> Any:
        return self.do("CreateRemoteSourceAction", name="quiesce", ssmParameterName="quiesce", **settings)

    def start(self, action: str, **more: Any) -> Any:
        request = {"remoteSourceActionArns": [action], "connectorArn": self.connector, "sourceServerArns": self.servers}
        return self.do("StartRemoteSourceActionJob", **{**request, **more})["remoteSourceActionJob"]


@pytest.fixture
def actions(simulate: Any) -> Actions:
    return Actions(simulate("READY_FOR_TEST", "CUTOVER"))


def test_source_action_is_created_changed_and_listed(actions: Actions) -> None:
    """§source-actions [model]: name, parameter with the script, timeout 60 to 5400 s, operating system."""
    action_id = actions.create(operatingSystem="linux")["remoteSourceActionID"]
    actions.do("UpdateRemoteSourceAction", remoteSourceActionID=action_id, timeoutSeconds=90)
    listed = actions.do("ListRemoteSourceActions", filters={"remoteSourceActionIDs": [action_id]})["items"]
    assert [(each["name"], each["timeoutSeconds"], each["operatingSystem"]) for each in listed] == [
        ("quiesce", 90, "linux")
    ]


def test_source_action_for_all_systems_names_none(actions: Actions) -> None:
    """§source-actions [inferred]: requests take linux, windows or all, answers only the first two."""
    assert actions.create(operatingSystem="all")["operatingSystem"] is None


def test_source_action_job_ends_with_a_result_for_each_server(actions: Actions) -> None:
    """§source-actions [model]: PENDING, RUNNING, COMPLETED; results SUCCESS, or FAILED once disconnected [inferred]."""
    job = actions.start(actions.create()["arn"])
    seen = [job["status"]]
    actions.world.simulator.advance(30)
    seen.append(job["status"])
    actions.world.simulator.advance(60)
    invocations = actions.do(
        "ListRemoteSourceActionInvocations", remoteSourceActionJobID=job["remoteSourceActionJobID"]
    )["items"]
    assert [*seen, job["status"]] == ["PENDING", "RUNNING", "COMPLETED"]
    assert [each["status"] for each in invocations] == ["SUCCESS", "FAILED"]


def test_invocations_are_filtered(actions: Actions) -> None:
    """§source-actions [model]: by server, by action, by status."""
    job = actions.start(actions.create()["arn"])["remoteSourceActionJobID"]
    for filters, count in (({"sourceServerArns": actions.servers[:1]}, 1), ({"statuses": ["SUCCESS"]}, 0)):
        request = {"remoteSourceActionJobID": job, "filters": filters}
        assert len(actions.do("ListRemoteSourceActionInvocations", **request)["items"]) == count


def test_deleting_a_source_action_deletes_its_results(actions: Actions) -> None:
    """§source-actions [model doc]: invocation results go with the action."""
    action = actions.create()
    actions.start(action["arn"])
    actions.world.simulator.advance(90)
    results = {"sourceServerID": actions.world.ids[0]}
    before = actions.do("ListRemoteSourceActionInvocationResults", **results)["items"]
    actions.do("DeleteRemoteSourceAction", remoteSourceActionID=action["remoteSourceActionID"])
    assert [each["status"] for each in before] == ["SUCCESS"]
    assert actions.do("ListRemoteSourceActionInvocationResults", **results)["items"] == []


def test_same_client_token_gives_the_same_source_action_job(actions: Actions) -> None:
    """§source-actions [model]: StartRemoteSourceActionJob takes a clientToken."""
    action = actions.create()["arn"]
    ids = {actions.start(action, clientToken="once")["remoteSourceActionJobID"] for _ in range(2)}
    assert len(ids) == 1
    assert len(actions.do("ListRemoteSourceActionJobs")["items"]) == 1


@pytest.mark.parametrize("member", ["connectorArn", "remoteSourceActionArns", "sourceServerArns"])
def test_source_action_job_of_what_does_not_exist_is_not_found(actions: Actions, member: str) -> None:
    """§source-actions [model]: ResourceNotFoundException."""
    unknown = "arn:aws:mgn:us-east-1:000000000000:thing/unknown"
    with pytest.raises(MgnError) as caught:
        actions.start(actions.create()["arn"], **{member: unknown if member == "connectorArn" else [unknown]})
    assert caught.value.code == "ResourceNotFoundException"


def test_launch_defaults_keep_what_an_update_leaves_out(actions: Actions) -> None:
    """§launch-configuration [model doc]: members left out keep their values."""
    server = {"sourceServerID": actions.world.ids[0]}
    actions.do("UpdateLaunchConfigurationDefaults", **server, largeVolumeConfiguration={"volumeType": "gp3"})
    actions.do("UpdateLaunchConfigurationDefaults", **server, smallVolumeMaxSize=100)
    assert actions.do("GetLaunchConfigurationDefaults", **server) == {
        **server,
        "smallVolumeMaxSize": 100,
        "largeVolumeConfiguration": {"volumeType": "gp3"},
    }
