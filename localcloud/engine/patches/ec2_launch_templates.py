"""Launch templates keep every member of their data, and versions resolve as EC2 resolves them.

The engine reads and writes an excerpt of LaunchTemplateData, so that a version sent in full would come back reduced.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import botocore.session
from ministack.services import ec2

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

_CASTS: dict[str, Callable[[str], Any]] = {
    "boolean": lambda text: text.lower() == "true",
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
}
_SYMBOLIC_VERSIONS = {"$Default": "DefaultVersionNumber", "$Latest": "LatestVersionNumber"}


def apply(settings: EngineSettings) -> None:
    pinned(ec2, "_parse_lt_data", "0bbb34572824")
    pinned(ec2, "_lt_data_xml", "f24eb88ad7c5")
    create_version = pinned(ec2, "_create_launch_template_version", "90740fa513f8")
    describe_versions = pinned(ec2, "_describe_launch_template_versions", "cb146a8f9629")

    def create_version_from_source(params: dict[str, Any]) -> Any:
        source = ec2._p(params, "SourceVersion")
        template = _template(params)
        if not source or template is None:
            return create_version(params)
        number = _number(template, source)
        if number is None:
            return _no_such_version(source)
        return create_version({**params, "SourceVersion": str(number)})

    def describe_existing_versions(params: dict[str, Any]) -> Any:
        template = _template(params)
        for version in ec2._parse_member_list(params, "LaunchTemplateVersion"):
            if template is not None and _number(template, version) is None:
                return _no_such_version(version)
        return describe_versions(params)

    ec2._parse_lt_data = parse_data
    ec2._lt_data_xml = data_xml
    ec2._ACTION_MAP["CreateLaunchTemplateVersion"] = create_version_from_source
    ec2._ACTION_MAP["DescribeLaunchTemplateVersions"] = describe_existing_versions


def parse_data(params: dict[str, Any], prefix: str = "LaunchTemplateData") -> dict[str, Any]:
    """LaunchTemplateData from the request's flat parameters, by EC2's own API model."""
    flat = {name: value[0] if isinstance(value, list) else value for name, value in params.items()}
    parsed = _parse(flat, prefix, _shape("RequestLaunchTemplateData"))
    return parsed if isinstance(parsed, dict) else {}


def data_xml(data: dict[str, Any]) -> str:
    """LaunchTemplateData as the members of a response element."""
    return "".join(_members_xml(data, _shape("ResponseLaunchTemplateData")))


def _template(params: dict[str, Any]) -> dict[str, Any] | None:
    wanted = (ec2._p(params, "LaunchTemplateId"), ec2._p(params, "LaunchTemplateName"))
    for template in ec2._launch_templates.values():
        if template["LaunchTemplateId"] == wanted[0] or (not wanted[0] and template["LaunchTemplateName"] == wanted[1]):
            found: dict[str, Any] = template
            return found
    return None


def _number(template: dict[str, Any], version: str) -> int | None:
    if version in _SYMBOLIC_VERSIONS:
        return int(template[_SYMBOLIC_VERSIONS[version]])
    return next((v["VersionNumber"] for v in template["Versions"] if str(v["VersionNumber"]) == version), None)


def _no_such_version(version: str) -> Any:
    message = f"Could not find launch template version {version}"
    return ec2._error("InvalidLaunchTemplateId.VersionNotFound", message, 400)


@cache
def _shape(name: str) -> Any:
    return botocore.session.get_session().get_service_model("ec2").shape_for(name)


def _request_name(shape: Any, default: str) -> str:
    """A member's name in a request: EC2 capitalises the response's name unless the model says otherwise."""
    if "queryName" in shape.serialization:
        return str(shape.serialization["queryName"])
    name = str(shape.serialization.get("name", default))
    return name[0].upper() + name[1:]


def _parse(flat: dict[str, str], prefix: str, shape: Any) -> Any:
    if shape.type_name == "structure":
        members = {
            name: _parse(flat, f"{prefix}.{_request_name(member, name)}", member)
            for name, member in shape.members.items()
        }
        return {name: value for name, value in members.items() if value is not None} or None
    if shape.type_name == "list":
        return list(_parse_items(flat, prefix, shape.member)) or None
    value = flat.get(prefix)
    if value is None:
        return None
    return _CASTS.get(shape.type_name, str)(value)


def _parse_items(flat: dict[str, str], prefix: str, member: Any) -> Iterator[Any]:
    number = 1
    while (item := _parse(flat, f"{prefix}.{number}", member)) is not None:
        yield item
        number += 1


def _members_xml(data: dict[str, Any], shape: Any) -> Iterator[str]:
    for name, member in shape.members.items():
        if data.get(name) is not None:
            tag = member.serialization.get("name", name)
            yield f"<{tag}>{_value_xml(data[name], member)}</{tag}>"


def _value_xml(value: Any, shape: Any) -> str:
    if shape.type_name == "structure":
        return "".join(_members_xml(value, shape))
    if shape.type_name == "list":
        return "".join(f"<item>{_value_xml(item, shape.member)}</item>" for item in value)
    return str(value).lower() if isinstance(value, bool) else str(ec2._esc(str(value)))
