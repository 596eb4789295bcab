"""An account and Region are one value; `account#region` is only how it is written."""

import pytest
from pydantic import BaseModel, ValidationError

from runtime.models.scope import Scope
from tests.builders import SCOPE, TARGET_SCOPE


class Holder(BaseModel):
    scope: Scope
    by_scope: dict[Scope, int] = {}


def test_scope_is_written_and_read_as_one_text() -> None:
    assert Scope.parse(str(SCOPE)) == SCOPE == Scope("111122223333", "us-east-1")
    held = Holder(scope=SCOPE, by_scope={TARGET_SCOPE: 1})
    assert held.model_dump_json() == '{"scope":"111122223333#us-east-1","by_scope":{"222233334444#eu-west-1":1}}'
    assert Holder.model_validate_json(held.model_dump_json()) == held


def test_scopes_sort_by_account_and_region() -> None:
    assert sorted([TARGET_SCOPE, SCOPE]) == [SCOPE, TARGET_SCOPE]


@pytest.mark.parametrize("text", ["", "#", "111122223333", "111122223333#", "#us-east-1"])
def test_text_without_account_or_region_is_no_scope(text: str) -> None:
    with pytest.raises(ValidationError, match="is no scope; write account#region"):
        Holder.model_validate({"scope": text})


def test_only_text_is_read_as_a_scope() -> None:
    with pytest.raises(ValidationError, match="a scope is written as account#region"):
        Holder.model_validate({"scope": 111122223333})
