"""Reads scenarios from YAML."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from simulator.scenario.explanation import explain
from simulator.scenario.scenario import Scenario, ScenarioError

READY = Path(__file__).parent / "ready"


def ready_scenarios() -> list[str]:
    """Names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in READY.glob("*.yaml"))


def load_scenario(path: Path | str) -> Scenario:
    """Read a scenario file, or a ready scenario by its name."""
    file = READY / f"{path}.yaml" if str(path) in ready_scenarios() else Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = ", ".join(ready_scenarios())
        raise ScenarioError(f"{path}: no such file; the ready scenarios are {known}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, source: str = "scenario") -> Scenario:
    """Read a scenario from YAML text; `source` names it in errors."""
    try:
        raw = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise ScenarioError(f"{source}: a scenario is a mapping, got {type(raw).__name__}")
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError(f"{source}:\n{explain(error)}") from error
