"""The boto3 clients, each made once per execution environment and none before it is needed."""

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from runtime.adapters.aws.refusals import hide_what_was_sent
from runtime.adapters.aws.target import USER_AGENT, Target

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.loaders import Loader
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_mgn import MgnClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT = 3
READ_TIMEOUT = 10
ONCE_READ_TIMEOUT = 25
"""A launch call is not repeated, and a lost answer costs a search for the job: better to listen longer."""

ATTEMPTS = 5

SHARED = frozenset({"ec2", "mgn", "ssm"})
"""Their rates are the account's, shared with everyone in it: once throttled, these clients also send more slowly."""
SHARED_READ_TIMEOUT = 8
SHARED_ATTEMPTS = 3
"""A service that stays silent costs one look of the dispatcher half a minute at most; the next look asks again."""


@overload
def client(name: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(name: Literal["ec2"], target: Target | None = None) -> "EC2Client": ...
@overload
def client(name: Literal["events"]) -> "EventBridgeClient": ...
@overload
def client(name: Literal["mgn"], target: Target | None = None) -> "MgnClient": ...
@overload
def client(name: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def client(name: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(name: Literal["ssm"], target: Target | None = None) -> "SSMClient": ...
@overload
def client(name: Literal["stepfunctions"]) -> "SFNClient": ...
@overload
def client(name: Literal["sts"]) -> "STSClient": ...


def client(name: Any, target: Target | None = None) -> Any:
    """The client of one service; repeats throttled and failed calls with backoff."""
    if name in SHARED:
        return _client(name, SHARED_ATTEMPTS, SHARED_READ_TIMEOUT, target)
    return _client(name, ATTEMPTS, READ_TIMEOUT, target)


@overload
def once_client(name: Literal["mgn"], target: Target | None = None) -> "MgnClient": ...
@overload
def once_client(name: Literal["ssm"], target: Target | None = None) -> "SSMClient": ...


def once_client(name: Any, target: Target | None = None) -> Any:
    """The client for calls without a client token: it sends each call once.

    botocore would repeat a call after a timeout or a 5xx answer, and a repeated StartTest launches twice (I3).
    """
    return _client(name, 1, ONCE_READ_TIMEOUT, target)


@cache
def _client(name: Any, attempts: int, read_timeout: int, target: Target | None) -> Any:
    # Imported here: functions that fail their environment check, and tests of pure logic, never pay for boto3.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "adaptive" if name in SHARED else "standard", "total_max_attempts": attempts},
        user_agent_extra=USER_AGENT,
    )
    made = (boto3 if target is None else _session(target)).client(name, config=config)
    hide_what_was_sent(made)
    return made


@cache
def _session(target: Target) -> "Session":
    import boto3
    import botocore.session
    from botocore.credentials import CredentialResolver

    from runtime.adapters.aws.target_role import TargetRole

    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    session.register_component("credential_provider", CredentialResolver([TargetRole(client("sts"), target)]))
    return boto3.Session(botocore_session=session, region_name=target.region)


@cache
def _loader() -> "Loader":
    # One for the sessions of all targets: EC2's description alone takes 80 ms to read and 13 MB to keep.
    from botocore.loaders import create_loader

    return create_loader()
