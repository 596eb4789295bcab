"""What people may be given: who asks, who decides and who looks."""

import pytest

from runtime.models.table import PEOPLES_PARTITIONS
from tests.unit.infrastructure.synthesis import Json, plain, resources

POLICIES = ("MigrationSender", "MigrationApprover", "MigrationReader")


def policy(name: str, stage: str = "dev") -> Json:
    found: Json = plain(
        next(
            properties
            for properties in resources(stage, "Access", "AWS::IAM::ManagedPolicy").values()
            if plain(properties["ManagedPolicyName"]).startswith(name)
        )
    )
    return found


def statements(name: str) -> list[Json]:
    found: list[Json] = policy(name)["PolicyDocument"]["Statement"]
    return found


def actions(name: str) -> set[str]:
    found: set[str] = set()
    for statement in statements(name):
        action = statement["Action"]
        found |= set(action if isinstance(action, list) else [action])
    return found


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.parametrize("name", POLICIES)
def test_policies_are_named_after_their_stage_and_region(stage: str, name: str) -> None:
    assert policy(name, stage)["ManagedPolicyName"] == f"{name}-{stage}-${{AWS::Region}}"


def test_i14_who_may_ask_may_not_decide_and_who_may_decide_may_not_ask() -> None:
    queues = {
        name: [each["Resource"] for each in statements(name) if each["Action"] == "sqs:SendMessage"]
        for name in POLICIES
    }
    (asking,), (deciding,) = queues["MigrationSender"], queues["MigrationApprover"]
    assert "RequestsQueue" in asking
    assert "DecisionsQueue" in deciding
    assert queues["MigrationReader"] == []


def test_reader_only_reads() -> None:
    reads = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}
    doors = {"cloudformation:DescribeStacks", "execute-api:Invoke"}
    assert actions("MigrationReader") == reads | doors | {"kms:Decrypt"}


@pytest.mark.parametrize("name", ["MigrationReader", "MigrationApprover"])
def test_people_read_migrations_and_rejections_but_no_partition_with_task_tokens(name: str) -> None:
    (reading,) = (each for each in statements(name) if "dynamodb:GetItem" in each["Action"])
    allowed = [f"{partition}*" for partition in PEOPLES_PARTITIONS]
    assert reading["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": allowed}}
    assert allowed == ["MIGRATION#*", "REJECTION#*"]


@pytest.mark.parametrize("name", POLICIES)
def test_key_is_used_through_the_queue_or_the_table_only(name: str) -> None:
    for statement in statements(name):
        if "kms:" in str(statement["Action"]):
            (via,) = statement["Condition"]["StringEquals"].items()
            assert via[0] == "kms:ViaService"
            assert via[1] in ("sqs.${AWS::Region}.amazonaws.com", "dynamodb.${AWS::Region}.amazonaws.com")


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_is_allowed_on_everything(name: str) -> None:
    assert "*" not in {str(each["Resource"]) for each in statements(name)}
