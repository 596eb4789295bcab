"""MGN behind the gateway of the local engine."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

SERVER = "s-00000000000000001"
OTHER = "s-00000000000000002"
DESCRIBE = """
import boto3
def handler(event, context):
    try:
        return boto3.client("mgn").describe_source_servers(filters={})["items"][0]["arn"]
    except Exception as failure:
        return type(failure).__name__
"""


def arn(server: str) -> str:
    return f"arn:aws:mgn:us-east-1:000000000000:source-server/{server}"


def allow(*statements: tuple[str, str]) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in statements],
    }


def seen(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer["items"][0]["arn"])
    return found


def test_call_is_forwarded_as_it_came(aws: "Aws") -> None:
    answer = aws.client("mgn").describe_source_servers(filters={"sourceServerIDs": [SERVER]}, maxResults=5)
    body = {"filters": {"sourceServerIDs": [SERVER]}, "maxResults": 5}
    assert seen(answer) == {"method": "POST", "path": "/DescribeSourceServers", "body": body}


def test_arn_of_a_tagged_resource_stays_one_path_segment(aws: "Aws") -> None:
    tags = aws.client("mgn").list_tags_for_resource(resourceArn=arn(SERVER))["tags"]
    path = f"/tags/arn%3Aaws%3Amgn%3Aus-east-1%3A000000000000%3Asource-server%2F{SERVER}"
    assert json.loads(tags["echo"])["path"] == path


def test_removed_tag_keys_arrive_in_the_query(aws: "Aws") -> None:
    aws.client("mgn").untag_resource(resourceArn=arn(SERVER), tagKeys=["a b", "c"])


def test_errors_of_the_simulator_reach_the_caller(aws: "Aws") -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.client("mgn").finalize_cutover(sourceServerID="s-0000000000000dead")


def test_handlers_reach_the_simulator_through_the_gateway(aws: "Aws") -> None:
    assert "/DescribeSourceServers" in aws.invoke(aws.function(DESCRIBE))["payload"]


def test_under_auth_handlers_need_the_permission(secured: "Aws") -> None:
    role = secured.role(allow(("mgn:StartTest", "*")))
    assert secured.invoke(secured.function(DESCRIBE, Role=role))["payload"] == "AccessDeniedException"


def test_allowed_operation_passes(secured: "Aws") -> None:
    mgn = secured.user(allow(("mgn:DescribeSourceServers", "*")))("mgn")
    assert seen(mgn.describe_source_servers(filters={}))["path"] == "/DescribeSourceServers"


def test_other_operation_is_denied(secured: "Aws") -> None:
    mgn = secured.user(allow(("mgn:DescribeSourceServers", "*")))("mgn")
    with pytest.raises(ClientError, match="AccessDenied"):
        mgn.start_test(sourceServerIDs=[SERVER])


def test_operation_needs_every_server_it_names(secured: "Aws") -> None:
    mgn = secured.user(allow(("mgn:StartTest", arn(SERVER))))("mgn")
    mgn.start_test(sourceServerIDs=[SERVER])
    with pytest.raises(ClientError, match="AccessDenied"):
        mgn.start_test(sourceServerIDs=[SERVER, OTHER])


def test_single_server_operation_is_scoped_to_that_server(secured: "Aws") -> None:
    mgn = secured.user(allow(("mgn:FinalizeCutover", arn(SERVER))))("mgn")
    mgn.finalize_cutover(sourceServerID=SERVER)
    with pytest.raises(ClientError, match="AccessDenied"):
        mgn.finalize_cutover(sourceServerID=OTHER)


def test_tags_on_a_launch_need_the_tagging_permission(secured: "Aws") -> None:
    launch, tag = ("mgn:StartTest", "*"), ("mgn:TagResource", "*")
    with pytest.raises(ClientError, match="AccessDenied"):
        secured.user(allow(launch))("mgn").start_test(sourceServerIDs=[SERVER], tags={"k": "v"})
    secured.user(allow(launch, tag))("mgn").start_test(sourceServerIDs=[SERVER], tags={"k": "v"})


def test_tagging_is_scoped_to_the_resource(secured: "Aws") -> None:
    mgn = secured.user(allow(("mgn:TagResource", arn(SERVER))))("mgn")
    mgn.tag_resource(resourceArn=arn(SERVER), tags={"k": "v"})
    with pytest.raises(ClientError, match="AccessDenied"):
        mgn.tag_resource(resourceArn=arn(OTHER), tags={"k": "v"})


def test_policy_may_ask_for_a_tag_of_the_server(secured: "Aws") -> None:
    def finalize(tag: str) -> None:
        policy = allow(("mgn:FinalizeCutover", "*"))
        policy["Statement"][0]["Condition"] = {"Null": {f"aws:ResourceTag/{tag}": "false"}}
        secured.user(policy)("mgn").finalize_cutover(sourceServerID=SERVER)

    finalize("echo")
    with pytest.raises(ClientError, match="AccessDenied"):
        finalize("absent")


def test_log_of_a_job_is_scoped_to_that_job(secured: "Aws") -> None:
    job = "mgnjob-00000000000000001"
    mgn = secured.user(allow(("mgn:DescribeJobLogItems", f"arn:aws:mgn:us-east-1:000000000000:job/{job}")))("mgn")
    mgn.describe_job_log_items(jobID=job)
    with pytest.raises(ClientError, match="AccessDenied"):
        mgn.describe_job_log_items(jobID="mgnjob-00000000000000002")
