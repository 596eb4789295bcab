"""`migrate plan` and `migrate draft`: what MGN and the stage say before anything is sent."""

import json
from typing import Any

import pytest
import yaml

from runtime.models.functions.environment import ValidateEnvironment
from tests.builders import SERVER_ID, a_record, a_request, server_id
from tests.cli.deployed_stage import TO_COMPLETED, S, Stacks, Stage, a_message, run

HOME = "123456789012#us-east-1"
BARE: dict[str, Any] = {"instanceType": None, "subnetId": None, "securityGroupIds": None}


def a_source_server(**changes: Any) -> dict[str, Any]:
    return {
        "sourceServerID": SERVER_ID,
        "lifeCycle": {"state": "READY_FOR_TEST"},
        "dataReplicationInfo": {"dataReplicationState": "CONTINUOUS", "lagDuration": "P0D"},
        "sourceProperties": {"identificationHints": {"hostname": "billing-web-01"}},
        "applicationID": "app-1",
        "tags": {"Env": "prod"},
        **changes,
    }


@pytest.fixture
def account(stage: Stage, stacks: Stacks) -> list[dict[str, Any]]:
    """What MGN has, behind a stage whose settings can be read."""
    servers = [a_source_server()]
    settings = ValidateEnvironment(stage="dev", state_table="t", token_table="t", wake_queue="q").to_variables()
    function = {
        "LogicalResourceId": "FunctionsValidateInputFunction1",
        "PhysicalResourceId": "validate",
        "ResourceType": "AWS::Lambda::Function",
    }
    stacks.made |= {
        "ListStackResources": lambda call: {"StackResourceSummaries": [function]},
        "GetFunctionConfiguration": lambda call: {"Environment": {"Variables": settings}},
        "DescribeSourceServers": lambda call: {"items": servers},
        "DescribeJobs": lambda call: {"items": []},
        "GetReplicationConfiguration": lambda call: {"ebsEncryption": "DEFAULT"},
        "ListWaves": lambda call: {"items": [{"waveID": "wave-1", "name": "first"}]},
        "ListApplications": lambda call: {"items": [{"applicationID": "app-1", "name": "billing", "waveID": "wave-1"}]},
    }
    return servers


def plan(**changes: Any) -> Any:
    message = {name: value for name, value in a_message(**{**BARE, **changes}).items() if value is not None}
    return run("plan", "-", stdin=json.dumps(message))


def test_each_rule_has_a_verdict_and_nothing_is_sent(account: list[dict[str, Any]], stage: Stage) -> None:
    ran = plan()
    assert ran.code == 0
    verdicts = {line.split("\t")[1]: line.split("\t")[2] for line in ran.out.splitlines()}
    assert verdicts == dict.fromkeys(
        [
            *("id", "window", "documents", "target", "launch settings", "server", "replication"),
            *("ownership", "volume key", "quota"),
        ],
        "ok",
    )
    assert f"{SERVER_ID} is READY_FOR_TEST" in ran.out
    assert "0 of 20 jobs and 0 of 200 servers in use" in ran.out
    assert ran.err == "1 request: 1 ok; nothing was sent\n"
    assert stage.bodies() == []


def test_every_broken_rule_is_told_at_once(account: list[dict[str, Any]]) -> None:
    account[0]["lifeCycle"] = {"state": "TESTING"}
    check = {"type": "ssm", "document": "Mine"}
    ran = plan(subnetId="subnet-11111111111111111", checks=[check])
    assert ran.code == 3
    broken = [line.split("\t")[1] for line in ran.out.splitlines() if line.split("\t")[2] == "broken"]
    assert broken == ["documents", "launch settings", "server"]


def test_a_server_that_is_not_launchable_yet_only_waits(account: list[dict[str, Any]]) -> None:
    account[0]["dataReplicationInfo"] = {"dataReplicationState": "INITIAL_SYNC"}
    ran = plan()
    assert ran.code == 0
    assert "replication\twaits\treplication is INITIAL_SYNC" in ran.out
    assert ran.err == "1 request: 1 waits; nothing was sent\n"


@pytest.mark.parametrize("end", [None, S.FROZEN])
def test_a_server_that_another_migration_holds_is_told(
    account: list[dict[str, Any]], stage: Stage, end: S | None
) -> None:
    record = stage.accept("other", source_server_id=SERVER_ID, scope=HOME)
    if end:
        stage.move(record, end)
    ran = plan()
    assert ran.code == 3
    assert f"{SERVER_ID} belongs to migration other" in ran.out


def test_a_migration_that_gave_its_server_back_holds_none(account: list[dict[str, Any]], stage: Stage) -> None:
    record = stage.accept("other", source_server_id=SERVER_ID, scope=HOME)
    stage.move(record, S.FROZEN, reason="released by ada (AIDA): mended")
    stage.move(stage.accept("ended", source_server_id=SERVER_ID, scope=HOME), *TO_COMPLETED)
    assert plan().code == 0


