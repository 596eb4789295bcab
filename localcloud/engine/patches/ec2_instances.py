"""Instances are launched from launch templates, and report the status the MGN simulator tags them with."""

import re
from typing import Any

from ministack.services import ec2

from localcloud.engine.pins import pinned, replaced_once
from localcloud.engine.settings import EngineSettings

STATUS_TAG = "mgn-simulator:status"

_REACHABILITY = {"ok": "passed", "initializing": "initializing", "impaired": "failed"}
_ITEM = re.compile(r"<item>\s*<instanceId>(?P<id>[^<]+)</instanceId>.*?</instanceStatus>\s*</item>", re.DOTALL)
_PASSED = (
    "<status>ok</status>\n                "
    "<details><item><name>reachability</name><status>passed</status></item></details>"
)


def apply(settings: EngineSettings) -> None:
    describe_status = pinned(ec2, "_describe_instance_status", "30b6790f4066")
    run = pinned(ec2, "_run_instances", "9f180eb007cb")

    def describe_tagged_status(params: dict[str, Any]) -> Any:
        status, headers, body = describe_status(params)
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, _ITEM.sub(_with_tagged_status, text).encode()

    def run_from_template(params: dict[str, Any]) -> Any:
        template = {
            "LaunchTemplateId": ec2._p(params, "LaunchTemplate.LaunchTemplateId"),
            "LaunchTemplateName": ec2._p(params, "LaunchTemplate.LaunchTemplateName"),
            "Version": ec2._p(params, "LaunchTemplate.Version"),
        }
        data: dict[str, Any] = {}
        if template["LaunchTemplateId"] or template["LaunchTemplateName"]:
            data, _, error = ec2._resolve_launch_template_data(template)
            if error:
                return error
        return run(_merged(_flattened(params), data))

    ec2._ACTION_MAP["DescribeInstanceStatus"] = describe_tagged_status
    ec2._ACTION_MAP["RunInstances"] = run_from_template


def tag_of(instance_id: str, key: str) -> str | None:
    """The value of an instance's tag."""
    return next((tag["Value"] for tag in ec2._tags.get(instance_id, []) if tag["Key"] == key), None)


def _with_tagged_status(item: re.Match[str]) -> str:
    status = tag_of(item["id"], STATUS_TAG)
    if status not in _REACHABILITY:
        return item[0]
    tagged = _PASSED.replace(">ok<", f">{status}<").replace(">passed<", f">{_REACHABILITY[status]}<")
    # An impaired machine fails its instance check; AWS's own hardware, the system check, is fine.
    system, instance = item[0].split("<instanceStatus>")
    if status == "initializing":
        system = replaced_once(system, _PASSED, tagged)
    return system + "<instanceStatus>" + replaced_once(instance, _PASSED, tagged)


def _flattened(params: dict[str, Any]) -> dict[str, Any]:
    """The primary network interface's settings where the engine looks for them."""
    flat = dict(params)
    interface = "NetworkInterface.1."
    for name, value in params.items():
        if name.startswith(interface):
            flat.setdefault(name.removeprefix(interface), value)
    return flat


def _merged(params: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    """The request's parameters, with the template's where the request has none."""
    merged = dict(params)
    interface: dict[str, Any] = next(iter(template.get("NetworkInterfaces", [])), {})
    values = {
        **{name: template.get(name) for name in ("ImageId", "InstanceType", "KeyName", "UserData")},
        "SubnetId": interface.get("SubnetId"),
        "PrivateIpAddress": interface.get("PrivateIpAddress"),
        **{f"IamInstanceProfile.{name}": value for name, value in template.get("IamInstanceProfile", {}).items()},
    }
    if "SecurityGroupId.1" not in merged:
        groups = interface.get("Groups") or template.get("SecurityGroupIds") or []
        values |= {f"SecurityGroupId.{number}": group for number, group in enumerate(groups, 1)}
    for name, value in values.items():
        if value:
            merged.setdefault(name, value)
    return merged | _tags(merged, template)


def _tags(params: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    """The template's instance tags as a further TagSpecification, when the request has none of its own."""
    if "TagSpecification.1.ResourceType" in params:
        return {}
    specification = next((s for s in template.get("TagSpecifications", []) if s["ResourceType"] == "instance"), None)
    if specification is None:
        return {}
    found = {"TagSpecification.1.ResourceType": "instance"}
    for number, tag in enumerate(specification.get("Tags", []), 1):
        found[f"TagSpecification.1.Tag.{number}.Key"] = tag["Key"]
        found[f"TagSpecification.1.Tag.{number}.Value"] = tag.get("Value", "")
    return found
