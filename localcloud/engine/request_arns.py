"""What AWS authorises a request on, for services where the engine knows only some of it: ARNs and condition keys."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

Parameters = dict[str, Any]

_MGN_MEMBERS = (("source-server", "sourceServer"), ("job", "job"), ("application", "application"), ("wave", "wave"))


def arns_of_ec2(path: str, body: bytes, params: Parameters) -> list[str] | None:
    """Describe calls have no resource; others are authorised on each one they name."""
    action = ec2._p(params, "Action")
    if action.startswith("Describe"):
        return ["*"]
    for field, ids_of in _EC2_IDS.items():
        ids = ids_of(params) if f"{field}.1" in params or field in params else []
        if ids:
            return [_ec2_arn(id_) for id_ in ids]
    return None


def arns_of_ssm(path: str, body: bytes, params: Parameters) -> list[str] | None:
    """SendCommand is authorised on its document and on each machine."""
    request = json_object(body)
    name = request.get("DocumentName")
    if not name or "InstanceIds" not in request:
        return None
    owner = "" if name.startswith("AWS") else get_account_id()
    document = name if name.startswith("arn:") else f"arn:aws:ssm:{get_region()}:{owner}:document/{name}"
    return [document, *(_machine_arn(id_) for id_ in request["InstanceIds"])]


def arns_of_mgn(path: str, body: bytes, params: Parameters) -> list[str] | None:
    """Each resource that a call names; a filter of a Describe call names none."""
    if path.startswith("/tags/"):
        return [unquote(path.removeprefix("/tags/"))]
    request = json_object(body)
    named = [
        _arn("mgn", f"{kind}/{id_}")
        for kind, member in _MGN_MEMBERS
        for id_ in [request.get(f"{member}ID"), *(request.get(f"{member}IDs") or [])]
        if id_
    ]
    return named or ["*"]


def keys_of_events(body: bytes) -> dict[str, Any]:
    """The condition keys of PutEvents: a call may carry events of several sources."""
    entries = json_object(body).get("Entries")
    events = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    keys = {"events:source": "Source", "events:detail-type": "DetailType"}
    return {key: [entry[field] for entry in events if field in entry] for key, field in keys.items()} if events else {}


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one if it is none."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


ARNS_OF_SERVICE: dict[str, Callable[[str, bytes, Parameters], list[str] | None]] = {
    "ec2": arns_of_ec2,
    "ssm": arns_of_ssm,
    "mgn": arns_of_mgn,
}


def _launch_template_ids(params: Parameters) -> list[str]:
    if "LaunchTemplateId" in params:
        return [ec2._p(params, "LaunchTemplateId")]
    name = ec2._p(params, "LaunchTemplateName")
    return [id_ for id_, template in ec2._launch_templates.items() if template["LaunchTemplateName"] == name]


_EC2_IDS: dict[str, Callable[[Parameters], list[str]]] = {
    "LaunchTemplateId": _launch_template_ids,
    "LaunchTemplateName": _launch_template_ids,
    "InstanceId": lambda params: ec2._parse_member_list(params, "InstanceId") or [ec2._p(params, "InstanceId")],
    "ResourceId": lambda params: ec2._parse_member_list(params, "ResourceId"),
}
_EC2_TYPES = {
    "i": "instance",
    "lt": "launch-template",
    "vol": "volume",
    "eni": "network-interface",
    "subnet": "subnet",
    "sg": "security-group",
    "vpc": "vpc",
    "snap": "snapshot",
}


def _ec2_arn(id_: str) -> str:
    return _arn("ec2", f"{_EC2_TYPES.get(id_.split('-')[0], '*')}/{id_}")


def _machine_arn(id_: str) -> str:
    return _arn("ssm", f"managed-instance/{id_}") if id_.startswith("mi-") else _ec2_arn(id_)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"
