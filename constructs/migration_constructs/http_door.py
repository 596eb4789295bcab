"""The HTTP door: a REST API in front of one function."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from migration_constructs.acknowledgements import acknowledge
from migration_constructs.gateway_schema import gateway_schema
from runtime.models.http import ROUTES, DecisionBody, Right, Route
from runtime.models.request import MigrationRequest

STAGE = "v1"
LOG_POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
PROBLEM = "application/problem+json"
# Who asked for what, with which result; no body and no query, which may say more than a log should.
ACCESS = {
    "requestId": apigateway.AccessLogField.context_request_id(),
    "at": apigateway.AccessLogField.context_request_time(),
    "caller": apigateway.AccessLogField.context_identity_user_arn(),
    "ip": apigateway.AccessLogField.context_identity_source_ip(),
    "method": apigateway.AccessLogField.context_http_method(),
    "path": apigateway.AccessLogField.context_path(),
    "status": apigateway.AccessLogField.context_status(),
    "error": apigateway.AccessLogField.context_error_message(),
    "milliseconds": apigateway.AccessLogField.context_response_latency(),
}
# In quotes already; other words of the context may hold quotes of their own.
WORDS = "$context.error.messageString"
STATUS = "$context.status"
WHERE = "X-Validation-Error"
INVALID = f"the body does not fit the schema: the header {WHERE} says where"
UNSIGNED = "the request is not signed for execute-api, or there is no such path"
REFUSALS = (
    (apigateway.ResponseType.BAD_REQUEST_BODY, "400", "Bad Request", INVALID),
    (apigateway.ResponseType.ACCESS_DENIED, "403", "Forbidden", WORDS),
    (apigateway.ResponseType.MISSING_AUTHENTICATION_TOKEN, "403", "Forbidden", UNSIGNED),
    (apigateway.ResponseType.THROTTLED, "429", "Too Many Requests", "too many at once; try again in a second"),
    (apigateway.ResponseType.DEFAULT_4_XX, STATUS, "Refused", WORDS),
    (apigateway.ResponseType.DEFAULT_5_XX, STATUS, "Failed", WORDS),
)


@dataclass(frozen=True, kw_only=True)
class Doorstep:
    """How the door is reached, and how fast."""

    per_second: int
    burst: int
    vpc_endpoint_ids: Sequence[str] = ()
    """Reached through these only; none: by everyone who can sign for this account."""
    web_acl_arn: str | None = None
    sets_log_role: bool = True
    """API Gateway writes logs with one role of the account's."""


