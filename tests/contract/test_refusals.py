"""Whatever AWS quotes back of what was sent, no error of an adapter repeats it (I11)."""

import json
from collections.abc import Callable, Iterator
from traceback import format_exception
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.aws import clients
from runtime.adapters.aws.clients import client, once_client
from runtime.adapters.aws.refusals import without_quotes
from runtime.adapters.aws.target import Target
from runtime.adapters.aws.target_role import TargetRole
from runtime.adapters.messages.bus import EventBridgeBus
from runtime.adapters.messages.secrets import StoredSecret
from runtime.adapters.messages.step_functions import StepFunctionsResumer
from runtime.adapters.messages.wakes import WakeQueue
from runtime.adapters.servers.commands import SsmCommands
from runtime.adapters.servers.launch_settings import Ec2LaunchSettings
from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.models.events import status_events
from runtime.models.request import Phase
from runtime.models.waits import Outcome
from tests.builders import NOON, SCOPE, a_record, a_request, a_wait, an_entry

HUSH = ("hush-tag", "aHVzaC11c2VyLWRhdGEtaHVzaA==", "hush", "AQCEAAAAKgAAAAMAAAAAhushtoken", "hush said 'no' (twice)")
SERVER = "s-0123456789abcdef0"
TEMPLATE = "lt-0123456789abcdef0"
REQUEST = a_request(tags={f"Key{n}": value for n, value in enumerate(HUSH)}, instance_type="m5.large")
RECORD = a_record(request=REQUEST, reason=HUSH[0])
VERSION = {
    "VersionNumber": 1,
    "DefaultVersion": True,
    "LaunchTemplateData": {
        "UserData": HUSH[1],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Of", "Value": HUSH[0]}]}],
    },
}
ANSWERS: dict[str, dict[str, Any]] = {
    "GetLaunchConfiguration": {"ec2LaunchTemplateID": TEMPLATE},
    "UpdateLaunchConfiguration": {},
    "DescribeLaunchTemplateVersions": {"LaunchTemplateVersions": [VERSION]},
}


def state() -> DynamoDbState:
    return DynamoDbState(client("dynamodb"), "table", refuse)


CALLS: dict[str, Callable[[], object]] = {
    "launch template": lambda: Ec2LaunchSettings(client("mgn"), client("ec2")).apply(
        REQUEST, SERVER, Phase.CUTOVER, "marker"
    ),
    "command": lambda: SsmCommands(client("ssm"), once_client("ssm")).send(
        "i-0123456789abcdef0", "Doc", {"password": HUSH}, "comment"
    ),
    "task that succeeds": lambda: StepFunctionsResumer(client("stepfunctions")).resume(HUSH[3], Outcome()),
    "task that fails": lambda: StepFunctionsResumer(client("stepfunctions")).resume(
        HUSH[3], Outcome(error="X", reason=HUSH[0])
    ),
    "launch": lambda: MgnMigrationService(client("mgn"), once_client("mgn")).start_launch(
        Phase.TEST, [SERVER], dict(enumerate_tags())
    ),
    "terminate": lambda: MgnMigrationService(client("mgn"), once_client("mgn")).terminate(
        [SERVER], dict(enumerate_tags())
    ),
    "events": lambda: EventBridgeBus(client("events"), "bus").publish(
        status_events(RECORD, an_entry(RECORD, from_status=None))
    ),
    "record": lambda: state().migrations.append(RECORD, an_entry(RECORD)),
    "wait": lambda: state().waits.park(a_wait(token=HUSH[3])),
    "role": lambda: TargetRole(client("sts"), Target("222233334444", "eu-west-1", "role", HUSH[0]))._assumed(
        "finalize_cutover.mig-1"
    ),
    "secret": lambda: StoredSecret(client("secretsmanager"), "signing", lambda: NOON)(),
    "wake": lambda: WakeQueue(client("sqs"), "https://sqs.us-east-1.amazonaws.com/123456789012/wakes").wake(SCOPE),
}


def enumerate_tags() -> Iterator[tuple[str, str]]:
    yield from ((f"Key{n}", value) for n, value in enumerate(HUSH))


