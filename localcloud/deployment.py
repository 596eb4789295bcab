"""Deploys synthesized stacks to a local cloud with the CDK CLI that the repository pins."""

import json
import os
import subprocess
import sys
from pathlib import Path

from localcloud.services import temporary_folder
from localcloud.state import CloudState

_CLI = Path(__file__).parents[1] / "node_modules/.bin/cdk"


class DeploymentError(RuntimeError):
    """The CDK CLI failed."""


def deploy(state: CloudState, assembly: Path) -> dict[str, dict[str, str]]:
    """Bootstrap the account, deploy every stack of the assembly, and return the outputs by stack."""
    if not (assembly / "manifest.json").exists():
        raise DeploymentError(f"there is no assembly in {assembly}: run `make synth`")
    outputs = state.folder.absolute() / "outputs.json"
    app = ["--app", str(assembly.absolute()), "--no-notices"]
    _run_cli(state, ["bootstrap", *app, f"aws://{state.account}/{state.region}"])
    _run_cli(
        state,
        [
            *("deploy", "--all", *app, "--require-approval", "never", "--progress", "events"),
            *("--method", "direct", "--concurrency", "4", "--outputs-file", str(outputs)),
        ],
    )
    found: dict[str, dict[str, str]] = json.loads(outputs.read_text()) if outputs.exists() else {}
    return found


def _run_cli(state: CloudState, arguments: list[str]) -> None:
    log = state.folder / f"cdk-{arguments[0]}.log"
    with log.open("w") as output:
        result = subprocess.run(
            [str(_CLI), *arguments],
            env=_cli_environment(state),
            cwd=state.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        raise DeploymentError(f"cdk {arguments[0]} failed, see {log}:\n{log.read_text()[-3000:]}")


def _cli_environment(state: CloudState) -> dict[str, str]:
    return state.client_variables() | {
        # The project's environment brings the Node that the CLI runs on.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        # The CLI keeps a cache and reads AWS profiles under HOME.
        "HOME": str(temporary_folder(state.folder)),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CI": "true",
    }
