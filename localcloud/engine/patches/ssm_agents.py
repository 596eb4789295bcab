"""Systems Manager sees the machines the MGN simulator tags as online, and its commands end as the tags say."""

import json
from collections.abc import Container
from typing import Any

from ministack.services import ec2, ssm

from localcloud.engine.patches.ec2_instances import tag_of
from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

AGENT_TAG = "mgn-simulator:ssm"
COMMAND_TAG = "mgn-simulator:command"

_ALL = 1_000_000


def apply(settings: EngineSettings) -> None:
    managed_by_engine = pinned(ssm, "_managed_instance_ids", "f78042341732")
    describe = pinned(ssm, "_describe_instance_information", "71f8c5cb86d4")
    send = pinned(ssm, "_send_command", "3116c54ae89a")
    exec_in_container = pinned(ec2, "exec_in_instance_blocking", "be63bc8e3700")

    def managed_instances() -> Container[str]:
        return _ManagedInstances(set(managed_by_engine()) | _instances_online())

    def send_and_fail_where_tagged(data: dict[str, Any]) -> Any:
        response = send(data)
        # Only shell commands run through exec_in_instance_blocking; the engine lets any other document succeed.
        if response[0] == 200 and data.get("DocumentName") not in ssm._SHELL_DOCUMENTS:
            _fail_where_tagged(ssm._commands[json.loads(response[2])["Command"]["CommandId"]])
        return response

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
        return (1, "", "failed by tag") if _is_failing(instance_id) else (0, "", "")

    ssm._managed_instance_ids = managed_instances
    ssm._send_command = send_and_fail_where_tagged
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


def _is_failing(instance_id: str) -> bool:
    return tag_of(instance_id, COMMAND_TAG) == "fail"


def _fail_where_tagged(command: dict[str, Any]) -> None:
    for instance_id, invocation in command["Invocations"].items():
        if invocation["Status"] == "Success" and _is_failing(instance_id):
            invocation.update(Status="Failed", StatusDetails="Failed", ResponseCode=1)
    ssm._refresh_command_status(command)
