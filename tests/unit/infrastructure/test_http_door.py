"""The HTTP door as deployed: signed, validated, throttled and logged, or private."""

import json
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from runtime.models.http import ROUTES, Problem
from tests.unit.infrastructure.synthesis import (
    Json,
    context,
    functions,
    plain,
    resources,
    stacks,
    synthesized,
    template,
)

PRIVATE: Json = {
    "removal_policy": "retain",
    "log_retention_days": 365,
    "http": {
        "per_second": 10,
        "burst": 20,
        "vpc_endpoint_ids": ["vpce-0123456789abcdef0"],
        "web_acl_arn": "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/door/1",
        "sets_log_role": False,
    },
}


def of(type_: str) -> list[Json]:
    return list(resources("dev", "Orchestration", f"AWS::ApiGateway::{type_}").values())


@pytest.fixture(scope="module")
def private() -> Template:
    assembly = synthesized(context("guarded", guarded=PRIVATE))
    return Template.from_json(json.loads(stacks(assembly)["MigrationGuardedOrchestration"].file.read_text()))


def test_every_route_is_a_method_that_iam_authorizes_and_the_gateway_validates() -> None:
    methods = of("Method")
    assert {each["OperationName"] for each in methods} == {route.name for route in ROUTES}
    assert {each["AuthorizationType"] for each in methods} == {"AWS_IAM"}
    assert all(each["RequestValidatorId"] for each in methods)
    with_body = {each["OperationName"] for each in methods if each.get("RequestModels")}
    assert with_body == {route.name for route in ROUTES if route.body}
    (validator,) = of("RequestValidator")
    assert (validator["ValidateRequestBody"], validator["ValidateRequestParameters"]) == (True, True)


def test_fifty_requests_a_second_are_let_in_and_each_is_logged() -> None:
    (stage,) = of("Stage")
    (setting,) = stage["MethodSettings"]
    assert (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]) == (50, 100)
    assert stage["TracingEnabled"]
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert logged["caller"] == "$context.identity.userArn"
    assert not {"body", "query"} & set(logged)


def test_nobody_of_another_account_is_let_in_and_the_policy_gives_nobody_a_right() -> None:
    (api,) = of("RestApi")
    deny, admit = plain(api["Policy"]["Statement"])
    assert (deny["Effect"], deny["Condition"]) == (
        "Deny",
        {"StringNotEquals": {"aws:PrincipalAccount": "${AWS::AccountId}"}},
    )
    assert admit["Principal"]["AWS"].endswith(":root")


def test_whoever_is_refused_gets_a_problem() -> None:
    for refusal in of("GatewayResponse"):
        (body,) = refusal["ResponseTemplates"].values()
        # As API Gateway fills them in: a number, and a text in quotes of its own.
        filled = body.replace("$context.status", "400").replace("$context.error.messageString", '"no \\"such\\" key"')
        assert Problem.model_validate_json(filled).status >= 400
        assert "$context" not in filled
        kind = refusal["ResponseParameters"]["gatewayresponse.header.Content-Type"]
        assert kind == "'application/problem+json'"


def test_where_a_body_is_wrong_stands_in_a_header_as_it_may_hold_quotes() -> None:
    (refusal,) = (each for each in of("GatewayResponse") if each["ResponseType"] == "BAD_REQUEST_BODY")
    where = refusal["ResponseParameters"]["gatewayresponse.header.X-Validation-Error"]
    assert where == "context.error.validationErrorString"


@pytest.mark.parametrize(
    ("policy", "routes"),
    [
        ("MigrationSender", {"submitMigration", "submitTest"}),
        ("MigrationReader", {"listMigrations", "showMigration", "showJournal"}),
        ("MigrationApprover", {"listMigrations", "showMigration", "showJournal", "decide"}),
    ],
)
def test_i14_who_may_ask_may_not_decide_by_http_either(policy: str, routes: set[str]) -> None:
    found = resources("dev", "Access", "AWS::IAM::ManagedPolicy").values()
    statements = next(
        each["PolicyDocument"]["Statement"]
        for each in plain(list(found))
        if each["ManagedPolicyName"].startswith(policy)
    )
    (use,) = (each for each in statements if each["Action"] == "execute-api:Invoke")
    allowed = {arn.partition("/v1/")[2] for arn in use["Resource"]}
    paths = {f"{r.method}{r.path.replace('{migrationId}', '*')}" for r in ROUTES if r.name in routes}
    assert allowed == paths


def test_stage_without_the_setting_has_no_door() -> None:
    template("prod", "Orchestration").resource_count_is("AWS::ApiGateway::RestApi", 0)
    assert "http_handler" not in functions("prod")
    assert "http_handler" in functions("dev")


def test_private_door_opens_through_its_endpoints_only(private: Template) -> None:
    private.has_resource_properties(
        "AWS::ApiGateway::RestApi",
        {
            "EndpointConfiguration": {"Types": ["PRIVATE"], "VpcEndpointIds": ["vpce-0123456789abcdef0"]},
            "Policy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Deny",
                                "Condition": {"StringNotEquals": {"aws:SourceVpce": ["vpce-0123456789abcdef0"]}},
                            }
                        )
                    ]
                )
            },
        },
    )


def test_web_acl_stands_before_the_door_that_names_one(private: Template) -> None:
    acl: Any = PRIVATE["http"]["web_acl_arn"]
    private.has_resource_properties("AWS::WAFv2::WebACLAssociation", {"WebACLArn": acl})
    private.resource_count_is("AWS::ApiGateway::Account", 0)