class HttpDoor(Construct):
    """IAM authorization, validation of bodies, throttling and access logs before the function is asked."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        handler: lambda_.IFunction,
        doorstep: Doorstep,
        key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id_)
        access = logs.LogGroup(
            self, "Access", encryption_key=key, retention=log_retention, removal_policy=removal_policy
        )
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=name,
            description="Migration orchestrator: requests, decisions and what became of them.",
            endpoint_configuration=_endpoint(self, doorstep),
            policy=_policy(doorstep),
            cloud_watch_role=doorstep.sets_log_role,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=doorstep.per_second,
                throttling_burst_limit=doorstep.burst,
                tracing_enabled=True,
                access_log_destination=apigateway.LogGroupLogDestination(access),
                access_log_format=apigateway.AccessLogFormat.custom(Stack.of(self).to_json_string(ACCESS)),
            ),
        )
        # CDK tells the URL in an output of its own; the deployment has one.
        self.api.node.try_remove_child("Endpoint")
        self._validator = self.api.add_request_validator(
            "Bodies", validate_request_body=True, validate_request_parameters=True
        )
        self._models = {body: self._model(body) for body in (MigrationRequest, DecisionBody)}
        integration = apigateway.LambdaIntegration(handler, allow_test_invoke=False)
        for route in ROUTES:
            self._add(route, integration)
        for refusal in REFUSALS:
            self._refuse(*refusal)
        if doorstep.sets_log_role:
            acknowledge(
                self.api,
                {
                    f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{LOG_POLICY}]": (
                        "API Gateway writes the logs of all APIs with this one role, and this is its policy."
                    )
                },
            )
        if doorstep.web_acl_arn:
            wafv2.CfnWebACLAssociation(
                self, "WebAcl", resource_arn=self.api.deployment_stage.stage_arn, web_acl_arn=doorstep.web_acl_arn
            )
        else:
            acknowledge(
                self.api, {"AwsSolutions-APIG3": "Who is not signed in gets no further; a stage may name an ACL."}
            )
        acknowledge(
            self.api,
            {
                "AwsSolutions-APIG6": "Access is logged. Execution logs lie in a group that nobody encrypts.",
                "AwsSolutions-COG4": "IAM authorizes every method, so that AWS says who decides.",
            },
        )

    def arns(self, *rights: Right) -> list[str]:
        """The methods that callers with these rights may invoke."""
        api = f"arn:{Aws.PARTITION}:execute-api:{Aws.REGION}:{Aws.ACCOUNT_ID}:{self.api.rest_api_id}"
        return [f"{api}/{STAGE}/{route.method}{any_id(route.path)}" for route in ROUTES if route.right in rights]

    def _add(self, route: Route, integration: apigateway.Integration) -> None:
        query = (
            {f"method.request.querystring.{name}": False for name in route.query.model_fields} if route.query else {}
        )
        self.api.root.resource_for_path(route.path).add_method(
            route.method,
            integration,
            authorization_type=apigateway.AuthorizationType.IAM,
            operation_name=route.name,
            request_validator=self._validator,
            request_models={"application/json": self._models[route.body]} if route.body else None,
            request_parameters=query or None,
        )

    def _model(self, body: type[MigrationRequest | DecisionBody]) -> apigateway.IModel:
        # CDK's own JsonSchema knows fewer words than API Gateway.
        made = apigateway.CfnModel(
            self,
            body.__name__,
            rest_api_id=self.api.rest_api_id,
            content_type="application/json",
            name=body.__name__,
            schema=gateway_schema(body),
        )
        if deployment := self.api.latest_deployment:
            # A deployment keeps the models as they were when it was made.
            deployment.node.add_dependency(made)
            deployment.add_to_logical_id(gateway_schema(body))
        return apigateway.Model.from_model_name(self, f"{body.__name__}Model", made.ref)

    def _refuse(self, response_type: apigateway.ResponseType, status: str, title: str, detail: str) -> None:
        # The context's own values stand there as they are: a number, and a text with its quotes.
        written = (json.dumps({"title": title})[1:-1], f'"status":{status}', f'"detail":{_quoted(detail)}')
        headers = {"Content-Type": f"'{PROBLEM}'"}
        if detail is INVALID:
            headers[WHERE] = "context.error.validationErrorString"
        self.api.add_gateway_response(
            response_type.response_type.replace("_", " ").title().replace(" ", ""),
            type=response_type,
            status_code=None if status is STATUS else status,
            response_headers=headers,
            templates={"application/json": '{"type":"about:blank",' + ",".join(written) + "}"},
        )


def _quoted(text: str) -> str:
    return text if text is WORDS else json.dumps(text)


def any_id(path: str) -> str:
    """The path of a route with every id."""
    return "/".join("*" if part.startswith("{") else part for part in path.split("/"))


def _endpoint(scope: Construct, doorstep: Doorstep) -> apigateway.EndpointConfiguration:
    if not doorstep.vpc_endpoint_ids:
        return apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL])
    endpoints = [
        ec2.InterfaceVpcEndpoint.from_interface_vpc_endpoint_attributes(
            scope, f"Endpoint{number}", port=443, vpc_endpoint_id=id_
        )
        for number, id_ in enumerate(doorstep.vpc_endpoint_ids, start=1)
    ]
    return apigateway.EndpointConfiguration(types=[apigateway.EndpointType.PRIVATE], vpc_endpoints=endpoints)


def _policy(doorstep: Doorstep) -> iam.PolicyDocument:
    """Nobody of another account, and nobody by another way; who may do what is said by policies of callers."""
    everything = ["execute-api:/*"]
    statements = [
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["execute-api:Invoke"],
            resources=everything,
            conditions={"StringNotEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
        ),
        # Without it a private API lets nobody in. To an account's own principals it gives nothing by itself.
        iam.PolicyStatement(
            principals=[iam.AccountRootPrincipal()], actions=["execute-api:Invoke"], resources=everything
        ),
    ]
    if doorstep.vpc_endpoint_ids:
        statements.append(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["execute-api:Invoke"],
                resources=everything,
                conditions={"StringNotEquals": {"aws:SourceVpce": list(doorstep.vpc_endpoint_ids)}},
            )
        )
    return iam.PolicyDocument(statements=statements)
