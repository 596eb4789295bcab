"""The key."""

import pytest

from tests.unit.infrastructure.synthesis import DELETION_POLICIES, Json, plain, resources, template


def test_key_rotates() -> None:
    template("dev", "Encryption").has_resource_properties("AWS::KMS::Key", {"EnableKeyRotation": True})


def test_key_has_an_alias_naming_the_stage() -> None:
    template("dev", "Encryption").has_resource_properties("AWS::KMS::Alias", {"AliasName": "alias/migration-dev"})


@pytest.mark.parametrize(("stage", "policy"), DELETION_POLICIES.items())
def test_key_outlives_the_stack_only_where_data_does(stage: str, policy: str) -> None:
    template(stage, "Encryption").has_resource("AWS::KMS::Key", {"DeletionPolicy": policy})


def test_logs_use_the_key_only_for_log_groups_of_the_account() -> None:
    statement = _statement("CloudWatchLogs")
    assert statement["Principal"] == {"Service": "logs.${AWS::Region}.amazonaws.com"}
    (condition,) = statement["Condition"]["ArnLike"].values()
    assert condition == "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*"


def test_eventbridge_uses_the_key_only_for_the_account() -> None:
    assert _statement("EventBridgeTargets")["Condition"] == {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}


def test_services_may_not_administer_the_key() -> None:
    services = [s for s in _statements() if "Service" in s["Principal"]]
    actions = {action for s in services for action in _listed(s["Action"])}
    assert actions == {
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
    }


def test_no_other_stack_writes_into_the_key_policy() -> None:
    assert [statement.get("Sid") for statement in _statements()] == [
        None,
        "CloudWatchLogs",
        "LogDelivery",
        "EventBridgeTargets",
        "EventBridgeBuses",
        "EventBridgeLookUp",
    ]


def _statements() -> list[Json]:
    (key,) = resources("dev", "Encryption", "AWS::KMS::Key").values()
    statements: list[Json] = plain(key["KeyPolicy"]["Statement"])
    return statements


def _statement(sid: str) -> Json:
    (found,) = (statement for statement in _statements() if statement.get("Sid") == sid)
    return found


def _listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
