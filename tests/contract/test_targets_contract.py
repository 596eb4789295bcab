"""Ports of another account and Region: fakes and AWS alike; and how a target's role is assumed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from botocore.loaders import JSONFileLoader
from botocore.stub import ANY, Stubber
from moto import mock_aws

from runtime.adapters.aws import clients
from runtime.adapters.aws.target import Target
from runtime.adapters.servers.network import Ec2Network
from runtime.errors import MigrationError, ServiceUnavailableError, TargetAccountError, ThrottledError
from runtime.handlers.wiring import AwsPorts, Wiring
from runtime.logic.ports import Ports
from runtime.models.functions.environment import Targets
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.scope import Scope
from runtime.observability import correlate, logger
from tests.builders import SCOPE, TARGET_ACCOUNT, TARGET_REGION, TARGET_SCOPE
from tests.fakes import FakePorts

TARGET = Target(TARGET_ACCOUNT, TARGET_REGION, "migration-dev-verify", "shibboleth")
ROLE_ARN = f"arn:aws:iam::{TARGET_ACCOUNT}:role/migration-dev-verify-{TARGET_REGION}"
OF_A_TARGET = ("mgn", "launch_settings", "network", "instances", "commands")


@pytest.fixture(autouse=True)
def _in_a_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logger, "service", "verify_migration")
    correlate("mig-1", "cor-1")
    yield
    logger.clear_state()


@pytest.fixture(autouse=True)
def _fresh_clients() -> Iterator[None]:
    made = (clients._client, clients._session)
    for cached in made:
        cached.cache_clear()
    yield
    for cached in made:
        cached.cache_clear()


@pytest.fixture(params=["fake", "aws"])
def ports(request: pytest.FixtureRequest) -> Ports:
    if request.param == "fake":
        return FakePorts(targets=(TARGET_SCOPE,))
    targets = Targets(role_name="migration-dev", external_id="shibboleth", scopes=(TARGET_SCOPE,))
    return AwsPorts(Wiring(state_table="table", targets=targets), SCOPE)


def test_ports_at_home_are_themselves(ports: Ports) -> None:
    assert ports.at(SCOPE) is ports
    assert ports.at(TARGET_SCOPE).at(SCOPE) is ports
    assert ports.at(TARGET_SCOPE).at(TARGET_SCOPE) is ports.at(TARGET_SCOPE)


def test_ports_elsewhere_know_where_they_are_and_where_else_migrations_run(ports: Ports) -> None:
    there = ports.at(TARGET_SCOPE)
    assert (ports.scope, there.scope) == (SCOPE, TARGET_SCOPE)
    assert ports.scopes == there.scopes == (SCOPE, TARGET_SCOPE)


def test_ports_elsewhere_are_made_once(ports: Ports) -> None:
    assert ports.at(TARGET_SCOPE) is ports.at(TARGET_SCOPE)


@pytest.mark.parametrize("name", OF_A_TARGET)
def test_what_speaks_to_the_account_is_another_there(ports: Ports, name: str) -> None:
    assert getattr(ports, name) is not getattr(ports.at(TARGET_SCOPE), name)


def test_going_to_a_target_that_is_no_more_calls_nobody(ports: Ports) -> None:
    gone = Scope("333344445555", "eu-west-1")
    assert ports.at(gone).scope == gone


def test_pipeline_without_targets_has_no_way_into_another_account() -> None:
    there = AwsPorts(Wiring(state_table="table"), SCOPE).at(TARGET_SCOPE)
    with pytest.raises(
        TargetAccountError, match=f"targetAccount: no role is known for {TARGET_ACCOUNT} {TARGET_REGION}"
    ):
        _ = there.mgn


def test_client_of_a_target_works_in_its_region_and_is_made_once() -> None:
    made = clients.client("ec2", TARGET)
    assert made.meta.region_name == TARGET_REGION
    assert made is clients.client("ec2", TARGET)
    assert made is not clients.client("ec2")
    assert clients.once_client("mgn", TARGET).meta.config.retries["total_max_attempts"] == 1  # type: ignore[attr-defined]


def test_description_of_a_service_is_read_once_for_all_targets() -> None:
    first = clients.client("ec2", TARGET)
    with mock.patch.object(JSONFileLoader, "load_file", side_effect=AssertionError("read again")):
        second = clients.client("ec2", replace(TARGET, region="us-west-2"))
    assert second is not first


def test_calls_of_a_target_reach_its_account() -> None:
    with mock_aws():
        subnet = clients.client("ec2", TARGET).describe_subnets()["Subnets"][0]
        assert subnet["OwnerId"] == TARGET_ACCOUNT
        assert subnet["AvailabilityZone"].startswith(TARGET_REGION)


def assume_role_answers(code: str, status: int) -> Stubber:
    """The next AssumeRole, which must be the target's, fails so."""
    stubber = Stubber(clients.client("sts"))
    expected = {"RoleArn": ROLE_ARN, "RoleSessionName": "verify_migration.mig-1", "ExternalId": "shibboleth"}
    stubber.add_client_error("assume_role", code, "no", status, expected_params=expected)
    stubber.activate()
    return stubber


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDenied", 403, TargetAccountError),
        ("RegionDisabledException", 403, TargetAccountError),
        ("Throttling", 400, ThrottledError),
        ("ServiceUnavailable", 503, ServiceUnavailableError),
    ],
)
def test_refusal_of_the_role_is_told_from_what_heals_by_waiting(
    code: str, status: int, error: type[MigrationError]
) -> None:
    network = Ec2Network(clients.client("ec2", TARGET))
    stubber = assume_role_answers(code, status)
    with pytest.raises(error) as caught:
        network.facts(["subnet-1"], [], [])
    stubber.assert_no_pending_responses()
    assert "shibboleth" not in str(caught.value)


