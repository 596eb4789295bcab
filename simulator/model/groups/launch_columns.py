"""The columns of an inventory that are about launches, to and from launch templates (docs/mgn.md#inventory)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.model.account.server import SourceServer
from simulator.model.account.template_change import NicChange, TemplateChange, instance_tags, private_ips

Row = Mapping[str, str]

INSTANCE_TYPE, PROFILE = "mgn:launch:instance-type", "mgn:launch:iam-instance-profile:name"
TENANCY, HOST = "mgn:launch:placement:tenancy", "mgn:launch:placement:host-id"
LICENSING, COPY_TAGS = "mgn:launch:placement:operating-system-licensing", "mgn:launch:transfer-server-tags"
COLUMNS = (INSTANCE_TYPE, PROFILE, TENANCY, HOST, LICENSING, COPY_TAGS)
_VALUES = {
    TENANCY: ("default", "dedicated", "host"),
    LICENSING: ("LI", "BYOL"),
    COPY_TAGS: ("true", "false"),
}
_TAG = "mgn:launch:tag:instance:"
_VOLUME = re.compile(r"mgn:launch:volume:(?P<device>.+):type")
_NIC = re.compile(r"mgn:launch:nic:(?P<index>\d):(?P<member>network-interface-id|subnet-id)")
_PLACED = re.compile(r"mgn:launch:nic:(?P<index>\d):(?P<member>private-ip|security-group-id):(?P<place>\d)")
# The service puts these on every instance itself (docs/mgn.md#launched-instances).
_OWN_TAGS = "AWSApplicationMigrationService"


def is_column(name: str) -> bool:
    """Whether a column says something about launches."""
    return name in COLUMNS or name.startswith(_TAG) or any(each.fullmatch(name) for each in (_VOLUME, _NIC, _PLACED))


def problems(row: Row) -> list[str]:
    """Values that no such column has."""
    return [
        f"{name} {row[name]!r} is none of {', '.join(known)}"
        for name, known in _VALUES.items()
        if row.get(name) and row[name].casefold() not in map(str.casefold, known)
    ]


def change(row: Row) -> TemplateChange:
    """What the row changes in the launch template."""
    return TemplateChange(
        instance_type=row.get(INSTANCE_TYPE) or "",
        instance_profile=row.get(PROFILE) or "",
        tenancy=(row.get(TENANCY) or "").casefold(),
        host_id=row.get(HOST) or "",
        nics=tuple(_nics(row)),
        volume_types=tuple((found["device"], value) for found, value in _found(row, _VOLUME)),
        tags=tuple((name.removeprefix(_TAG), value) for name, value in row.items() if name.startswith(_TAG) and value),
    )


def configure(server: SourceServer, row: Row) -> None:
    """Change what the launch configuration holds and not the template."""
    if row.get(LICENSING):
        server.launch_settings["licensing"] = {"osByol": row[LICENSING].upper() == "BYOL"}
    if row.get(COPY_TAGS):
        server.launch_settings["copyTags"] = row[COPY_TAGS].casefold() == "true"


def columns(server: SourceServer, template: Mapping[str, Any]) -> dict[str, str]:
    """What an export says of the server's launches, in columns an import takes."""
    placement = template.get("Placement", {})
    settings = server.launch_settings
    row = {
        INSTANCE_TYPE: template.get("InstanceType", ""),
        PROFILE: template.get("IamInstanceProfile", {}).get("Name", ""),
        TENANCY: placement.get("Tenancy", ""),
        HOST: placement.get("HostId", ""),
        LICENSING: "BYOL" if settings.get("licensing", {}).get("osByol") else "LI",
        COPY_TAGS: "true" if settings.get("copyTags") else "false",
    }
    for index, nic in enumerate(template.get("NetworkInterfaces", ())):
        start = f"mgn:launch:nic:{index}:"
        row[f"{start}network-interface-id"] = nic.get("NetworkInterfaceId", "")
        row[f"{start}subnet-id"] = nic.get("SubnetId", "")
        for member, values in (("private-ip", private_ips(nic)), ("security-group-id", nic.get("Groups", ()))):
            row |= {f"{start}{member}:{place}": value for place, value in enumerate(values)}
    for mapping in template.get("BlockDeviceMappings", ()):
        row[f"mgn:launch:volume:{mapping['DeviceName']}:type"] = mapping.get("Ebs", {}).get("VolumeType", "")
    row |= {f"{_TAG}{key}": value for key, value in instance_tags(template).items() if not key.startswith(_OWN_TAGS)}
    return {name: value for name, value in row.items() if value}


def _found(row: Row, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], str]]:
    for name, value in row.items():
        if value and (found := pattern.fullmatch(name)):
            yield found, value


def _nics(row: Row) -> Iterator[NicChange]:
    said: dict[int, dict[str, str]] = {}
    for found, value in _found(row, _NIC):
        said.setdefault(int(found["index"]), {})[found["member"]] = value
    placed: dict[tuple[int, str], dict[int, str]] = {}
    for found, value in _found(row, _PLACED):
        placed.setdefault((int(found["index"]), found["member"]), {})[int(found["place"])] = value
    for index in sorted({*said, *(index for index, _ in placed)}):
        yield NicChange(
            index,
            network_interface_id=said.get(index, {}).get("network-interface-id", ""),
            subnet_id=said.get(index, {}).get("subnet-id", ""),
            private_ips=tuple(sorted(placed.get((index, "private-ip"), {}).items())),
            security_groups=tuple(sorted(placed.get((index, "security-group-id"), {}).items())),
        )