def test_an_id_that_was_used_before_is_told(account: list[dict[str, Any]], stage: Stage) -> None:
    stage.accept("mig-1", request=a_request(wave="9"))
    ran = plan()
    assert ran.code == 3
    assert "accepted before with another body" in ran.out


def test_an_account_that_is_not_the_callers_is_not_judged(account: list[dict[str, Any]]) -> None:
    assert "is no target of this deployment" in plan(targetRegion="eu-west-1").out


def test_the_verdict_is_a_document_for_programs(account: list[dict[str, Any]]) -> None:
    message = {name: value for name, value in a_message(**BARE).items() if value is not None}
    [found] = run("plan", "-", "--json", stdin=json.dumps(message)).json
    assert (found["migrationId"], found["verdict"]) == ("mig-1", "ok")
    assert {"rule": "quota", "verdict": "ok"}.items() <= found["rules"][-1].items()


def test_a_draft_is_a_request_a_server_that_submit_takes(account: list[dict[str, Any]]) -> None:
    account += [
        a_source_server(sourceServerID=server_id(2), lifeCycle={"state": "CUTOVER"}),
        a_source_server(sourceServerID=server_id(3), applicationID="none", sourceProperties={}, tags={}),
    ]
    ran = run("draft", "--from-mgn")
    assert ran.code == 0
    document = yaml.safe_load(ran.out)
    assert [request["sourceServerId"] for request in document["requests"]] == [server_id(3), SERVER_ID]
    assert document["requests"][1] == {
        "migrationId": "first-billing-web-01",
        "sourceVmId": "billing-web-01",
        "sourceServerId": SERVER_ID,
        "appName": "billing",
        "wave": "first",
    }
    filled = ran.out.replace("FILL-IN", "vmware")
    assert run("submit", "-", "--dry-run", stdin=filled).code == 0


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--wave", "first"], 1),
        (["--wave", "second"], 0),
        (["--app", "billing"], 1),
        (["--tag", "Env"], 1),
        (["--tag", "Env=prod"], 1),
        (["--tag", "Env=test"], 0),
    ],
    ids=str,
)
def test_drafts_are_filtered(account: list[dict[str, Any]], filters: list[str], found: int) -> None:
    ran = run("draft", "--from-mgn", "--json", *filters)
    assert ran.code == (0 if found else 6)
    assert len(ran.json if found else []) == found


def test_a_draft_as_a_table_is_one_that_submit_takes(account: list[dict[str, Any]]) -> None:
    table = run("draft", "--from-mgn", "-o", "csv").out
    named = ["--default", "source=vmware", "--default", "environment=production"]
    assert run("submit", "-", "--dry-run", *named, stdin=table).code == 0


def test_a_draft_says_where_from() -> None:
    assert run("draft").code == 2
    assert run("draft", "--from-mgn", "-o", "xml").code == 2


def test_the_lines_of_all_functions_are_in_order(stage: Stage, stacks: Stacks) -> None:
    record = stage.accept("mig-1")
    groups = [
        {"LogicalResourceId": name, "PhysicalResourceId": name, "ResourceType": "AWS::Logs::LogGroup"} for name in "ab"
    ]
    line = {"service": "validate_input", "level": "INFO", "message": "claimed\x1b[2J"}
    events = {"a": [(2, "second, as it is")], "b": [(1, json.dumps(line))]}
    asked = []

    def found(call: dict[str, Any]) -> Any:
        asked.append(call["filterPattern"])
        return {"events": [{"timestamp": at * 1000, "message": text} for at, text in events[call["logGroupName"]]]}

    stacks.made |= {
        "ListStackResources": lambda call: {"StackResourceSummaries": groups},
        "FilterLogEvents": found,
    }
    ran = run("logs", "mig-1")
    first, second = ran.out.splitlines()
    assert first == "1970-01-01 00:00:01Z\tvalidate_input\tINFO\tclaimed\ufffd[2J"
    assert second.endswith("second, as it is")
    assert set(asked) == {f'"{record.correlation_id}"'}
    assert ran.err == f"2 lines with correlation id {record.correlation_id}\n"


def test_an_execution_is_found_in_the_console(stage: Stage) -> None:
    execution = "arn:aws:states:eu-west-1:111122223333:execution:migration:one"
    record = stage.accept("mig-1", execution=execution)
    ran = run("open", "mig-1")
    assert ran.out == (
        f"https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{execution}\n"
    )
    stage.accept("mig-2", request=a_record("mig-2").request)
    assert run("open", "mig-2").code == 3
    assert run("open", record.migration_id + "x").code == 5


def test_config_says_what_is_used_and_where_that_was_said(stage: Stage) -> None:
    shown = run("config", "--region", "eu-west-1", "--json", MIGRATE_STAGE="prod").json
    assert shown["stage"] == {"value": "prod", "from": "MIGRATE_STAGE"}
    assert shown["region"] == {"value": "eu-west-1", "from": "option"}
    assert shown["profile"] == {"value": None, "from": "nowhere"}
    assert "stage\tdev\tdefault\n" in run("config").out
