"""The state table."""

import pytest
from aws_cdk import App
from aws_cdk.assertions import Match, Template

from migration_constructs import CLAIM
from runtime.models.table import INDEXES, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from stacks.encryption import EncryptionStack
from stacks.settings import StageSettings
from stacks.storage import StorageStack
from tests.unit.infrastructure.synthesis import DELETION_POLICIES, Json, context, key_of, resources, template

TABLE = "AWS::DynamoDB::Table"


def has(properties: Json, stage: str = "dev") -> None:
    template(stage, "Storage").has_resource_properties(TABLE, properties)


def tables() -> dict[str, Json]:
    """The state table and that of task tokens."""
    return {id_.partition("Table")[0]: found for id_, found in resources("dev", "Storage", TABLE).items()}


def test_no_stream_and_no_index_carries_task_tokens_and_they_expire() -> None:
    tokens = tables()["Tokens"]
    assert not {"StreamSpecification", "GlobalSecondaryIndexes"} & set(tokens)
    assert tokens["KeySchema"] == [{"AttributeName": PARTITION_KEY, "KeyType": "HASH"}]
    assert tokens["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert tokens["SSESpecification"] == tables()["State"]["SSESpecification"]


def test_table_has_the_keys_of_the_model() -> None:
    has(
        {
            "KeySchema": [
                {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
                {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
            ]
        }
    )


def test_table_has_the_indexes_of_the_model() -> None:
    table = tables()["State"]
    found = {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
        for index in table["GlobalSecondaryIndexes"]
    }
    assert found == {index.value: tuple(keys) for index, keys in INDEXES.items()}


def test_indexes_carry_whole_items() -> None:
    table = tables()["State"]
    assert {index["Projection"]["ProjectionType"] for index in table["GlobalSecondaryIndexes"]} == {"ALL"}


def test_finished_migrations_expire() -> None:
    has({"TimeToLiveSpecification": {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}})


def test_table_can_be_restored_to_a_point_in_time() -> None:
    has({"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}})


def test_table_costs_what_is_used() -> None:
    has({"BillingMode": "PAY_PER_REQUEST"})


def test_table_is_encrypted_with_the_stages_key() -> None:
    key = key_of()
    has({"SSESpecification": {"KMSMasterKeyId": key, "SSEEnabled": True, "SSEType": "KMS"}})


def test_table_streams_new_images() -> None:
    has({"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}})


def test_production_table_refuses_deletion() -> None:
    has({"DeletionProtectionEnabled": True}, stage="prod")


@pytest.mark.parametrize(("stage", "policy"), DELETION_POLICIES.items())
def test_table_outlives_the_stack_only_in_production(stage: str, policy: str) -> None:
    template(stage, "Storage").has_resource(TABLE, {"DeletionPolicy": policy})


def test_table_is_made_after_the_claim_that_no_other_stage_migrates_here() -> None:
    (claim,) = resources("prod", "Storage", "AWS::SSM::Parameter").items()
    assert claim[1]["Name"] == CLAIM
    assert claim[1]["Value"] == "prod"
    template("prod", "Storage").has_resource(TABLE, {"DependsOn": [claim[0]]})


def test_claim_goes_with_its_stack() -> None:
    template("prod", "Storage").has_resource("AWS::SSM::Parameter", {"DeletionPolicy": Match.absent()})


def test_stage_that_shares_mgn_claims_nothing() -> None:
    stage = {**context("dev")["stages"]["dev"], "shares_mgn": True, "mgn_requests": 10}
    app = App()
    settings = StageSettings(stage="dev", **stage)
    encryption = EncryptionStack(app, settings=settings).encryption
    storage = StorageStack(app, settings=settings, encryption=encryption)
    Template.from_stack(storage).resource_count_is("AWS::SSM::Parameter", 0)
