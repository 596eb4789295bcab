"""What a request changes in an EC2 launch template's data; everything it does not name stays as MGN has it.

Never touched, because MGN owns them: devices, snapshots, sizes, encryption, keys, AMI, kernel, RAM disk
(docs/mgn.md#launch-template).
"""

import copy
from collections.abc import Mapping
from typing import Any

from runtime.models.request import MigrationRequest, Phase

Data = dict[str, Any]

TAGGED = ("instance", "volume")

MGN_TAGS = ("AWSApplicationMigrationService", "mgn.amazonaws.com")
"""Prefixes of MGN's tags on its own; without them it leaves volumes behind (docs/mgn.md#launched-instances)."""

_NETWORK = ("NetworkInterfaces", "SecurityGroupIds", "SecurityGroups")


def edited(data: Mapping[str, Any], request: MigrationRequest, phase: Phase) -> Data:
    """A copy of the data with the request's settings for a phase; a test without its own network uses the cutover's."""
    result = copy.deepcopy(dict(data))
    if request.instance_type is not None:
        result["InstanceType"] = request.instance_type
        # EC2 refuses a template that both names a type and asks for types by attributes.
        result.pop("InstanceRequirements", None)
    subnet_id, groups = request.subnet_id, request.security_group_ids
    if phase is Phase.TEST:
        subnet_id = request.launch.test_subnet_id or subnet_id
        groups = request.launch.test_security_group_ids or groups
    if subnet_id is not None or groups is not None:
        _place(result, subnet_id, groups)
    named = {} if request.target_vm_name is None else {"Name": request.target_vm_name}
    _tag(result, {key: value for key, value in {**request.tags, **named}.items() if not key.startswith(MGN_TAGS)})
    return result


def with_network_of(before: Mapping[str, Any], data: Mapping[str, Any]) -> Data:
    """A copy of the data that launches where `before` did."""
    kept = {name: value for name, value in data.items() if name not in _NETWORK}
    return copy.deepcopy({**kept, **{name: before[name] for name in _NETWORK if name in before}})


def has_test_network(request: MigrationRequest) -> bool:
    """The test launches elsewhere than the cutover."""
    return request.launch.test_subnet_id is not None or request.launch.test_security_group_ids is not None


def _place(data: Data, subnet_id: str | None, groups: tuple[str, ...] | None) -> None:
    interface = _primary_interface(data)
    # An existing network interface brings its own subnet and groups, and EC2 refuses both together.
    interface.pop("NetworkInterfaceId", None)
    if subnet_id is not None and subnet_id != interface.get("SubnetId"):
        interface["SubnetId"] = subnet_id
        # Addresses of the old subnet; with copyPrivateIp MGN writes the right one again.
        for address in ("PrivateIpAddress", "PrivateIpAddresses"):
            interface.pop(address, None)
    if groups is not None:
        interface["Groups"] = list(groups)


def _primary_interface(data: Data) -> Data:
    interfaces: list[Data] = data.setdefault("NetworkInterfaces", [])
    for interface in interfaces:
        if interface.get("DeviceIndex", 0) == 0:
            break
    else:
        interface = {"DeviceIndex": 0}
        interfaces.insert(0, interface)
    # Groups of the instance and interfaces exclude each other, so the groups move into the interface.
    groups = data.pop("SecurityGroupIds", None)
    data.pop("SecurityGroups", None)
    if groups and "Groups" not in interface:
        interface["Groups"] = groups
    return interface


def _tag(data: Data, tags: Mapping[str, str]) -> None:
    if not tags:
        return
    specifications: list[Data] = data.setdefault("TagSpecifications", [])
    for resource_type in TAGGED:
        found = next((spec for spec in specifications if spec.get("ResourceType") == resource_type), None)
        if found is None:
            found = {"ResourceType": resource_type, "Tags": []}
            specifications.append(found)
        kept = {tag["Key"]: tag.get("Value", "") for tag in found.get("Tags", [])}
        found["Tags"] = [{"Key": key, "Value": value} for key, value in {**kept, **tags}.items()]
