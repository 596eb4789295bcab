"""The wire protocol: routes, status codes, dates, tokens."""

import json
from typing import Any

import botocore.session
import pytest

from simulator.operations import OPERATIONS
from simulator.service_model import load_service_model

MODEL: Any = botocore.session.get_session().get_service_model("mgn")
CLASSIC = [name for name in MODEL.operation_names if not name.startswith("_")
           and not MODEL.operation_model(name).http["requestUri"].startswith("/network-migration/")]  # fmt: skip


@pytest.mark.parametrize("name", CLASSIC)
def test_every_classic_operation_of_the_installed_model_is_performed(name: str) -> None:
    """§wire [model]: all operations outside /network-migration/ answer."""
    assert name in OPERATIONS


def test_operation_the_installed_model_lacks_has_no_route() -> None:
    """§wire [inferred]: the model on disk decides, so an older one brings fewer operations."""
    lacking = OPERATIONS.keys() - set(MODEL.operation_names)
    assert [name for name in lacking if load_service_model().route("POST", f"/{name}")] == []


@pytest.mark.parametrize("name", CLASSIC)
def test_operation_answers_at_method_and_path_of_the_model(name: str) -> None:
    """§wire [model]: POST /<Operation>, except DescribeVcenterClients and the three tag operations."""
    http = MODEL.operation_model(name).http
    found = load_service_model().route(http["method"], http["requestUri"].replace("{resourceArn}", "arn"))
    assert found is not None
    assert found[0].name == name


@pytest.mark.parametrize(
    ("name", "status"),
    [("CreateWave", 201), ("StartTest", 202), ("DeleteJob", 204), ("InitializeService", 204), ("FinalizeCutover", 200)],
)
def test_success_code_is_the_models(name: str, status: int) -> None:
    """§wire [model]: Create 201, job starters 202, Delete and InitializeService 204, the rest 200."""
    assert load_service_model().operations[name].status == status


def test_job_starter_answers_202(simulate: Any) -> None:
    """§wire [model]: job starters answer 202."""
    world = simulate()
    answer = world.mgn.start_test(sourceServerIDs=world.ids[:1])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202


def test_204_has_no_body(simulate: Any) -> None:
    """§wire [model]: InitializeService answers 204."""
    response = simulate().simulator.answer("POST", "/InitializeService")
    assert (response.status, response.body) == (204, b"")


def test_tag_path_is_matched_undecoded_and_decoded_once(simulate: Any) -> None:
    """§wire [tested]: the ARN is one percent-encoded path segment, untag repeats tagKeys."""
    world = simulate()
    arn = world.server(world.ids[0])["arn"]
    world.mgn.tag_resource(resourceArn=arn, tags={"a": "1", "b c": "2 %", "d": "3"})
    world.mgn.untag_resource(resourceArn=arn, tagKeys=["a", "b c"])
    assert world.mgn.list_tags_for_resource(resourceArn=arn)["tags"] == {"d": "3"}


def test_get_operation_takes_its_members_from_the_query(simulate: Any) -> None:
    """§wire [model]: DescribeVcenterClients is a GET with maxResults and nextToken."""
    world = simulate(vcenter_clients=3)
    first = world.mgn.describe_vcenter_clients(maxResults=2)
    rest = world.mgn.describe_vcenter_clients(maxResults=2, nextToken=first["nextToken"])
    assert (len(first["items"]), len(rest["items"])) == (2, 1)


def test_datetimes_are_strings(simulate: Any) -> None:
    """§wire [model]: ISO8601DatetimeString, so boto3 gives str."""
    world = simulate()
    assert world.server(world.ids[0])["lifeCycle"]["addedToServiceDateTime"] == "2026-01-05T06:49:00.000000+00:00"


def test_datetimes_end_in_z_behind_the_knob(simulate: Any) -> None:
    """§wire [field T22]: real output ended in +00:00 although the model's pattern asks for Z."""
    world = simulate(knobs={"timestamps": "Z"})
    assert world.server(world.ids[0])["lifeCycle"]["addedToServiceDateTime"].endswith("00Z")


def test_no_lag_is_p0d(simulate: Any) -> None:
    """§wire [field T22]: P0D means no lag."""
    world = simulate()
    assert world.server(world.ids[0])["dataReplicationInfo"]["lagDuration"] == "P0D"


