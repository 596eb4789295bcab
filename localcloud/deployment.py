"""Deploys synthesized stacks to a local cloud with the CDK CLI that the repository pins."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from localcloud.services import temporary_folder
from localcloud.state import CloudState
from runtime.models.scope import Scope

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_CLI = Path(__file__).parents[1] / "node_modules/.bin/cdk"


class DeploymentError(RuntimeError):
    """The CDK CLI failed."""


def deploy(state: CloudState, assembly: Path) -> dict[str, dict[str, str]]:
    """Bootstrap each account and Region, deploy every stack of the assembly, and return the outputs by stack."""
    if not (assembly / "manifest.json").exists():
        raise DeploymentError(f"there is no assembly in {assembly}: run `make synth`")
    outputs = state.folder.absolute() / "outputs.json"
    app = ["--app", str(assembly.absolute()), "--no-notices"]
    _run_cli("bootstrap", state, state.home, ["bootstrap", *app, _environment(state.home)])
    for scope in _elsewhere(assembly) - {state.home}:
        # Lets the home account deploy there, so that one command deploys all.
        trust = ["--trust", state.account, "--cloudformation-execution-policies", ADMINISTRATOR]
        _run_cli(
            f"bootstrap-{str(scope).replace('#', '-')}", state, scope, ["bootstrap", *app, *trust, _environment(scope)]
        )
    _run_cli(
        "deploy",
        state,
        state.home,
        [
            *("deploy", "--all", *app, "--require-approval", "never", "--progress", "events"),
            *("--method", "direct", "--concurrency", "4", "--outputs-file", str(outputs)),
        ],
    )
    found: dict[str, dict[str, str]] = json.loads(outputs.read_text()) if outputs.exists() else {}
    return found


def _elsewhere(assembly: Path) -> set[Scope]:
    """The accounts and Regions that stacks of the assembly name."""
    manifest = json.loads((assembly / "manifest.json").read_text())
    named = {artifact.get("environment", "") for artifact in manifest["artifacts"].values()}
    return {
        Scope(found[1], found[2]) for name in named if (found := re.fullmatch(r"aws://(\d{12})/([a-z0-9-]+)", name))
    }


def _environment(scope: Scope) -> str:
    return f"aws://{scope.account}/{scope.region}"


def _run_cli(name: str, state: CloudState, scope: Scope, arguments: list[str]) -> None:
    log = state.folder / f"cdk-{name}.log"
    with log.open("w") as output:
        result = subprocess.run(
            [str(_CLI), *arguments],
            env=_cli_environment(state, scope),
            cwd=state.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        raise DeploymentError(f"cdk {name} failed, see {log}:\n{log.read_text()[-3000:]}")


def _cli_environment(state: CloudState, scope: Scope) -> dict[str, str]:
    return state.client_variables(scope) | {
        # The project's environment brings the Node that the CLI runs on.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        # The CLI keeps a cache and reads AWS profiles under HOME.
        "HOME": str(temporary_folder(state.folder)),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CI": "true",
    }
