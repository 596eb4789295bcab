"""A function's code is unpacked and compiled once, for all its environments and for every function that shares it.

The engine unpacks it for each one: 12 MB and a second of compiling per cold start, where AWS reuses a prepared image.
"""

import hashlib
import os
import tempfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.settings import EngineSettings

_CODE_FOLDER = "code"


def apply(settings: EngineSettings) -> None:
    pinned(lambda_runtime, "Worker._spawn", "c55febf95656")
    if lambda_runtime.zipfile is not zipfile:
        raise EngineChangedError("lambda_runtime no longer imports zipfile")
    shared = {**vars(zipfile), "ZipFile": _SharedZipFile}
    lambda_runtime.zipfile = SimpleNamespace(**shared)


class _SharedZipFile(zipfile.ZipFile):
    """An archive whose extraction as a function's code is a link to the one extraction all share."""

    _folder = Path(tempfile.mkdtemp(prefix="lambda-code-"))
    # Not `_lock`: every ZipFile has one of its own under that name.
    _one_at_a_time = threading.Lock()

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
        if path is None or Path(path).name != _CODE_FOLDER:
            super().extractall(path, members, pwd)
            return
        target = self._folder / hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()[:16]
        with self._one_at_a_time:
            if not target.exists():
                unfinished = target.with_suffix(".unfinished")
                super().extractall(unfinished, members, pwd)
                unfinished.rename(target)
        os.rmdir(path)
        os.symlink(target, path)
