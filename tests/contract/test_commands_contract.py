"""What every Commands does: the fake, and the SSM adapter in front of moto."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from runtime.adapters.servers.commands import SsmCommands
from runtime.errors import CheckFailedError, CheckPendingError, TargetAccountError
from runtime.logic.ports import Commands
from tests.builders import INSTANCE_ID
from tests.contract.aws import aws
from tests.fakes import FakeCommands


@pytest.fixture(params=["fake", "ssm"])
def commands(request: pytest.FixtureRequest) -> Iterator[Commands]:
    if request.param == "fake":
        yield FakeCommands()
        return
    with mock_aws():
        yield SsmCommands(aws("ssm"), aws("ssm"))


def test_sent_command_succeeds(commands: Commands) -> None:
    command_id = commands.send(INSTANCE_ID, "AWS-RunShellScript", {"commands": ("true",)}, "migration one")
    assert commands.status(command_id, INSTANCE_ID).status == "Success"


def test_commands_have_ids_of_their_own(commands: Commands) -> None:
    sent = [
        commands.send(INSTANCE_ID, "AWS-RunShellScript", {"commands": ("true",)}, "migration one") for _ in range(2)
    ]
    assert sent[0] != sent[1]


def test_sent_command_is_found_again_by_its_node_and_comment(commands: Commands) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    commands.send(INSTANCE_ID, "AWS-RunShellScript", {"commands": ("true",)}, "migration other")
    command_id = commands.send(INSTANCE_ID, "AWS-RunShellScript", {"commands": ("true",)}, "migration one")
    assert commands.find(INSTANCE_ID, "migration one", before) == command_id
    assert commands.find(INSTANCE_ID, "migration none", before) is None
    assert commands.find("i-99999999999999999", "migration one", before) is None


def test_commands_are_looked_for_on_every_page_from_before_they_were_meant_to_be_sent(stubbed: Stubber) -> None:
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    mine = {"CommandId": "11111111-2222-3333-4444-555555555555", "Comment": "mine", "RequestedDateTime": at}
    other: dict[str, Any] = {**mine, "CommandId": "99999999-2222-3333-4444-555555555555", "Comment": "other"}
    asked: dict[str, Any] = {
        "InstanceId": INSTANCE_ID,
        "Filters": [{"key": "InvokedAfter", "value": "2026-11-29T11:55:00Z"}],
    }
    stubbed.add_response("list_commands", {"Commands": [other], "NextToken": "more"}, asked)
    stubbed.add_response("list_commands", {"Commands": [mine]}, {**asked, "NextToken": "more"})
    assert SsmCommands(aws("ssm"), aws("ssm")).find(INSTANCE_ID, "mine", at) == mine["CommandId"]


def test_command_ssm_does_not_know_yet_is_pending(commands: Commands) -> None:
    command_id = commands.send(INSTANCE_ID, "AWS-RunShellScript", {}, "migration one")
    assert commands.status(command_id, "i-99999999999999999").status == "Pending"


@pytest.fixture
def stubbed() -> Iterator[Stubber]:
    with Stubber(aws("ssm")) as stubber:
        yield stubber


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("InvalidInstanceId", CheckPendingError),
        ("InvalidDocument", CheckFailedError),
        ("InvalidParameters", CheckFailedError),
        ("DuplicateInstanceId", ClientError),
    ],
)
def test_refused_command_says_what_it_means(stubbed: Stubber, code: str, expected: type[Exception]) -> None:
    stubbed.add_client_error("send_command", code, "commands is s3cr3t")
    with pytest.raises(expected) as caught:
        SsmCommands(aws("ssm"), aws("ssm")).send(INSTANCE_ID, "Check", {"commands": ("s3cr3t",)}, "migration one")
    assert expected is ClientError or "s3cr3t" not in str(caught.value)


def test_denied_command_says_who_lacks_what(stubbed: Stubber) -> None:
    # SSM refuses before it reads any parameter, so these words quote none.
    told = "role migration is not authorized to perform ssm:SendCommand"
    stubbed.add_client_error("send_command", "AccessDeniedException", told)
    with pytest.raises(TargetAccountError, match=told):
        SsmCommands(aws("ssm"), aws("ssm")).send(INSTANCE_ID, "Check", {"commands": ("s3cr3t",)}, "migration one")


def test_status_tells_the_exit_code_and_not_the_output(stubbed: Stubber) -> None:
    answer: dict[str, Any] = {"Status": "Failed", "ResponseCode": 3, "StandardErrorContent": "password=s3cr3t"}
    stubbed.add_response("get_command_invocation", answer)
    status = SsmCommands(aws("ssm"), aws("ssm")).status("11111111-2222-3333-4444-555555555555", INSTANCE_ID)
    assert (status.status, status.goes_on) == ("Failed", False)
    assert "exit code 3" in status.detail
    assert "s3cr3t" not in status.detail
