"""A handler's exception is reported by its class name with its stack trace, and leaves its environment warm.

The engine reports every exception as `Runtime.HandlerError`, which no Retry or Catch by name can match, and kills the
worker process, where AWS keeps it. A process that died by itself is reported as `Runtime.ExitError`.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from localcloud.engine.pins import pinned, replaced_once
from localcloud.engine.settings import EngineSettings

_FAILURE_KEY = "__localcloud_failure__"
_DEATH = "Worker process died"

_ENGINE_REPORT = (
    "        except Exception as e:\n            _real_stdout.write(json.dumps("
    '{"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")\n'
)
# Answered with status ok: the engine kills the worker on any other.
_REPORT = f"""\
        except Exception as e:
            _frames = traceback.format_tb(e.__traceback__)[1:]
            print("[ERROR] %s: %s\\nTraceback (most recent call last):\\n%s" % (type(e).__name__, e, "".join(_frames)))
            _failure = {{"errorMessage": str(e), "errorType": type(e).__name__, "requestId": context.aws_request_id,
                        "stackTrace": _frames}}
            _real_stdout.write(json.dumps({{"status": "ok", "result": {{"{_FAILURE_KEY}": _failure}}}}) + "\\n")
"""


def apply(settings: EngineSettings) -> None:
    pinned(lambda_runtime, "Worker.invoke", "96751a754710")
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced_once(lambda_runtime._PYTHON_WORKER_SCRIPT, _ENGINE_REPORT, _REPORT)
    execute = pinned(lambda_svc, "_execute_function_warm", "62b9218bef5b")

    def execute_and_report(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = execute(func, event, request_id)
        body = result.get("body")
        if isinstance(body, dict) and _FAILURE_KEY in body:
            return {"body": body[_FAILURE_KEY], "error": True, "log": result.get("log", "")}
        if result.get("error") and isinstance(body, dict) and body["errorMessage"] == _DEATH:
            return {**result, "body": {**body, "errorType": "Runtime.ExitError"}}
        return result

    lambda_svc._execute_function_warm = execute_and_report
