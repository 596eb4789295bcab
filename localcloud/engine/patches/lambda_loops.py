"""Lambda's recursive-loop detection follows messages through queues, and templates can allow a loop.

The engine counts the invocations of a chain of requests only where functions invoke each other, and its templates
ignore `RecursiveLoop`. On AWS the count travels in the trace header, through queues, too, and what is stopped goes to
the dead-letter queue (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
"""

from contextvars import ContextVar
from functools import wraps
from typing import Any

from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_HOPS = "localcloud.invocations"
_LAST_RECEIVE = 1_000
"""The highest maxReceiveCount."""

_sender: ContextVar[int] = ContextVar("localcloud_invocations_before_this_message", default=0)
comes_from_a_queue: ContextVar[bool] = ContextVar("localcloud_comes_from_a_queue", default=False)
"""Whether nobody waits for this invocation, however many came before it in its chain."""


def apply(settings: EngineSettings) -> None:
    take_request = pinned(sqs, "handle_request", "a838f9d3e266")
    system_attributes = pinned(sqs, "_build_send_sys_attrs", "d5f662692aea")
    run_batch = pinned(lambda_svc, "_run_sqs_batch", "f9bf630aabf3")
    pinned(lambda_svc, "_recursive_loop_drop", "259073460fbc")

    async def take_request_of(method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any) -> Any:
        _sender.set(lambda_svc._inbound_invoke_depth(headers))
        return await take_request(method, path, headers, body, query_params)

    # Other patches add to the same attributes, over this one; their pins see through it.
    @wraps(system_attributes)
    def system_attributes_with_hops(now: float, given: dict[str, Any]) -> dict[str, Any]:
        return {**system_attributes(now, given), _HOPS: _sender.get()}

    def run_batch_unless_it_loops(
        mapping: Any, function: Any, event: dict[str, Any], batch: list[Any], url: str, queue: str
    ) -> None:
        name = mapping["FunctionName"]
        stopped = [m for m in batch if lambda_svc._recursive_loop_drop(name, function, _hops(m) + 1) is not None]
        if stopped:
            _stop(url, stopped)
        ids = {message["id"] for message in stopped}
        records = [record for record in event["Records"] if record["messageId"] not in ids]
        if records:
            going = [message for message in batch if message["id"] not in ids]
            lambda_svc._invoke_depth.set(max(map(_hops, going)) + 1)
            comes_from_a_queue.set(True)
            run_batch(mapping, function, {"Records": records}, going, url, queue)

    sqs.handle_request = take_request_of
    sqs._build_send_sys_attrs = system_attributes_with_hops
    lambda_svc._run_sqs_batch = run_batch_unless_it_loops
    _let_templates_allow_loops()


def _hops(message: dict[str, Any]) -> int:
    return int((message.get("sys") or {}).get(_HOPS, 0))


def _stop(url: str, messages: list[dict[str, Any]]) -> None:
    if not sqs._queues[url]["attributes"].get("RedrivePolicy"):
        sqs._delete_messages_for_esm(url, {message["receipt_handle"] for message in messages})
        return
    for message in messages:
        # The next receive moves what was received too often.
        message.update(receive_count=_LAST_RECEIVE, visible_at=0)


def _let_templates_allow_loops() -> None:
    create = pinned(provisioners, "_lambda_create", "8b2cf80e961d")
    update = pinned(provisioners, "_lambda_update", "4855410e37d7")

    def create_with_loops(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        name, attributes = create(logical_id, properties, stack_name)
        return _allow(name, properties), attributes

    def update_with_loops(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> Any:
        name, attributes = update(physical_id, old, new, stack_name, logical_id)
        return _allow(name, new), attributes

    handlers = provisioners._RESOURCE_HANDLERS
    changed = {"create": create_with_loops, "update": update_with_loops}
    handlers["AWS::Lambda::Function"] = {**handlers["AWS::Lambda::Function"], **changed}


def _allow(name: str, properties: dict[str, Any]) -> str:
    lambda_svc._functions[name]["recursive_loop"] = properties.get("RecursiveLoop", "Terminate")
    return name
