"""Scenarios: readable errors, expansion, the ready ones, the generator."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator, load_scenario
from simulator.model.settings.quotas import Quotas
from simulator.scenario import Scenario, ScenarioError, ServerSpec, parse_scenario, ready_scenarios
from simulator.scenario.generator import generate, generate_yaml


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
        ("servers: [{name: a, timings: {bot: 1}}]", "servers[0].timings.bot: 1: no such field"),
        ("servers: [{name: a, timings: {snapshot_interval: 0}}]", "servers[0].timings.snapshot_interval: 0: input"),
        ("servers: [{name: a, timings: {jitter: 5}}]", "servers[0].timings.jitter: 5: input should be less than 1"),
        ("servers: [{name: a, timings: {boot: .inf}}]", "servers[0].timings.boot: inf: input should be less than"),
        ("timings: {initial_sync: 1.0e+12}", "timings.initial_sync: 1000000000000.0: input should be less than"),
        ("knobs: {template_check_seconds: .nan}", "knobs.template_check_seconds: nan: input should be"),
        ("knobs: {template_check_seconds: 1.0e-9}", "knobs.template_check_seconds: 1e-09: input should be"),
        ("servers: [{name: a, fqdn: '{x}.corp'}]", "fqdn '{x}.corp' cannot be filled in: it may hold {n} and {name}"),
        ("servers: [{name: 'a{n.real}'}]", "name 'a{n.real}' cannot be filled in: it may hold {n}"),
        ("servers: [{name: 'a{n.x}'}]", "name 'a{n.x}' cannot be filled in: it may hold {n}"),
        ("servers: [{name: 'a{n[0]}'}]", "name 'a{n[0]}' cannot be filled in: it may hold {n}"),
        (
            "servers: [{name: a, replication: DISCONNECTED}]",
            "replication DISCONNECTED with lifecycle READY_FOR_TEST: change one; CONTINUOUS, BACKLOG",
        ),
        (
            "servers: [{name: a, lifecycle: CUTOVER, replication: CONTINUOUS}]",
            "replication CONTINUOUS with lifecycle CUTOVER: change one; DISCONNECTED fit",
        ),
        ("managed_accounts: ['12']", "managed_accounts[0]: '12': string should match pattern"),
        ("region: ''", "region: '': string should match pattern"),
        ("region: us-east", "region: 'us-east': string should match pattern"),
        ("start: 0001-01-01T00:00:00Z", "choose a time from 1980 to 8999"),
        ("start: 9999-12-31T23:59:59Z", "choose a time from 1980 to 8999"),
        ("faults: [{kind: events, delay_seconds: [60, 0]}]", "faults[0].delay_seconds: [60, 0]: the shortest delay"),
        ("faults: [{kind: replication, after_seconds: .inf}]", "faults[0].after_seconds: inf: input should be"),
        (
            "faults: [{kind: call, operations: [StartTset], outcome: internal}]",
            "the API has no operation 'StartTset': did you mean StartTest",
        ),
        (
            "servers: [{name: a, count: 4001}]",
            "4001 servers that are not archived: raise quotas.unarchived_servers, which is 4000, or have fewer",
        ),
        ("servers: [{name: a, app: x, count: 201}]", "201 servers in application 'x': raise quotas.servers_per_app"),
        (
            "quotas: {active_applications: 1}\nservers: [{name: a, app: x}, {name: b, app: y}]",
            "2 applications: raise quotas.active_applications, which is 1",
        ),
        (
            "quotas: {active_waves: 1}\nservers: [{name: a, app: x, wave: v}, {name: b, app: y, wave: w}]",
            "2 waves: raise quotas.active_waves, which is 1",
        ),
        (
            "quotas: {applications_per_wave: 1}\nservers: [{name: a, app: x, wave: w}, {name: b, app: y, wave: w}]",
            "2 applications in wave 'w': raise quotas.applications_per_wave, which is 1",
        ),
        (
            "servers: [{name: a, app: x, wave: v}, {name: b, app: x, wave: w}]",
            "application 'x' is in two waves, 'v' and 'w': keep one of them",
        ),
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


@pytest.fixture(params=["UTC", "America/New_York"])
def zone_of_the_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone_of_the_machine")
def test_start_without_a_zone_is_utc_on_any_machine() -> None:
    starts = [
        parse_scenario(f"start: {text}").start_seconds for text in ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z")
    ]
    assert starts == [1_767_225_600, 1_767_225_600]


def test_durations_of_one_server_differ_only_where_it_says_so() -> None:
    simulator = Simulator(parse_scenario("timings: {boot: 5, launch: 7}\nservers: [{name: a, timings: {boot: 9}}]"))
    timings = simulator.server("a").timings
    assert (timings.boot, timings.launch) == (9, 7)


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


@pytest.mark.parametrize("servers", [1601, 4001, 50_000])
def test_generated_scenario_of_any_size_can_be_loaded(servers: int) -> None:
    raw = generate(servers, 1)
    scenario = Scenario.model_validate(raw)
    assert len({spec.app for spec in scenario.servers}) <= scenario.quotas.active_applications
    assert max(Counter(spec.app for spec in scenario.servers).values()) <= Quotas().servers_per_application


def test_account_of_a_large_generated_scenario_is_made() -> None:
    simulator = Simulator(Scenario.model_validate(generate(4001, 1)))
    assert len(simulator.account.servers) == 4001


def test_generated_scenario_raises_only_the_quotas_it_needs() -> None:
    assert "quotas" not in generate(150, 1)
    assert generate(1601, 1)["quotas"] == {"replicating_servers": 1601}


def test_empty_file_is_an_empty_scenario() -> None:
    assert parse_scenario("").servers == ()
