"""Handlers see what AWS's Python runtime carries, boto3 and what it needs, and not the engine's other packages.

The engine runs handlers on its own interpreter with its own site-packages, which hides a package missing from a bundle.
"""

import importlib.util
import os
import tempfile
from pathlib import Path

from ministack.core import lambda_runtime

from localcloud.engine.pins import replaced_once
from localcloud.engine.settings import EngineSettings

_RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

_ENGINE_IMPORTS = "import sys, json, importlib, traceback, os, time\n"


def apply(settings: EngineSettings) -> None:
    folder = _runtime_folder()
    only_runtime_packages = (
        'sys.path[:] = [entry for entry in sys.path if not entry.rstrip("/").endswith("site-packages")]\n'
        f"sys.path.append({str(folder)!r})\n"
    )
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced_once(
        lambda_runtime._PYTHON_WORKER_SCRIPT, _ENGINE_IMPORTS, _ENGINE_IMPORTS + only_runtime_packages
    )


def _runtime_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lambda-runtime-"))
    for name in _RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"the engine's environment lacks {name}")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        os.symlink(source, folder / source.name)
    return folder
