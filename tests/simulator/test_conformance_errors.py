"""Errors: codes, status, members, where each may come from."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.serialize import create_serializer

NOBODY = "s-" + "0" * 17
MODEL: Any = botocore.session.get_session().get_service_model("mgn")
CLASSIC = [name for name in MODEL.operation_names
           if not MODEL.operation_model(name).http["requestUri"].startswith("/network-migration/")]  # fmt: skip
SERIALIZER: Any = create_serializer("rest-json", include_validation=False)
PREFIXES = ("s", "app", "wave", "connector", "mgnjob", "lct", "rct", "vcc", "export", "import", "i", "subnet", "sg")


def test_error_type_header_is_always_there(simulate: Any) -> None:
    """§errors [tested]: MGN errors have a `code` member of their own, so only the header is safe."""
    answer = simulate().simulator.answer(
        "POST", "/FinalizeCutover", body=json.dumps({"sourceServerID": NOBODY}).encode()
    )
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (404, "ResourceNotFoundException")


def test_not_found_names_the_resource(simulate: Any, refused: Any) -> None:
    """§errors [model]: resourceId and resourceType."""
    error = refused(simulate().mgn.finalize_cutover, {"sourceServerID": NOBODY}, "ResourceNotFoundException")
    assert (error["resourceId"], error["resourceType"]) == (NOBODY, "SourceServer")


def test_conflict_is_409_with_its_resource(simulate: Any, refused: Any) -> None:
    """§errors [model]: ConflictException, 409."""
    world = simulate()
    error = refused(world.mgn.finalize_cutover, {"sourceServerID": world.ids[0]}, "ConflictException")
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["resourceId"]) == (409, world.ids[0])


def test_quota_exceeded_is_402_with_quota_members(simulate: Any, refused: Any) -> None:
    """§errors [model]: ServiceQuotaExceededException is 402."""
    world = simulate(quotas={"active_waves": 1})
    world.mgn.create_wave(name="one")
    error = refused(world.mgn.create_wave, {"name": "two"}, "ServiceQuotaExceededException")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 402
    assert (error["serviceCode"], error["quotaValue"]) == ("mgn", 1)


def test_uninitialized_account_is_told_so(simulate: Any, refused: Any) -> None:
    """§account [model]: UninitializedAccountException before InitializeService."""
    world = simulate(initialized=False)
    error = refused(world.mgn.describe_source_servers, {}, "UninitializedAccountException")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_initialize_service_opens_the_account(simulate: Any) -> None:
    """§account [model]: InitializeService itself does not need an initialized account."""
    world = simulate(initialized=False)
    world.mgn.initialize_service()
    assert len(world.mgn.describe_source_servers()["items"]) == 3


def test_tagging_does_not_need_an_initialized_account(simulate: Any) -> None:
    """§account [model]: the tag operations do not list that error."""
    world = simulate(initialized=False)
    arn = next(iter(world.simulator.account.servers.values())).arn
    assert world.mgn.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_throttling_is_429_with_retry_after(simulate: Any) -> None:
    """§errors [model]: Retry-After travels as a header."""
    world = simulate(faults=[{"kind": "call", "outcome": "throttle"}])
    answer = world.simulator.answer("POST", "/DescribeJobs", body=b"{}")
    assert (answer.status, answer.headers["Retry-After"], answer.headers["x-amzn-ErrorType"]) == (
        429, "1", "ThrottlingException",
    )  # fmt: skip


def members(name: str) -> Any:
    shape = MODEL.operation_model(name).input_shape
    return shape.members if shape else {}


def sample(shape: Any, ids: dict[str, str]) -> Any:
    """A well-formed value of a shape with what it requires; `ids` are used where they fit."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name], ids) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member, ids)]
    if shape.type_name == "map":
        return {"k": sample(shape.value, ids)}
    if shape.type_name != "string":
        return shape.type_name == "boolean" or shape.metadata.get("min", 1)
    if shape.enum:
        return shape.enum[0]
    numbered = [f"{prefix}-{'0' * 17}" for prefix in PREFIXES]
    pattern = re.compile(shape.metadata.get("pattern", ".*"))
    return ids.get(shape.name) or next(text for text in ("name", "a.csv", *numbered) if pattern.fullmatch(text))


def spoilt(shape: Any, value: Any) -> Any:
    """The same value with every text that has a pattern broken."""
    if shape.type_name == "structure":
        return {name: spoilt(shape.members[name], each) for name, each in value.items()}
    if shape.type_name == "list":
        return [spoilt(shape.member, each) for each in value]
    return "\x00 " if shape.metadata.get("pattern") else value


def answered(world: Any, name: str, parameters: dict[str, Any]) -> str:
    """The error code of a request sent without botocore's own checks, empty when it succeeds."""
    request = SERIALIZER.serialize_to_request(parameters, MODEL.operation_model(name))
    query, body = urlencode(request["query_string"], doseq=True), request["body"]
    answer = world.simulator.answer(request["method"], request["url_path"], query, body)
    return "" if answer.status < 300 else str(answer.headers["x-amzn-ErrorType"])