def test_duration_carries_fractions_of_a_second(simulate: Any) -> None:
    """§wire [field T22]: durations such as PT16H20M38.697305S."""
    world = simulate()
    world.simulator.advance(16 * 3600 + 20 * 60 + 38.697305 - 3600)
    assert world.server(world.ids[0])["lifeCycle"]["elapsedReplicationDuration"] == "PT16H20M38.697305S"


def test_pages_follow_each_other_without_loss(simulate: Any) -> None:
    """§wire [model]: nextToken in and out, maxResults, items."""
    world = simulate(servers=[{"name": "s", "count": 25}])
    pages = list(world.mgn.get_paginator("describe_source_servers").paginate(PaginationConfig={"PageSize": 10}))
    found = [item["sourceServerID"] for page in pages for item in page["items"]]
    assert ([len(page["items"]) for page in pages], found) == ([10, 10, 5], world.ids)


def test_last_page_has_no_token(simulate: Any) -> None:
    """§wire [tested]: an absent token ends botocore's pagination."""
    world = simulate()
    assert "nextToken" not in world.mgn.describe_source_servers(maxResults=3)


def test_token_survives_new_servers(simulate: Any) -> None:
    """§wire [ours]: tokens tell a position, not an offset."""
    world = simulate(servers=[{"name": "s", "count": 4}])
    first = world.mgn.describe_source_servers(maxResults=2)
    gone = world.simulator.server("s-01").server_id
    del world.simulator.account.servers[gone]
    rest = world.mgn.describe_source_servers(maxResults=2, nextToken=first["nextToken"])
    assert [item["sourceServerID"] for item in rest["items"]] == world.ids[1:]


@pytest.mark.parametrize("token", ["nonsense", "WzEsMl0=", "bnVsbA=="])
def test_foreign_token_is_refused(simulate: Any, refused: Any, token: str) -> None:
    """§wire [ours]: a token of another query is a ValidationException."""
    error = refused(simulate().mgn.describe_source_servers, {"nextToken": token}, "ValidationException")
    assert error["fieldList"][0]["name"] == "nextToken"


def test_default_page_size_is_a_knob(simulate: Any) -> None:
    """§wire [inferred]: the service's own page size is unknown."""
    world = simulate(servers=[{"name": "s", "count": 5}], knobs={"default_page_size": 2})
    assert len(world.mgn.describe_source_servers()["items"]) == 2


def test_network_migration_says_it_is_not_simulated(simulate: Any, refused: Any) -> None:
    """§wire [model]: the operations under /network-migration/ are out of scope."""
    error = refused(simulate().mgn.list_network_migration_definitions, {}, "NotSimulatedException")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_unknown_path_is_an_unknown_operation(simulate: Any) -> None:
    """§wire [inferred]: nothing answers at a path the model does not have."""
    response = simulate().simulator.answer("POST", "/StartDiagnosticLaunch", body=b"{}")
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")


def test_responses_hold_only_members_of_the_model(simulate: Any) -> None:
    """§wire [model]: shapes come from the model, so an older one gets fewer members."""
    world = simulate()
    shape = MODEL.operation_model("StartTest").output_shape
    answer = world.simulator.answer("POST", "/StartTest", body=json.dumps({"sourceServerIDs": world.ids}).encode())
    assert _foreign(json.loads(answer.body), shape) == []


def test_source_server_holds_only_members_of_the_model(simulate: Any) -> None:
    """§wire [model]: members of SourceServer and all it holds."""
    world = simulate(knobs={"last_known_checks": True})
    world.launch("test", *world.ids)
    world.simulator.advance(600)
    answer = world.simulator.answer("POST", "/DescribeSourceServers", body=b"{}")
    assert _foreign(json.loads(answer.body), MODEL.operation_model("DescribeSourceServers").output_shape) == []


def _foreign(value: Any, shape: Any, path: str = "") -> list[str]:
    if shape.type_name == "structure":
        unknown = [f"{path}.{name}" for name in value if name not in shape.members]
        known = [(each, shape.members[name], f"{path}.{name}") for name, each in value.items() if name in shape.members]
        return unknown + [found for each in known for found in _foreign(*each)]
    if shape.type_name == "list":
        return [found for each in value for found in _foreign(each, shape.member, path)]
    return []
