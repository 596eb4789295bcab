"""Systems Manager sees the machines the MGN simulator tags as online, and its commands on them succeed."""

import json
from collections.abc import Container
from typing import Any

from ministack.services import ec2, ssm

from localcloud.engine.patches.ec2_instances import tag_of
from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

AGENT_TAG = "mgn-simulator:ssm"

_ALL = 1_000_000


def apply(settings: EngineSettings) -> None:
    managed_by_engine = pinned(ssm, "_managed_instance_ids", "f78042341732")
    describe = pinned(ssm, "_describe_instance_information", "71f8c5cb86d4")
    exec_in_container = pinned(ec2, "exec_in_instance_blocking", "be63bc8e3700")

    def managed_instances() -> Container[str]:
        return _ManagedInstances(set(managed_by_engine()) | _instances_online())

    def describe_matching(data: dict[str, Any]) -> Any:
        # The engine ignores the request's filters.
        status, headers, body = describe({**data, "MaxResults": _ALL, "NextToken": ""})
        found = json.loads(body)["InstanceInformationList"]
        matching = [instance for instance in found if _matches(instance, data.get("Filters") or [])]
        return status, headers, json.dumps({"InstanceInformationList": matching}).encode()

    def run_command(instance_id: str, argv: list[str]) -> tuple[int, str, str]:
        if tag_of(instance_id, AGENT_TAG) is None and not _is_hybrid(instance_id):
            outcome: tuple[int, str, str] = exec_in_container(instance_id, argv)
            return outcome
        return 0, "", ""

    ssm._managed_instance_ids = managed_instances
    ssm._describe_instance_information = describe_matching
    ec2.exec_in_instance_blocking = run_command


class _ManagedInstances(set[str]):
    """Instances with an agent; a source machine registered as a hybrid node always has one."""

    def __contains__(self, instance_id: object) -> bool:
        return super().__contains__(instance_id) or _is_hybrid(str(instance_id))


def _is_hybrid(instance_id: str) -> bool:
    return instance_id.startswith("mi-")


def _matches(instance: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    members = {"InstanceIds": "InstanceId", "PingStatus": "PingStatus", "ResourceType": "ResourceType"}
    return all(instance[members[f["Key"]]] in f["Values"] for f in filters if f["Key"] in members)


def _instances_online() -> set[str]:
    return {
        instance_id
        for instance_id, instance in ec2._instances.items()
        if instance["State"]["Name"] == "running" and tag_of(instance_id, AGENT_TAG) == "online"
    }
