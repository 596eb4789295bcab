"""One invocation as the first of a fresh interpreter, its AWS calls answered as they were once before.

As a script, with such an invocation in a file, it prints the processor time since the interpreter started. Nothing but
the handler's own modules is imported here: what else was, would be counted.
"""

import pickle
import sys
import time
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple


class Invocation(NamedTuple):
    """What a handler was called with, and what it asked of AWS with the answers, refusals included, in order."""

    handler: str
    event: Any
    function_arn: str
    at: datetime
    answers: list[tuple[str, Any]]


def replay(invocation: Invocation) -> None:
    """Invoke the handler once more."""
    module = import_module(f"runtime.handlers.{invocation.handler}")
    answers = iter(invocation.answers)

    def answer(_: object, operation: str, __: object) -> Any:
        asked, kept = next(answers)
        if operation != asked:
            raise RuntimeError(f"{invocation.handler} asks {operation}, not {asked}")
        if isinstance(kept, Exception):
            raise kept
        return kept

    # Imported as late as the handler would: its tree is part of what is measured.
    from botocore.client import BaseClient

    from runtime.handlers.wiring import AwsPorts

    calls: Any = BaseClient
    calls._make_api_call = answer
    ports: Any = AwsPorts
    ports.now = lambda _: invocation.at
    context = SimpleNamespace(
        function_name=invocation.handler,
        memory_limit_in_mb=512,
        invoked_function_arn=invocation.function_arn,
        aws_request_id="11111111-1111-1111-1111-111111111111",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    module.handler(invocation.event, context)
    if left := len(list(answers)):
        raise RuntimeError(f"{invocation.handler} left {left} answers unread")


if __name__ == "__main__":
    replay(Invocation(*pickle.loads(Path(sys.argv[1]).read_bytes())))
    print(time.process_time())