@pytest.fixture(autouse=True)
def _fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    clients._client.cache_clear()
    yield
    clients._client.cache_clear()


def refusing(monkeypatch: pytest.MonkeyPatch, code: str, status: int) -> None:
    """AWS refuses every call but those with an answer, and repeats in all ways all that it got or ever was told."""
    made = clients._client.__wrapped__

    def client_of(*arguments: Any) -> Any:
        client = made(*arguments)

        def answer(model: Any, params: Any, context: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
            if model.name in ANSWERS:
                return SimpleNamespace(status_code=200), ANSWERS[model.name]
            sent = json.dumps(context.get("what-was-sent"), default=str, ensure_ascii=False)
            told = [
                f"Value '{sent}' at 'tags' failed to satisfy constraint",
                *(f"'{value}' is not valid" for value in HUSH[:-1]),
                *(f'Invalid value "{value}" for parameter userData' for value in HUSH[:-1]),
                *(f"Value ({value}) for parameter (tags) is invalid" for value in HUSH[:-1]),
                *(f"Member must satisfy: [{value}, {value}]" for value in HUSH[:-1]),
                *(f"unexpected {value}." for value in strings(context.get("what-was-sent")) if "hush" in value.lower()),
            ]
            error = {"Code": code, "Message": "; ".join(reversed(told))}
            meta = {"HTTPStatusCode": status, "RetryAttempts": 0}
            return SimpleNamespace(status_code=status), {"Error": error, "ResponseMetadata": meta}

        client.meta.events.register_last("before-call", answer)
        return client

    monkeypatch.setattr(clients, "_client", client_of)
    monkeypatch.setattr(client_of, "cache_clear", lambda: None, raising=False)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ValidationException", 400),
        ("InvalidParameterValue", 400),
        ("ThrottlingException", 400),
        ("InternalServerException", 500),
        ("AccessDeniedException", 403),
        ("ConflictException", 409),
        ("InvalidParameters", 400),
    ],
)
@pytest.mark.parametrize("name", CALLS)
def test_i11_no_error_of_an_adapter_repeats_what_was_sent(
    name: str, code: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, code, status)
    with pytest.raises(Exception, match=r".") as caught:
        CALLS[name]()
    told = "".join(format_exception(caught.value)) + repr(caught.value) + repr(getattr(caught.value, "response", ""))
    assert code in told
    # The lines of this test's own source are no part of what is told.
    lines = [line for line in told.splitlines() if not line.startswith("    ")]
    assert [line for line in lines if "hush" in line.lower() or HUSH[1] in line] == []


@pytest.mark.parametrize(
    "message",
    [
        "The subnet ID 'subnet-0123456789abcdef0' does not exist",
        "Value (sg-0123456789abcdef0) for parameter (groupId) is invalid. The value cannot exceed 255 characters",
        "1 validation error detected: Value '…' at 'tags' failed to satisfy constraint",
        f"{SERVER} is in state TESTING; Maximum of 20 concurrent jobs in progress reached",
        "Server doesn't match what's there, it can't be launched",
        "not authorized to perform: ec2:DescribeLaunchTemplateVersions on targetInstanceTypeRightSizingMethod",
        "Could not reach https://secretsmanager.eu-central-1.amazonaws.com",
        "The requested configuration is currently not supported for 'm5.large' (c5.18xlarge)",
        "User: arn:aws:sts::123456789012:assumed-role/Dispatch/dispatch is not authorized to perform: "
        "ec2:DescribeSubnets because no identity-based policy allows the ec2:DescribeSubnets action",
    ],
)
def test_what_a_person_needs_of_a_message_stays(message: str) -> None:
    assert without_quotes(message) == message


@given(
    secret=st.from_regex(r"[A-Za-z0-9+/=]{6,80}", fullmatch=True).filter(lambda text: not text.isdigit()),
    form=st.sampled_from(["'{}'", '"{}"', "({})", "[{}]", "Value '{}' at 'tags' failed", "parameter '{}!'"]),
)
def test_whatever_is_quoted_is_taken_out(secret: str, form: str) -> None:
    marked = f"Zq{secret}"
    assert marked not in without_quotes(f"Refused: {form.format(marked)}; try again")