def existing(world: Any) -> dict[str, str]:
    """One resource of each kind that can be had."""
    call, place = world.simulator.call, {"s3Bucket": "b", "s3Key": "k.csv"}
    job = call("StartTest", sourceServerIDs=world.ids[:1])["job"]["jobID"]
    world.simulator.finish_jobs()
    return {
        "SourceServerID": world.ids[0],
        "JobID": job,
        "LaunchConfigurationTemplateID": call("DescribeLaunchConfigurationTemplates")["items"][0][
            "launchConfigurationTemplateID"
        ],
        "ApplicationID": call("CreateApplication", name="a")["applicationID"],
        "WaveID": call("CreateWave", name="w")["waveID"],
        "ImportID": call("StartImport", s3BucketSource=place)["importTask"]["importID"],
        "ExportID": call("StartExport", **place)["exportTask"]["exportID"],
        "VcenterClientID": call("DescribeVcenterClients")["items"][0]["vcenterClientID"],
    }


@pytest.mark.parametrize("state", ["READY_FOR_TEST", "CUTTING_OVER", "STOPPED", "CUTOVER", "unknown"])
@pytest.mark.parametrize("name", CLASSIC)
def test_operation_refuses_only_with_errors_it_models(simulate: Any, name: str, state: str) -> None:
    """§errors [model]: each operation has its own list of errors, whether its resources are unknown or in any state."""
    operation = MODEL.operation_model(name)
    world = simulate("READY_FOR_TEST", state if state != "unknown" else "STOPPED", vcenter_clients=1)
    ids = {} if state == "unknown" else {**existing(world), "SourceServerID": world.ids[1]}
    parameters = sample(operation.input_shape, ids) if operation.input_shape else {}
    modelled = {shape.name for shape in operation.error_shapes}
    assert answered(world, name, parameters) in {"", *modelled}


@pytest.mark.parametrize("name", [name for name in CLASSIC if members(name)])
def test_malformed_request_is_a_validation_exception(simulate: Any, name: str) -> None:
    """§errors [model]: patterns are checked on every operation, also where the model lists no ValidationException."""
    shape = MODEL.operation_model(name).input_shape
    well = sample(shape, {})
    if (ill := spoilt(shape, well)) != well:
        assert answered(simulate(), name, ill) == "ValidationException"


@pytest.mark.parametrize("name", [name for name in CLASSIC if "nextToken" in members(name)])
def test_bad_token_is_a_validation_exception(simulate: Any, name: str) -> None:
    """§errors [ours]: a token nobody gave is malformed like any other member."""
    world = simulate(vcenter_clients=1)
    shape = MODEL.operation_model(name).input_shape
    parameters = {**sample(shape, existing(world)), "nextToken": "nonsense"}
    assert answered(world, name, parameters) == "ValidationException"


@pytest.mark.parametrize(
    ("name", "parameters", "models_it"),
    [
        ("ListWaves", {"nextToken": "nonsense"}, False),
        ("ArchiveWave", {"waveID": "w"}, False),
        ("DescribeJobs", {"nextToken": "nonsense"}, True),
        ("DescribeJobs", {"maxResults": 0}, True),
    ],
)
def test_malformed_request_where_no_validation_exception_is_modelled_is_a_knob(
    simulate: Any, name: str, parameters: dict[str, Any], models_it: bool
) -> None:
    """§errors [ours]: AWS services answer such calls with a common error, whose name is not established."""
    world = simulate(knobs={"unmodelled_validation_error": "ValidationError"})
    assert answered(world, name, parameters) == ("ValidationException" if models_it else "ValidationError")


def test_unknown_server_in_a_starter_is_a_knob(simulate: Any, refused: Any) -> None:
    """§errors [model]: ResourceNotFoundException is not modelled on the starters, so another class must say it."""
    refused(simulate().mgn.start_test, {"sourceServerIDs": [NOBODY]}, "ValidationException", NOBODY)
    other = simulate(knobs={"unknown_server_error": "ConflictException"})
    refused(other.mgn.start_test, {"sourceServerIDs": [NOBODY]}, "ConflictException", NOBODY)


def test_foreign_account_is_denied_unless_managed(simulate: Any, refused: Any) -> None:
    """§account [inferred]: what accountID of another account does is unknown."""
    world = simulate(managed_accounts=["222222222222"])
    refused(world.mgn.describe_source_servers, {"accountID": "333333333333"}, "AccessDeniedException")
    assert len(world.mgn.describe_source_servers(accountID="222222222222")["items"]) == 3


@pytest.mark.parametrize(("readied", "outcome"), [(False, "late ok"), (True, "late ConflictException")])
def test_unanswered_request_may_arrive_late(simulate: Any, readied: bool, outcome: str) -> None:
    """§errors [inferred]: knob late_arrival_seconds. It is judged by what is so when it arrives."""
    world = simulate(knobs={"late_arrival_seconds": 100})
    world.simulator.inject({"kind": "call", "operations": ["StartTest"], "outcome": "timeout_late", "calls": [1]})
    assert world.simulator.ask("StartTest", {"sourceServerIDs": world.ids[:1]}).hang_up == "after"
    world.simulator.advance(99)
    assert not world.simulator.account.jobs
    if readied:
        world.mark(world.ids[0], "READY_FOR_CUTOVER")
    world.simulator.advance(1)
    assert len(world.simulator.account.jobs) == (not readied)
    calls = [entry for entry in world.simulator.log(kind="call") if entry["operation"] == "StartTest"]
    assert [entry["outcome"] for entry in calls] == ["timeout_late", outcome]
