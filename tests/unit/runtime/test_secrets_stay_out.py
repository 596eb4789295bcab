"""No task token, secret or tag value in a repr or in an error (I11)."""

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.adapters.aws.target import Target
from runtime.models.functions.environment import Targets
from runtime.models.functions.steps import (
    AwaitSignal,
    PrepareSource,
    Rollback,
    Step,
    TriggerMigration,
    VerifyMigration,
)
from tests.builders import TARGET_SCOPE, a_request, a_wait
from tests.unit.runtime.stages import a_step

SECRET = "AQCEAAAAKgAAAAMAAAAAhush"
WITH_TOKEN: list[tuple[type[Step], dict[str, Any]]] = [
    (PrepareSource, {}),
    (TriggerMigration, {"phase": "test"}),
    (VerifyMigration, {"phase": "test"}),
    (AwaitSignal, {"kind": "window"}),
    (Rollback, {}),
]


@pytest.mark.parametrize(("model", "fields"), WITH_TOKEN)
def test_i11_step_does_not_show_its_token(model: type[Step], fields: dict[str, Any]) -> None:
    step = a_step(model, task_token=SECRET, **fields)
    assert "hush" not in f"{step!r} {step}"


def test_i11_wait_does_not_show_its_token() -> None:
    assert "hush" not in f"{a_wait(token=SECRET)!r} {a_wait(token=SECRET)}"


@pytest.mark.parametrize(("model", "fields"), WITH_TOKEN)
def test_i11_error_of_a_broken_step_does_not_show_its_token(model: type[Step], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        a_step(model, task_token=[SECRET], unknown=SECRET, **fields)
    assert "hush" not in str(caught.value)


def test_i11_error_of_a_broken_request_does_not_show_its_tags() -> None:
    with pytest.raises(ValidationError) as caught:
        a_request(tags={"password": SECRET * 20}, mode="test", test=False)
    assert "hush" not in str(caught.value)


def test_i11_external_id_of_the_targets_is_not_shown() -> None:
    targets = Targets(role_name="migration", external_id=SECRET, scopes=(TARGET_SCOPE,))
    assert "hush" not in f"{targets!r} {targets} {Target('222233334444', 'eu-west-1', 'migration', SECRET)!r}"
    with pytest.raises(ValidationError) as caught:
        Targets.model_validate({"role_name": "migration", "external_id": [SECRET], "scopes": ()})
    assert "hush" not in str(caught.value)
