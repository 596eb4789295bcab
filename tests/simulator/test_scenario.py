"""Scenarios: readable errors, expansion, the ready ones, the generator."""

import json
from pathlib import Path

import pytest

from simulator import Simulator, load_scenario
from simulator.generator import generate_yaml
from simulator.scenario import ScenarioError, ServerSpec, parse_scenario, ready_scenarios


@pytest.mark.parametrize("name", ready_scenarios())
def test_ready_scenario_loads_by_its_name_and_runs(name: str) -> None:
    simulator = Simulator(load_scenario(name))
    simulator.advance(3600)
    assert simulator.scenario.name == name
    assert simulator.account.servers


@pytest.mark.parametrize(
    ("name", "servers"),
    [("happy-wave-12", 12), ("messy-wave-40", 40), ("thousand-servers", 1000), ("quota-crunch", 300), ("stalls", 9)],
)
def test_ready_scenario_has_its_servers(name: str, servers: int) -> None:
    assert len(Simulator(load_scenario(name)).account.servers) == servers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "servers: [{name: a, disks: [{gib: 0}]}]",
            "servers[0].disks[0].gib: 0: input should be greater than or equal to 1",
        ),
        ("servers: [{nme: a}]", "servers[0].name: missing; add it"),
        ("servers: [{name: a, colour: red}]", "servers[0].colour: 'red': no such field"),
        ("servers: [{name: a, lifecycle: READY}]", "'READY_FOR_TEST'"),
        ("servers: [{name: a}, {name: a}]", "two servers are named 'a'"),
        ("servers: [{name: a, wave: w}]", "give the server an app too"),
        ("servers: [{name: a, count: 2, ip: 10.0.0.1}]", "need count 1"),
        ("servers: [{name: a, timings: {bot: 1}}]", "unknown timings ['bot']"),
        ("servers: [{name: a, count: 4001}]", "raise quotas.unarchived_servers"),
        ("faults: [{kind: launch, at: nowhere}]", "faults[0].at: 'nowhere'"),
        ("faults: [{kind: weather}]", "'weather'"),
        ("knobs: {busy_batch: maybe}", "knobs.busy_batch: 'maybe'"),
        ("servers: [{name: 'a{x}'}]", "name 'a{x}' cannot be filled in: it may hold {n}"),
        ("servers: [{name: a, user_provided_id: '{'}]", "it may hold {n} and {name}"),
        ("servers: [{name: a, launch: {size: 1}}]", "launch has no size"),
        ("servers: [{name: a, launch: {bootMode: BIOS}}]", "launch.bootMode: Member must satisfy enum"),
        (
            "servers: [{name: a, id: s-00000000000000001}, {name: b, id: s-00000000000000001}]",
            "two servers have the id 's-00000000000000001'",
        ),
        ("faults: [{kind: replication, error: BROKEN}]", "'AGENT_NOT_SEEN'"),
        ("faults: [{servers: [a]}]", "needs a kind: call, events, launch, replication"),
        ("servers: {name: a}", "servers: {'name': 'a'}: a list belongs here"),
        ("servers: [a]", "servers[0]: 'a': a mapping belongs here"),
        ("account_id: 123456789012", "account_id: 123456789012: text belongs here; put it in quotes"),
        ("servers: [{name: a, vcenter_client: 1}]", "1 of 0 vCenter clients"),
        ("- a list", "a scenario is a mapping, got list"),
        ("a: [", "not YAML"),
    ],
)
def test_wrong_scenario_names_field_value_and_fix(text: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text)
    assert expected in str(caught.value)


def test_missing_file_is_named_beside_the_ready_scenarios() -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml: no such file; .* happy-wave-12, messy-wave-40"):
        load_scenario("nowhere.yaml")


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_unreadable_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "odd.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ScenarioError, match=r"odd\.yaml: cannot be read"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("name", "count", "names"),
    [("a", 1, ["a"]), ("a", 2, ["a-01", "a-02"]), ("a{n:03d}", 2, ["a001", "a002"])],
)
def test_count_makes_that_many_names(name: str, count: int, names: list[str]) -> None:
    assert ServerSpec(name=name, count=count).names() == names


def test_same_seed_gives_the_same_world() -> None:
    scenario = parse_scenario("servers: [{name: a, count: 5}]\ntimings: {jitter: 0.3}")
    worlds = [Simulator(scenario, seed=7) for _ in range(2)]
    for world in worlds:
        world.call("StartTest", sourceServerIDs=list(world.account.servers))
        world.finish_jobs()
    assert worlds[0].log() == worlds[1].log()


def test_reads_do_not_change_what_the_same_seed_gives() -> None:
    scenario = parse_scenario(
        """
        servers: [{name: a, count: 20, actions: [{name: check}]}]
        faults:
          - {kind: launch, at: launch, probability: 0.5}
          - {kind: call, operations: ["Describe*"], outcome: throttle, probability: 0.5}
        """
    )
    quiet, asked = (Simulator(scenario, seed=7) for _ in range(2))
    for _ in range(10):
        asked.answer("POST", "/DescribeSourceServers")
    for world in (quiet, asked):
        world.answer("POST", "/StartTest", body=json.dumps({"sourceServerIDs": list(world.account.servers)}).encode())
        world.finish_jobs()
    assert quiet.state()["jobs"] == asked.state()["jobs"]


def test_other_seed_gives_other_ids() -> None:
    scenario = parse_scenario("servers: [{name: a}]")
    assert list(Simulator(scenario, seed=1).account.servers) != list(Simulator(scenario, seed=2).account.servers)


def test_generated_scenario_is_valid_and_reproducible() -> None:
    text = generate_yaml(50, 3)
    assert text == generate_yaml(50, 3)
    assert len(parse_scenario(text).servers) == 50


def test_empty_file_is_an_empty_scenario() -> None:
    assert parse_scenario("").servers == ()
