"""What MGN changes in an EC2 launch template (docs/mgn.md#launch-template)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NicChange:
    """What becomes different in one network interface; empty means unchanged."""

    index: int
    """Its place in the template, first is 0."""
    network_interface_id: str = ""
    subnet_id: str = ""
    private_ips: tuple[tuple[int, str], ...] = ()
    security_groups: tuple[tuple[int, str], ...] = ()
    """Both by their places, first is 0."""

    def applied(self, nic: Mapping[str, Any]) -> dict[str, Any]:
        """The interface with the change in it."""
        if self.network_interface_id:
            # An interface that exists brings its subnet, address and groups (docs/mgn.md#launch-template).
            return {"DeviceIndex": nic["DeviceIndex"], "NetworkInterfaceId": self.network_interface_id}
        changed = dict(nic)
        if self.subnet_id:
            changed["SubnetId"] = self.subnet_id
        if self.private_ips:
            first, *others = _placed(private_ips(nic), self.private_ips)
            changed["PrivateIpAddress"] = first
            if others:
                del changed["PrivateIpAddress"]
                changed["PrivateIpAddresses"] = [
                    {"Primary": address == first, "PrivateIpAddress": address} for address in (first, *others)
                ]
        if self.security_groups:
            changed["Groups"] = _placed(nic.get("Groups", ()), self.security_groups)
        return changed


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """What becomes different in a launch template; empty means unchanged."""

    instance_type: str = ""
    instance_profile: str = ""
    tenancy: str = ""
    host_id: str = ""
    nics: tuple[NicChange, ...] = ()
    volume_types: tuple[tuple[str, str], ...] = ()
    """By device name."""
    tags: tuple[tuple[str, str], ...] = ()
    """Of the instance."""

    def applied(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """LaunchTemplateData with the change in it."""
        changed = dict(data)
        if self.instance_type:
            changed["InstanceType"] = self.instance_type
        if self.instance_profile:
            changed["IamInstanceProfile"] = {"Name": self.instance_profile}
        placement = {"Tenancy": self.tenancy, "HostId": self.host_id}
        if any(placement.values()):
            changed["Placement"] = {**data.get("Placement", {}), **{k: v for k, v in placement.items() if v}}
        if self.volume_types:
            changed["BlockDeviceMappings"] = _typed(data.get("BlockDeviceMappings", ()), dict(self.volume_types))
        if self.tags:
            changed["TagSpecifications"] = _tagged(data.get("TagSpecifications", ()), dict(self.tags))
        for nic in self.nics:
            others = list(changed.get("NetworkInterfaces") or ())
            others += [{"DeviceIndex": number} for number in range(len(others), nic.index + 1)]
            others[nic.index] = nic.applied({"DeviceIndex": nic.index, **others[nic.index]})
            changed["NetworkInterfaces"] = others
        return changed


def private_ips(nic: Mapping[str, Any]) -> list[str]:
    """The addresses of an interface in the template, the primary one first."""
    several = sorted(nic.get("PrivateIpAddresses", ()), key=lambda each: not each.get("Primary"))
    return [each["PrivateIpAddress"] for each in (several or [nic]) if "PrivateIpAddress" in each]


def instance_tags(data: Mapping[str, Any]) -> dict[str, str]:
    """The tags the template gives its instance."""
    specifications = data.get("TagSpecifications", ())
    return {
        tag["Key"]: tag["Value"]
        for each in specifications
        if each.get("ResourceType") == "instance"
        for tag in each.get("Tags", ())
    }


def _placed(values: Sequence[str], changes: Sequence[tuple[int, str]]) -> list[str]:
    return [value for _, value in sorted({**dict(enumerate(values)), **dict(changes)}.items())]


def _typed(mappings: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> list[Mapping[str, Any]]:
    known = {each.get("DeviceName"): each for each in mappings}
    for device, volume_type in types.items():
        mapping = known.get(device, {"DeviceName": device})
        known[device] = {**mapping, "Ebs": {**mapping.get("Ebs", {}), "VolumeType": volume_type}}
    return list(known.values())


def _tagged(specifications: Sequence[Mapping[str, Any]], tags: Mapping[str, str]) -> list[Mapping[str, Any]]:
    merged = {**instance_tags({"TagSpecifications": specifications}), **tags}
    others = [each for each in specifications if each.get("ResourceType") != "instance"]
    return [*others, {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in merged.items()]}]