def test_refusal_names_the_account_the_role_and_what_to_do() -> None:
    network = Ec2Network(clients.client("ec2", TARGET))
    assume_role_answers("AccessDenied", 403)
    with pytest.raises(
        TargetAccountError, match="targetAccount: 222233334444 refuses its role migration-dev-verify-eu-west-1"
    ):
        network.facts(["subnet-1"], [], [])


def role_lets_in(*session_names: object) -> Stubber:
    """The role is assumed so often, each time under the next of these names."""
    credentials: Any = {
        "AccessKeyId": "A" * 16,
        "SecretAccessKey": "secret",
        "SessionToken": "token",
        "Expiration": datetime(2999, 1, 1, tzinfo=UTC),
    }
    stubber = Stubber(clients.client("sts"))
    for name in session_names:
        expected = {"RoleArn": ANY, "RoleSessionName": name, "ExternalId": ANY}
        stubber.add_response("assume_role", {"Credentials": credentials}, expected)
    stubber.activate()
    return stubber


def signed_call() -> None:
    frozen = clients._session(TARGET).get_credentials().get_frozen_credentials()  # type: ignore[union-attr]
    assert frozen.access_key == "A" * 16


def test_role_is_assumed_once_for_all_clients_of_a_target() -> None:
    stubber = role_lets_in(ANY)
    for _ in range(2):
        signed_call()
    stubber.assert_no_pending_responses()


def test_session_names_the_function_and_the_migration_it_works_for() -> None:
    stubber = role_lets_in("verify_migration.mig-1", "verify_migration." + ("a-b" * 30)[:47], "verify_migration")
    signed_call()
    correlate("a:b" * 30, "cor-2")
    signed_call()
    logger.remove_keys(["migration_id"])
    signed_call()
    stubber.assert_no_pending_responses()


DENIED_CALLS: dict[str, tuple[Any, str, Callable[[Ports], object]]] = {
    "reading instances": ("ec2", "describe_instances", lambda ports: ports.instances.health(["i-1"])),
    "reading the network": ("ec2", "describe_subnets", lambda ports: ports.network.facts(["subnet-1"], [], [])),
    "sending a command": (
        "ssm",
        "send_command",
        lambda ports: ports.commands.send("i-1", "AWS-RunShellScript", {}, "one"),
    ),
    "reading a command": ("ssm", "get_command_invocation", lambda ports: ports.commands.status("c" * 36, "i-1")),
    "reading servers": ("mgn", "describe_source_servers", lambda ports: ports.mgn.servers(["s-0123456789abcdef0"])),
    "reading launch settings": (
        "mgn",
        "get_launch_configuration",
        lambda ports: ports.launch_settings.current("s-0123456789abcdef0"),
    ),
    "changing a template": (
        "ec2",
        "modify_launch_template",
        lambda ports: ports.launch_settings.restore(LaunchTemplateRef(launch_template_id="lt-1", default_version=1)),
    ),
}


@pytest.mark.parametrize(("service", "operation", "call"), DENIED_CALLS.values(), ids=DENIED_CALLS.keys())
@pytest.mark.parametrize(("code", "status"), [("UnauthorizedOperation", 403), ("AccessDeniedException", 400)])
def test_denied_call_is_the_accounts_fault_whichever_service_denies_it(
    service: Any, operation: str, call: Callable[[Ports], object], code: str, status: int
) -> None:
    stubber = Stubber(clients.once_client("ssm") if operation == "send_command" else clients.client(service))
    stubber.add_client_error(operation, code, "no", status)
    with stubber, pytest.raises(TargetAccountError, match=code):
        call(AwsPorts(Wiring(state_table="table"), SCOPE))
