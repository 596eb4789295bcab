"""Worlds ask MGN without HTTP. What they find is what they would have found through boto3."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from simulator.engine import Simulator
from simulator.scenario import Scenario, ServerSpec
from tests.builders import a_request
from tests.pipeline.asl import Json
from tests.pipeline.direct_client import DirectClient, boto_client
from tests.pipeline.world import World

SERVER = "s-0123456789abcdef0"
OUTCOMES = ("throttle", "internal", "unavailable", "access_denied", "timeout_before", "timeout_after", "timeout_late")
CALLS: dict[str, Callable[[Any], Any]] = {
    "accepted": lambda mgn: mgn.start_test(sourceServerIDs=[SERVER], tags={"a": "b"}),
    "unknown server": lambda mgn: mgn.finalize_cutover(sourceServerID="s-11111111111111111"),
    "unknown servers": lambda mgn: mgn.start_test(sourceServerIDs=["s-11111111111111111"]),
    "wrong state": lambda mgn: mgn.finalize_cutover(sourceServerID=SERVER),
    "malformed": lambda mgn: mgn.finalize_cutover(sourceServerID="vm"),
    "refused by boto3 itself": lambda mgn: mgn.finalize_cutover(sourceServerID=""),
    "no such method": lambda mgn: mgn.begin_test(),
}


def _troubled_world(client: Callable[[Any], Any]) -> World:
    """Twenty servers and one trouble of each kind."""
    calls = [
        {"kind": "call", "operations": operations, "outcome": outcome, "calls": [2 + 3 * number, 40 + number]}
        for number, outcome in enumerate(OUTCOMES)
        for operations in (["Describe*"], ["Start*", "Terminate*", "Change*", "Finalize*"])
    ]
    launches = [
        {"kind": "launch", "servers": ["vm-003"], "at": "boot", "phase": "test"},
        {"kind": "launch", "servers": ["vm-007"], "at": "launch", "phase": "cutover"},
    ]
    servers = (ServerSpec(name="vm-{n:03d}", count=20),)
    scenario = {"servers": servers, "faults": [*calls, *launches], "timings": {"jitter": 0.2}}
    world = World(Scenario.model_validate(scenario), client=client)
    names = [server.name for server in world.simulator.account.servers.values()]
    world.submit(*(a_request(f"m-{name}", source_vm_id=name) for name in names))
    world.run()
    return world


def test_whole_world_goes_call_by_call_as_it_does_through_boto3() -> None:
    direct, through_boto = _troubled_world(DirectClient), _troubled_world(boto_client)
    outcomes = {entry["outcome"] for entry in direct.simulator.log(kind="call")}
    assert len(outcomes) > len(OUTCOMES)
    assert direct.simulator.log() == through_boto.simulator.log()
    assert direct.migrations.journals == through_boto.migrations.journals
    assert direct.migrations.records == through_boto.migrations.records
    assert len({record.status for record in direct.migrations.records.values()}) > 1


def _simulator(**scenario: Any) -> Simulator:
    servers = (ServerSpec(name="vm", id=SERVER), ServerSpec(name="other-{n:03d}", count=249))
    return Simulator(Scenario.model_validate({"servers": servers, **scenario}))


def _heard(client: Any, call: Callable[[Any], Any]) -> object:
    """What a caller can tell of a call."""
    try:
        return _without_metadata(call(client))
    except ClientError as error:
        response: Json = {**error.response}
        return type(error).__name__, str(error), error.operation_name, _without_metadata(response), _status(response)
    except (AttributeError, BotoCoreError) as error:
        return type(error)


def _without_metadata(response: Json) -> Json:
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def _status(response: Json) -> int:
    found: int = response["ResponseMetadata"]["HTTPStatusCode"]
    return found


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_call_is_answered_as_through_boto3(call: Callable[[Any], Any]) -> None:
    assert _heard(DirectClient(_simulator()), call) == _heard(boto_client(_simulator()), call)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_injected_fault_is_heard_as_through_boto3(outcome: str) -> None:
    faults = [{"kind": "call", "outcome": outcome}]
    heard = [_heard(client(_simulator(faults=faults)), CALLS["accepted"]) for client in (DirectClient, boto_client)]
    assert heard[0] == heard[1]
    assert not isinstance(heard[0], dict)


def test_account_that_is_not_initialized_is_told_as_by_boto3() -> None:
    heard = [_heard(client(_simulator(initialized=False)), CALLS["accepted"]) for client in (DirectClient, boto_client)]
    assert heard[0] == heard[1]
    assert "UninitializedAccountException" in str(heard[0])


def test_pages_are_those_of_boto3() -> None:
    def pages(client: Any) -> list[Json]:
        found = client.get_paginator("describe_source_servers").paginate(
            filters={"isArchived": False}, PaginationConfig={"PageSize": 100}
        )
        return [_without_metadata(page) for page in islice(found, 10)]

    direct = pages(DirectClient(_simulator()))
    assert direct == pages(boto_client(_simulator()))
    assert [len(page["items"]) for page in direct] == [100, 100, 50]
