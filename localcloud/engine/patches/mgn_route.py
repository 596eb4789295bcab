"""MGN's place in the gateway: a call goes to the simulator of its caller's account and Region, as it came.

Under AUTH it is authorised as IAM would before.
"""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlencode

from ministack import app as gateway
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.arn import parse_arn
from ministack.core.concurrency import run_offloop
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions, tagging

from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.request_arns import json_object
from localcloud.engine.settings import EngineSettings

_SERVICE = "mgn"
_TIMEOUT_SECONDS = 60
_HOP_HEADERS = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})
_TAG_ON_CREATE = frozenset({"StartTest", "StartCutover", "TerminateTargetInstances"})

Response = tuple[int, dict[str, str], bytes]


def apply(settings: EngineSettings) -> None:
    if _SERVICE in gateway.SERVICE_HANDLERS:
        raise EngineChangedError("the engine has an MGN of its own")
    iam_action = pinned(iam_actions, "extract_iam_action", "ec476b92d969")

    def iam_action_with_mgn(service: str, method: str, path: str, *rest: Any) -> Any:
        return f"mgn:{operation_of(method, path)}" if service == _SERVICE else iam_action(service, method, path, *rest)

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        refusal = _refusal(settings, method, path, headers, body, query)
        url = settings.mgn_urls.get(f"{get_account_id()}#{get_region()}", "")
        return refusal or await run_offloop(_forward, url, method, path, headers, body, query)

    tags_of_others = tagging.resource_tags

    def tags_with_mgn(arn: str) -> Any:
        if not arn.startswith("arn:aws:mgn:"):
            return tags_of_others(arn)
        place = parse_arn(arn)
        return _tags(settings.mgn_urls.get(f"{place.account_id}#{place.region}", ""), arn)

    tagging.resource_tags = tags_with_mgn
    iam_actions.extract_iam_action = iam_action_with_mgn
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE
    iam_actions._BOTOCORE_SERVICE_MAP[_SERVICE] = [_SERVICE]
    router.SERVICE_PATTERNS[_SERVICE] = {"host_patterns": [r"^mgn\."], "path_patterns": []}
    gateway.SERVICE_HANDLERS[_SERVICE] = handle
    stepfunctions._AWS_SDK_SERVICE_MAP[_SERVICE] = {"protocol": "rest-json", "service_key": _SERVICE}
    stepfunctions._AWS_SDK_ERROR_PREFIX[_SERVICE] = "Mgn"


def operation_of(method: str, path: str) -> str:
    """The API operation; the engine's own matcher stops at the slash of a tagged resource's ARN."""
    if path.startswith("/tags/"):
        return {"POST": "TagResource", "DELETE": "UntagResource", "GET": "ListTagsForResource"}[method]
    return iam_actions._match_rest_action(_SERVICE, method, path, {}) or path.strip("/")


def _refusal(
    settings: EngineSettings, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Response | None:
    """What the gateway has not checked: tags given to a launch need mgn:TagResource beside the launch itself."""
    operation = operation_of(method, path)
    if not settings.auth or operation not in _TAG_ON_CREATE or not json_object(body).get("tags"):
        return None
    context = {
        **iam_actions.request_tag_context(_SERVICE, f"mgn:{operation}", body, query),
        "mgn:CreateAction": operation,
    }
    denied = iam_evaluator.enforce(
        router.extract_access_key_id(headers, query),
        "mgn:TagResource",
        _SERVICE,
        get_region(),
        f"arn:aws:mgn:{get_region()}:{get_account_id()}:job/*",
        context,
    )
    if not denied:
        return None
    caller = getattr(denied, "principal_arn", "")
    refused: Response = iam_actions.access_denied_response(_SERVICE, "mgn:TagResource", caller, "", headers=headers)
    return refused


def _forward(
    mgn_url: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Response:
    if not mgn_url:
        return _unavailable("LOCAL_MGN_URLS names no MGN simulator for this account and Region")
    target = mgn_url.rstrip("/") + _raw_path(path) + ("?" + urlencode(query, doseq=True) if query else "")
    request = urllib.request.Request(
        target,
        data=body if method in ("POST", "PUT") else None,
        method=method,
        headers={name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            return answer.status, _kept(answer.headers), answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, _kept(answer.headers), answer.read()
    except OSError as failure:
        return _unavailable(str(failure))


def _tags(mgn_url: str, arn: str) -> dict[str, str]:
    """The tags of an MGN resource, which only the simulator knows."""
    _, _, answer = _forward(mgn_url, "GET", f"/tags/{arn}", {}, b"", {})
    found: dict[str, str] = json_object(answer).get("tags") or {}
    return found


def _raw_path(path: str) -> str:
    """The path as the client sent it: an ARN under /tags is one segment, percent-encoded."""
    if not path.startswith("/tags/"):
        return path
    return "/tags/" + quote(unquote(path.removeprefix("/tags/")), safe="")


def _kept(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS | {"server", "date"}}


def _unavailable(message: str) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "InternalServerException"}
    return 500, headers, json.dumps({"message": message}).encode()
