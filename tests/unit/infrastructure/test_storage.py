"""The state table."""

import pytest

from runtime.models.table import INDEXES, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from tests.unit.infrastructure.synthesis import DELETION_POLICIES, Json, key_of, resources, template

TABLE = "AWS::DynamoDB::Table"


def has(properties: Json, stage: str = "dev") -> None:
    template(stage, "Storage").has_resource_properties(TABLE, properties)


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
    (table,) = resources("dev", "Storage", TABLE).values()
    found = {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
        for index in table["GlobalSecondaryIndexes"]
    }
    assert found == {index.value: tuple(keys) for index, keys in INDEXES.items()}


def test_indexes_carry_whole_items() -> None:
    (table,) = resources("dev", "Storage", TABLE).values()
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
