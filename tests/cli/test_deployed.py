"""Which deployment a command speaks to, and what it says when it cannot."""

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.deployed import Deployed
from cli.main import app
from cli.target import Target
from localcloud.state import CloudState, save
from runtime.adapters.state.items import record_item
from tests.builders import a_request
from tests.cli.deployed_stage import Stacks, Stage, run
from tests.contract.aws import aws


@pytest.mark.parametrize("arguments", [["status"], ["watch"], ["cancel", "a", "--reason", "b"]], ids=str)
def test_a_stage_that_is_not_deployed_ends_with_4(stacks: Stacks, arguments: list[str]) -> None:
    ran = run(*arguments, "--stage", "prod")
    assert ran.code == 4
    assert "there is no stack MigrationProdOrchestration in us-east-1: deploy it with" in ran.err


def test_a_deployment_of_another_version_says_what_is_missing(stacks: Stacks) -> None:
    stacks.deploy("dev", {"queue_url": "https://example.com"})
    ran = run("status")
    assert ran.code == 4
    missing = ("CallbackSecretArn", "DeadLetterQueueUrl", "EventBusName", "StateMachineArn", "StateTableName")
    assert f"has no output {', '.join(missing)}" in ran.err


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["status", "--stage", "prod"], {}),
        (["--stage", "prod", "status"], {}),
        (["status"], {"MIGRATE_STAGE": "prod"}),
        (["--stage", "qa", "status", "--stage", "prod"], {"MIGRATE_STAGE": "qa"}),
    ],
    ids=str,
)
def test_the_stage_is_named_before_or_after_the_command_or_by_the_environment(
    stage: Stage, stacks: Stacks, arguments: list[str], env: dict[str, str]
) -> None:
    stacks.deploy("prod", stage.deployment.model_dump(by_alias=False))
    stacks.undeploy("dev")
    assert run(*arguments, **env).code == 0


def test_a_region_elsewhere_is_not_deployed(stage: Stage) -> None:
    assert "in eu-west-1" in run("status", "--region", "eu-west-1", "--stage", "prod").err


def test_an_unknown_profile_ends_with_4(stacks: Stacks) -> None:
    ran = run("status", "--profile", "nobody")
    assert ran.code == 4
    assert "aws configure list-profiles" in ran.err


def test_no_region_ends_with_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    ran = run("status")
    assert ran.code == 4
    assert "name a --region or set AWS_REGION" in ran.err


def test_an_endpoint_that_does_not_answer_ends_with_4() -> None:
    ran = run("status", "--endpoint-url", "http://127.0.0.1:9")
    assert ran.code == 4
    assert "check --endpoint-url" in ran.err


@pytest.mark.parametrize(("code", "advice"), [("AccessDenied", "your identity"), ("ExpiredToken", "sign in again")])
def test_a_refusal_of_aws_ends_with_4(stage: Stage, stacks: Stacks, code: str, advice: str) -> None:
    def refuse(answer: object) -> object:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Query")

    stacks.answers["Query"] = [refuse] * 20
    ran = run("status")
    assert ran.code == 4
    assert advice in ran.err


def test_the_local_stage_needs_a_running_local_cloud() -> None:
    ran = run("status", "--stage", "local")
    assert ran.code == 4
    assert "start it with `make local`" in ran.err


def test_an_unreadable_state_of_the_local_cloud_ends_with_4(folder: Path) -> None:
    (folder / "out/local").mkdir(parents=True)
    (folder / "out/local/cloud.json").write_text("{")
    assert run("status", "--stage", "local").code == 4


def test_the_local_stage_finds_the_running_local_cloud(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    (folder / "out/local").mkdir(parents=True)
    save(CloudState(endpoint="http://127.0.0.1:4599", region="eu-central-1"))
    queues = Deployed(Target(stage="local")).queues
    assert (queues.meta.endpoint_url, queues.meta.region_name) == ("http://127.0.0.1:4599", "eu-central-1")


def test_the_local_stage_is_found_from_any_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "out/local").mkdir(parents=True)
    save(CloudState(endpoint="http://127.0.0.1:4599"))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert Deployed(Target(stage="local")).queues.meta.endpoint_url == "http://127.0.0.1:4599"


