"""A first deployment to production that fails half-way can be repeated, and a second stage is told that it is one."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcloud.cloud import local_cloud
from localcloud.deployment import DeploymentError, deploy
from localcloud.settings import CloudSettings
from localcloud.state import CloudState
from migration_constructs.claim import CLAIM
from runtime.models.deployment import stack_name
from tests.engine.conftest import unique
from tests.unit.infrastructure.synthesis import assembly

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

ORCHESTRATION = stack_name("prod", "Orchestration")
GOES_NOWHERE = ('\\"StartAt\\":\\"Validate\\"', '\\"StartAt\\":\\"Nowhere\\"')
"""What Step Functions refuses, after the functions and the log groups are there."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudState]:
    with local_cloud(CloudSettings(folder=tmp_path / "cloud")) as state:
        yield state


def broken(whole: Path, copy: Path) -> Path:
    """The assembly with a state machine that cannot be made."""
    shutil.copytree(whole, copy)
    template = copy / f"{ORCHESTRATION}.template.json"
    text = template.read_text()
    assert GOES_NOWHERE[0] in text
    template.write_text(text.replace(*GOES_NOWHERE))
    # The CLI does not upload a template again whose hash it has seen.
    files = json.loads((copy / f"{ORCHESTRATION}.assets.json").read_text())["files"]
    (hash_,) = (key for key, file in files.items() if file["source"]["path"] == template.name)
    for manifest in (copy / "manifest.json", copy / f"{ORCHESTRATION}.assets.json"):
        manifest.write_text(manifest.read_text().replace(hash_, hash_[::-1]))
    return copy


def test_first_production_deployment_that_fails_half_way_is_repeated(cloud: CloudState, tmp_path: Path) -> None:
    formation = cloud.client("cloudformation")
    with pytest.raises(DeploymentError, match="Nowhere"):
        deploy(cloud, broken(assembly("prod"), tmp_path / "broken"))
    (stack,) = formation.describe_stacks(StackName=ORCHESTRATION)["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    left = cloud.client("logs").describe_log_groups(logGroupNamePrefix="/aws/vendedlogs/states/")["logGroups"]
    assert left == []
    # The one thing a person has to do: the remains are protected, too.
    formation.update_termination_protection(StackName=ORCHESTRATION, EnableTerminationProtection=False)

    outputs = deploy(cloud, assembly("prod"))

    assert re.fullmatch(r"arn:aws:states:.*", outputs[ORCHESTRATION]["StateMachineArn"])
    (stack,) = formation.describe_stacks(StackName=ORCHESTRATION)["Stacks"]
    assert (stack["StackStatus"], stack["EnableTerminationProtection"]) == ("CREATE_COMPLETE", True)


def test_second_stage_that_claims_the_same_account_fails(aws: "Aws") -> None:
    # Not the real name: other tests of this engine are stages, too.
    properties = {"Type": "String", "Name": f"{CLAIM}/{unique('test')}", "Value": "prod"}
    resources = {"Claim": {"Type": "AWS::SSM::Parameter", "Properties": properties}}
    assert [aws.stack(resources)["status"] for _ in range(2)] == ["CREATE_COMPLETE", "ROLLBACK_COMPLETE"]
