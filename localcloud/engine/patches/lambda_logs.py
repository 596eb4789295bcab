"""A Python handler's log lines are collected up to its end-of-invocation mark.

The engine waits a fixed time after each invocation instead: 50 ms when the handler logged nothing, and lines that come
later are filed under the next invocation.
"""

import queue
import time
from typing import Any

from ministack.core import lambda_runtime

from localcloud.engine.pins import pinned, replaced_once
from localcloud.engine.settings import EngineSettings

_MARK = "\x1eend-of-invocation"
_LONGEST_WAIT = 0.5

_AFTER_HANDLER = "        _real_stdout.flush()\n\nrun()\n"
_MARK_THEN_ANSWER = f"""\
        sys.__stderr__.write({_MARK!r} + "\\n")
        sys.__stderr__.flush()
        _real_stdout.flush()

run()
"""


def apply(settings: EngineSettings) -> None:
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced_once(
        lambda_runtime._PYTHON_WORKER_SCRIPT, _AFTER_HANDLER, _MARK_THEN_ANSWER
    )
    drain_other_runtime = pinned(lambda_runtime, "Worker._drain_stderr_bounded", "3fd7cc742872")

    def drain(worker: Any) -> str:
        if not str(worker.config.get("Runtime", "")).startswith("python"):
            return str(drain_other_runtime(worker))
        return "\n".join(_lines_up_to_mark(worker._stderr_queue))

    lambda_runtime.Worker._drain_stderr_bounded = drain


def _lines_up_to_mark(lines: "queue.Queue[str]") -> list[str]:
    found = []
    deadline = time.monotonic() + _LONGEST_WAIT
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if line.endswith(_MARK):
            found += [line.removesuffix(_MARK)] if line != _MARK else []
            break
        found.append(line)
    return found
