"""The mgn-simulator command."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from simulator.main import app
from simulator.scenario import parse_scenario


def test_scenario_command_prints_a_scenario() -> None:
    result = CliRunner().invoke(app, ["scenario", "--servers", "7", "--seed", "1"])
    assert len(parse_scenario(result.stdout).servers) == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_and_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("servers: [{name: a}]")
    command = [sys.executable, "-m", "simulator.main", "serve", "--port", "0", "--scenario", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None, line
        with urlopen(f"{found.group()}/_simulator/health", timeout=60) as answer:
            assert b'"servers": 1' in answer.read()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_wrong_scenario_ends_with_two_and_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("servers: [{name: a, count: 0}]")
    result = CliRunner().invoke(app, ["serve", "--port", "0", "--scenario", str(path)])
    assert result.exit_code == 2
    assert "servers[0].count: 0" in result.output


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--address-pool", "127.16.0.0/16"], "needs --ec2-endpoint"),
        (["--address-pool", "here", "--ec2-endpoint", "http://127.0.0.1:1"], "'here' does not appear to be"),
        (["--ec2-endpoint", "here"], "Invalid endpoint: here"),
        (["--account", "12"], "twelve digits"),
        (["--region", "here"], "--region here: a Region is named like us-east-1"),
        (["--time-scale", "inf"], "--time-scale inf: give a number above 0 and at most 86400"),
        (["--time-scale", "nan"], "--time-scale nan: give a number above 0 and at most 86400"),
        (["--time-scale", "0"], "--time-scale 0.0: give a number above 0 and at most 86400"),
        (["--scenario", "nowhere"], "the ready scenarios are happy-wave-12"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1:0"),
    ],
)
def test_wrong_option_ends_with_two_and_its_reason(options: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["serve", "--port", "0", *options], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert reason in result.output


@pytest.mark.parametrize("command", [[], ["serve"], ["scenario"]])
def test_help_shows_examples(command: list[str]) -> None:
    assert "$ mgn-simulator" in CliRunner().invoke(app, [*command, "--help"]).output


def test_dead_endpoint_ends_with_three(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("servers: [{name: a}]")
    dead = "http://127.0.0.1:1"
    result = CliRunner().invoke(app, ["serve", "--port", "0", "--scenario", str(path), "--ec2-endpoint", dead])
    assert result.exit_code == 3
    assert "an endpoint does not work" in result.output
