"""The MGN simulator may publish events of the source `aws.mgn`, which EventBridge refuses to everyone but AWS."""

import contextvars
from typing import Any

from ministack.core import router
from ministack.services import eventbridge

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_SOURCE = "aws.mgn"
# The simulator's key at home; elsewhere it has its account's. Handlers have the home account's key or their role's, so
# that theirs are refused.
_KEY_AT_HOME = "test"
_HOME = "000000000000"

_access_key: contextvars.ContextVar[str] = contextvars.ContextVar("events_access_key", default="")


def apply(settings: EngineSettings) -> None:
    handle = pinned(eventbridge, "handle_request", "129d025f1899")
    put = pinned(eventbridge, "_put_events", "ebcda0f38061")
    keys = {_KEY_AT_HOME, *(scope.split("#")[0] for scope in settings.mgn_urls)} - {_HOME}

    async def handle_with_caller(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        _access_key.set(router.extract_access_key_id(headers, query))
        return await handle(method, path, headers, body, query)

    def put_with_native(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        native = all(entry.get("Source") == _SOURCE for entry in data.get("Entries", []))
        return put(data, allow_aws_source or (native and _access_key.get() in keys))

    eventbridge.handle_request = handle_with_caller
    eventbridge._put_events = put_with_native
