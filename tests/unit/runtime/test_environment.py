"""The environment of each function: what the construct writes is what the handler reads."""

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.models.functions.environment import (
    Budgets,
    CallbackEnvironment,
    HandlerEnvironment,
    IngressEnvironment,
    PublishEnvironment,
    StepEnvironment,
    SweepEnvironment,
    Targets,
    ValidateEnvironment,
)
from tests.builders import TARGET_SCOPE

EVERY: list[HandlerEnvironment] = [
    IngressEnvironment(stage="dev", state_table="table", event_bus="bus", retention_days=7),
    StepEnvironment(
        stage="dev",
        state_table="table",
        token_table="tokens",
        wake_queue="queue",
        budgets=Budgets(boot=60, requires_ssm=False),
    ),
    ValidateEnvironment(
        stage="dev",
        state_table="table",
        token_table="tokens",
        wake_queue="queue",
        documents=("AWS-RunShellScript",),
        ebs_key_arns=("arn:aws:kms:us-east-1:111122223333:key/1",),
        target_ebs_key_arns={"222233334444": ("arn:aws:kms:eu-west-1:222233334444:key/2",)},
    ),
    SweepEnvironment(
        stage="dev",
        state_table="table",
        token_table="tokens",
        event_bus="bus",
        wake_queue="queue",
        targets=Targets(role_name="migration", external_id="shibboleth", scopes=(TARGET_SCOPE,)),
    ),
    PublishEnvironment(stage="dev", state_table="table", event_bus="bus"),
    CallbackEnvironment(
        stage="dev",
        state_table="table",
        webhook_urls=("https://a.example.com", "https://b.example.com"),
        signing_secret="arn:secret",
        allows_private_addresses=True,
        timeout_seconds=0.5,
    ),
]


@pytest.mark.parametrize("environment", EVERY, ids=lambda value: type(value).__name__)
def test_environment_survives_its_variables(environment: HandlerEnvironment) -> None:
    variables = environment.to_variables()
    assert all(name.isupper() and isinstance(value, str) for name, value in variables.items())
    assert type(environment).from_variables({**variables, "PATH": "/bin"}) == environment


@pytest.mark.parametrize("environment", EVERY, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("missing", ["STAGE", "STATE_TABLE"])
def test_missing_variable_is_named(environment: HandlerEnvironment, missing: str) -> None:
    variables = {name: value for name, value in environment.to_variables().items() if name != missing}
    with pytest.raises(ValidationError, match=missing.lower()):
        type(environment).from_variables(variables)


def test_variables_of_the_process_are_read_when_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EVERY[1].to_variables().items():
        monkeypatch.setenv(name, value)
    assert StepEnvironment.from_variables() == EVERY[1]


def test_empty_variable_is_refused() -> None:
    with pytest.raises(ValidationError, match="stage"):
        StepEnvironment.from_variables({"STAGE": "", "STATE_TABLE": "t"})


@pytest.mark.parametrize("field", ["replication", "launch", "boot", "window", "undo", "undo_rounds", "max_lag"])
def test_i7_no_budget_is_endless_or_zero(field: str) -> None:
    wrong: Any = {field: 0}
    with pytest.raises(ValidationError, match=field):
        Budgets(**wrong)


def test_variable_of_an_absent_setting_is_left_out() -> None:
    assert "TARGETS" not in EVERY[1].to_variables()
