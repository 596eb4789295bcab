"""The deployment of one stage: found through its stack's outputs, spoken to with boto3."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_pascal

from cli.exits import UnreachableError
from cli.output import warn
from cli.sent import Outbox
from cli.target import DEFAULT_STAGE, LOCAL_STAGE, Target
from runtime.errors import UnreadableDocumentError
from runtime.models.deployment import Deployment, stack_name

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

    from runtime.adapters.state.state import DynamoDbState

REPOSITORY = Path(__file__).parents[1]
LOCAL_CLOUD = Path("out/local/cloud.json")
LOCAL_CREDENTIAL, LOCAL_REGION = "test", "us-east-1"
CONNECTIONS = 16


class LocalCloud(BaseModel):
    """What is read of a running local cloud's state."""

    model_config = ConfigDict(extra="ignore")

    endpoint: str
    region: str = LOCAL_REGION


class Deployed:
    """One stage's deployment; nothing is looked up before it is needed."""

    def __init__(self, target: Target) -> None:
        self.stage = target.stage or DEFAULT_STAGE
        self._target = target
        self.is_local = self.stage == LOCAL_STAGE
        if self.is_local and target.endpoint_url is None:
            cloud = _local_cloud()
            self._target = target.or_else(Target(endpoint_url=cloud.endpoint, region=cloud.region))

    @property
    def endpoint(self) -> str | None:
        """What is spoken to instead of AWS."""
        return self._target.endpoint_url

    @property
    def region(self) -> str | None:
        """The stage's Region."""
        return self._session.region_name

    @cached_property
    def deployment(self) -> Deployment:
        """The outputs of the stage's orchestration stack."""
        name = stack_name(self.stage, "Orchestration")
        outputs = {output["OutputKey"]: output["OutputValue"] for output in self._stack.get("Outputs", [])}
        keys = {to_pascal(field): field for field in Deployment.model_fields}
        try:
            return Deployment.model_validate({keys[key]: value for key, value in outputs.items() if key in keys})
        except ValidationError as error:
            required = {key for key, field in keys.items() if Deployment.model_fields[field].is_required()}
            missing = ", ".join(sorted(required - outputs.keys()))
            raise UnreachableError(
                f"the stack {name} {self._where} has no output {missing}; "
                f"its deployment failed or is of another version: {self._deploy_it}"
            ) from error

    @cached_property
    def outbox(self) -> Outbox:
        """What this user sent to the stage and nobody has answered yet."""
        return Outbox(self._stack.get("StackId", self.deployment.queue_url))

    @cached_property
    def _stack(self) -> Any:
        from botocore.exceptions import ClientError

        name = stack_name(self.stage, "Orchestration")
        try:
            return self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ValidationError":
                raise
            raise UnreachableError(f"there is no stack {name} {self._where}: {self._deploy_it}") from error

    @cached_property
    def state(self) -> "DynamoDbState":
        """The migrations and what is kept of them, for reading."""
        from runtime.adapters.state.state import DynamoDbState

        return DynamoDbState(self.client("dynamodb"), self.deployment.state_table_name, _warn)

    @cached_property
    def queues(self) -> "SQSClient":
        client: SQSClient = self.client("sqs")
        return client

    @cached_property
    def buses(self) -> "EventBridgeClient":
        client: EventBridgeClient = self.client("events")
        return client

    @cached_property
    def callback_secret(self) -> str:
        """The secret that the keys of callbacks' receivers are derived from."""
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.deployment.callback_secret_arn)
        return str(secret["SecretString"])

    @cached_property
    def _session(self) -> "Session":
        from boto3 import Session

        region = self._target.region or (LOCAL_REGION if self.is_local else None)
        dummy = LOCAL_CREDENTIAL if self.is_local and not self._target.profile else None
        return Session(dummy, dummy, profile_name=self._target.profile, region_name=region)

    def account(self) -> str:
        """The account of whoever runs the command."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: Any, region: str | None = None) -> Any:
        """A client of the caller's own account, in the stage's Region or another."""
        from botocore.config import Config

        config = Config(
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": 4},
        )
        return self._session.client(service, region, endpoint_url=self._target.endpoint_url, config=config)

    @property
    def _where(self) -> str:
        return f"at {self._target.endpoint_url}" if self._target.endpoint_url else f"in {self._session.region_name}"

    @property
    def _deploy_it(self) -> str:
        if self.is_local:
            return "deploy it with `make local`"
        return f"deploy it with `cdk deploy --all -c stage={self.stage}`, or name another --stage or --region"


def _local_cloud() -> LocalCloud:
    paths = [Path.cwd() / LOCAL_CLOUD, REPOSITORY / LOCAL_CLOUD]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise UnreachableError("no local cloud is running: start it with `make local`, or name --endpoint-url")
    try:
        return LocalCloud.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UnreachableError(f"{path} cannot be read: restart it with `make local-down local`") from error


def _warn(unreadable: UnreadableDocumentError) -> None:
    warn(f"left out: {unreadable}")
