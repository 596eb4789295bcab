"""Errors: codes, status, members, where each may come from."""

import json
from typing import Any

import botocore.session
import pytest

NOBODY = "s-" + "0" * 17
MODEL: Any = botocore.session.get_session().get_service_model("mgn")


def test_error_type_header_is_always_there(simulate: Any) -> None:
    """§0 [tested]: MGN errors have a `code` member of their own, so only the header is safe."""
    answer = simulate().simulator.answer(
        "POST", "/FinalizeCutover", body=json.dumps({"sourceServerID": NOBODY}).encode()
    )
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (404, "ResourceNotFoundException")


def test_not_found_names_the_resource(simulate: Any, refused: Any) -> None:
    """§0 [model]: resourceId and resourceType."""
    error = refused(simulate().mgn.finalize_cutover, {"sourceServerID": NOBODY}, "ResourceNotFoundException")
    assert (error["resourceId"], error["resourceType"]) == (NOBODY, "SourceServer")


def test_conflict_is_409_with_its_resource(simulate: Any, refused: Any) -> None:
    """§0 [model]: ConflictException, 409."""
    world = simulate()
    error = refused(world.mgn.finalize_cutover, {"sourceServerID": world.ids[0]}, "ConflictException")
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["resourceId"]) == (409, world.ids[0])


def test_quota_exceeded_is_402_with_quota_members(simulate: Any, refused: Any) -> None:
    """§0 [model]: ServiceQuotaExceededException is 402."""
    world = simulate(quotas={"active_waves": 1})
    world.mgn.create_wave(name="one")
    error = refused(world.mgn.create_wave, {"name": "two"}, "ServiceQuotaExceededException")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 402
    assert (error["serviceCode"], error["quotaValue"]) == ("mgn", 1)


def test_uninitialized_account_is_told_so(simulate: Any, refused: Any) -> None:
    """§2.6 [model]: UninitializedAccountException before InitializeService."""
    world = simulate(initialized=False)
    error = refused(world.mgn.describe_source_servers, {}, "UninitializedAccountException")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_initialize_service_opens_the_account(simulate: Any) -> None:
    """§2.6 [model]: InitializeService itself does not need an initialized account."""
    world = simulate(initialized=False)
    world.mgn.initialize_service()
    assert len(world.mgn.describe_source_servers()["items"]) == 3


def test_tagging_does_not_need_an_initialized_account(simulate: Any) -> None:
    """§2.6 [model]: the tag operations do not list that error."""
    world = simulate(initialized=False)
    arn = next(iter(world.simulator.account.servers.values())).arn
    assert world.mgn.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_throttling_is_429_with_retry_after(simulate: Any) -> None:
    """§0 [model]: Retry-After travels as a header."""
    world = simulate(faults=[{"kind": "call", "outcome": "throttle"}])
    answer = world.simulator.answer("POST", "/DescribeJobs", body=b"{}")
    assert (answer.status, answer.headers["Retry-After"], answer.headers["x-amzn-ErrorType"]) == (
        429, "1", "ThrottlingException",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("DescribeJobLogItems", {"jobID": "mgnjob-" + "0" * 17}),
        ("RetryDataReplication", {"sourceServerID": "READY"}),
        ("StartTest", {"sourceServerIDs": [NOBODY]}),
        ("StartCutover", {"sourceServerIDs": ["READY"]}),
        ("TerminateTargetInstances", {"sourceServerIDs": [NOBODY]}),
        ("RemoveSourceServerAction", {"sourceServerID": "READY", "actionID": "a"}),
        ("ListImportErrors", {"importID": "import-" + "0" * 17}),
        ("ResumeReplication", {"sourceServerID": "READY"}),
        ("MarkAsArchived", {"sourceServerID": "READY"}),
        ("DeleteSourceServer", {"sourceServerID": "READY"}),
        ("DeleteConnector", {"connectorID": "connector-" + "0" * 17}),
        ("ArchiveWave", {"waveID": "wave-" + "0" * 17}),
    ],
)
def test_operation_refuses_only_with_errors_it_models(
    simulate: Any, operation: str, parameters: dict[str, Any]
) -> None:
    """§2 [model]: each operation has its own list of errors."""
    world = simulate()
    body = json.dumps(parameters).replace("READY", world.ids[0]).encode()
    answer = world.simulator.answer("POST", f"/{operation}", body=body)
    modelled = {shape.name for shape in MODEL.operation_model(operation).error_shapes}
    assert answer.headers["x-amzn-ErrorType"] in modelled


def test_unknown_server_in_a_starter_is_a_knob(simulate: Any, refused: Any) -> None:
    """§2.2 [model]: ResourceNotFoundException is not modelled on the starters, so another class must say it."""
    refused(simulate().mgn.start_test, {"sourceServerIDs": [NOBODY]}, "ValidationException", NOBODY)
    other = simulate(knobs={"unknown_server_error": "ConflictException"})
    refused(other.mgn.start_test, {"sourceServerIDs": [NOBODY]}, "ConflictException", NOBODY)


def test_foreign_account_is_denied_unless_managed(simulate: Any, refused: Any) -> None:
    """§15 [inferred]: what accountID of another account does is unknown."""
    world = simulate(managed_accounts=["222222222222"])
    refused(world.mgn.describe_source_servers, {"accountID": "333333333333"}, "AccessDeniedException")
    assert len(world.mgn.describe_source_servers(accountID="222222222222")["items"]) == 3
