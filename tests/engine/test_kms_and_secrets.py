"""Keys and secrets of the local engine."""

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Aws


def test_ciphertext_opens_only_with_its_encryption_context(aws: "Aws") -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"] == b"x"
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "c"})


def test_disabled_key_encrypts_nothing(aws: "Aws") -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="Disabled"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_reference_to_a_secret_in_a_template_is_its_arn(aws: "Aws") -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "hidden"}}
    outputs = aws.stack({"Secret": secret}, {"Arn": {"Ref": "Secret"}})
    assert outputs["Arn"].startswith("arn:aws:secretsmanager:")
    assert aws.client("secretsmanager").get_secret_value(SecretId=outputs["Arn"])["SecretString"] == "hidden"


def test_secret_of_a_template_goes_with_its_stack(aws: "Aws") -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "passing", "SecretString": "hidden"}}
    aws.stack({"Secret": secret}, {"Arn": {"Ref": "Secret"}})
    formation = aws.client("cloudformation")
    stack = next(s for s in formation.describe_stacks()["Stacks"] if "passing" in str(s.get("Outputs")))
    formation.delete_stack(StackName=stack["StackName"])
    with pytest.raises(ClientError, match="ResourceNotFound"):
        aws.client("secretsmanager").get_secret_value(SecretId="passing")