@pytest.mark.parametrize("url", ["localhost:4566", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_no_address_ends_with_2(url: str) -> None:
    for ran in (run("status", "--endpoint-url", url), run("status", AWS_ENDPOINT_URL=url)):
        assert ran.code == 2
        assert "is no address like" in " ".join(ran.err.split())


def test_a_record_of_a_later_release_ends_with_4(stage: Stage) -> None:
    record = stage.accept("mig-1")
    item = record_item(record) | {"document": {"S": "{}"}}
    aws("dynamodb").put_item(TableName=stage.deployment.state_table_name, Item=item)
    ran = run("status", "mig-1")
    assert ran.code == 4
    assert "use the `migrate` of the release that is deployed" in ran.err


def test_a_folder_that_cannot_be_written_ends_with_2(folder: Path) -> None:
    (folder / "taken").write_text("")
    ran = run("schema", "--write", "taken/schemas")
    assert ran.code == 2
    assert "taken" in ran.err


def test_the_version_is_printed_alone() -> None:
    assert re.fullmatch(r"migrate \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_without_our_signs_gets_plainer_ones(stage: Stage, encoding: str) -> None:
    stage.accept("mig-1", request=a_request(app_name="Bücher"), reason="Grüße …")
    listed, shown, document = (
        run(*command, charset=encoding) for command in (["list"], ["status", "mig-1"], ["list", "--json"])
    )
    assert listed.code == shown.code == document.code == 0
    assert "1 migration | 1 RECEIVED" in listed.err or encoding == "latin-1"
    assert "~" in listed.out
    assert json.loads(document.out)[0]["request"]["appName"] == "Bücher"


def test_a_named_endpoint_goes_before_the_local_clouds(folder: Path) -> None:
    queues = Deployed(Target(stage="local", endpoint_url="http://127.0.0.1:4600")).queues
    assert (queues.meta.endpoint_url, queues.meta.region_name) == ("http://127.0.0.1:4600", "us-east-1")


COMMANDS = [
    *("submit", "plan", "draft", "retry", "list", "status", "watch", "wait", "logs", "open"),
    *("approve", "reject", "cancel", "release", "config", "callback-key", "schema"),
]


def test_every_command_is_known_here() -> None:
    assert [command.name or command.callback.__name__ for command in app.registered_commands if command.callback] == (
        COMMANDS
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_examples(command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"$ migrate {command}" in ran.out
    assert ("--endpoint-url" in ran.out) is (command != "schema")


def test_the_help_names_every_exit_code() -> None:
    out = run("--help").out
    for code in range(8):
        assert f"\n {code}  " in out


@pytest.mark.parametrize("arguments", [["nonsense"], ["status", "--nonsense"], ["submit"]], ids=str)
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).code == 2


def test_json_is_all_that_is_on_standard_output(stage: Stage) -> None:
    stage.accept()
    assert json.loads(run("status", "--json").out)[0]["migrationId"] == "mig-1"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("migrate status billing", ["billing-a", "billing-b"]),
        ("migrate watch --wave wa", ["wave-1", "wave-2"]),
        ("migrate list --status FRO", ["FROZEN"]),
        ("migrate list --app nothing", []),
        ("migrate --stage qa status billing", []),
        ("migrate list --stage pr", ["prod"]),
    ],
)
def test_the_shell_completes(
    stage: Stage, folder: Path, words: str, offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "cdk.json").write_text(json.dumps({"context": {"stages": {"local": {}, "dev": {}, "prod": {}}}}))
    for name, wave in (("billing-a", "wave-1"), ("billing-b", "wave-2"), ("shop-a", "wave-1")):
        stage.accept(name, request=a_request(name, wave=wave, app_name=name))
    completing = {"_MIGRATE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = CliRunner().invoke(app, [], prog_name="migrate", env=completing)
    assert result.stdout.split() == offered
