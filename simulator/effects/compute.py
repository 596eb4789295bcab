"""Target instances through boto3 EC2, on a local engine or in moto (docs/mgn.md#launched-instances)."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.effects.lanes import InlineLanes, Lanes, logger
from simulator.effects.listeners import AddressPool, Listeners
from simulator.effects.templates import LaunchTemplates, error_code, tag_list
from simulator.model.account.ports import (
    Instance,
    LaunchDone,
    LaunchOrder,
    LaunchResult,
    TemplateDone,
    TemplateOrder,
    TerminateDone,
)
from simulator.model.account.server import Application
from simulator.model.account.template_change import TemplateChange

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

STATUS_TAG = "mgn-simulator:status"
SSM_TAG = "mgn-simulator:ssm"
_GONE = frozenset({"InvalidInstanceID.NotFound", "InvalidLaunchTemplateId.NotFound"})
_NO_IMAGE = "ami-00000000"  # Engines without images take any id.


@dataclass(frozen=True, slots=True)
class Serving:
    """Real addresses for instances, and the listeners on them."""

    addresses: AddressPool
    listeners: Listeners


class BotoCompute:
    """EC2 through a boto3 client."""

    def __init__(self, client: "EC2Client", lanes: Lanes | None = None, serving: Serving | None = None) -> None:
        self._client: Any = client
        self._launch_templates = LaunchTemplates(client)
        self._lanes = lanes or InlineLanes()
        self._serving = serving
        self._addresses: dict[str, str] = {}
        self._templates: dict[str, str] = {}
        self.instances: dict[str, Instance] = {}

    def create_templates(self, orders: Sequence[TemplateOrder]) -> Mapping[str, str]:
        if isinstance(self._lanes, InlineLanes):
            made = {order.server_id: self._launch_templates.make(order) for order in orders}
        else:
            with ThreadPoolExecutor(8) as pool:
                templates = pool.map(self._launch_templates.make, orders)
                made = {order.server_id: template for order, template in zip(orders, templates, strict=True)}
        self._templates.update(made)
        return made

    def delete_template(self, server_id: str, template_id: str) -> None:
        self._templates.pop(server_id, None)
        self._submit(server_id, lambda: self._launch_templates.delete(template_id))

    def edit_template(self, server_id: str, template_id: str, change: TemplateChange) -> None:
        self._submit(server_id, lambda: self._launch_templates.edit(template_id, change))

    def read_template(self, server_id: str, template_id: str, done: TemplateDone) -> None:
        def work() -> None:
            try:
                done((self._launch_templates.default_version(template_id)[1], ""))
            except (ClientError, BotoCoreError) as error:
                done(({}, "" if error_code(error) in _GONE else str(error)))

        self._lanes.submit(server_id, work)

    def launch(self, order: LaunchOrder, done: LaunchDone) -> None:
        def work() -> None:
            try:
                result = LaunchResult(self._launch(order))
            except (ClientError, BotoCoreError, RuntimeError) as error:
                result = LaunchResult(error=str(error))
            done(result)

        self._lanes.submit(order.server_id, work)

    def boot(self, server_id: str, instance_id: str, status: str, ssm: str, application: Application | None) -> None:
        def work() -> None:
            address = self._addresses.get(instance_id)
            if application is not None and address is not None and self._serving is not None:
                self._serve(self._serving, instance_id, address, application)
            tags = tag_list({STATUS_TAG: status, SSM_TAG: ssm})
            self._client.create_tags(Resources=[instance_id], Tags=tags)
            self.instances[instance_id].status, self.instances[instance_id].ssm = status, ssm

        self._submit(server_id, work)

    def _serve(self, serving: Serving, instance_id: str, address: str, application: Application) -> None:
        try:
            serving.listeners.open(instance_id, address, application)
        except OSError as error:
            logger.warning("%s cannot listen on %s:%s: %s", instance_id, address, application.port, error)

    def terminate(self, server_id: str, instance_id: str, done: TerminateDone) -> None:
        def work() -> None:
            error = ""
            try:
                self._terminate(instance_id)
            except (ClientError, BotoCoreError) as failure:
                error = "" if error_code(failure) in _GONE else str(failure)
            if not error and instance_id in self.instances:
                self.instances[instance_id].state = "terminated"
            done(error)

        self._lanes.submit(server_id, work)

    def clear(self) -> None:
        # In the lane of each server, so that a launch still under way there is cleared too.
        for server_id in {*self._templates, *(instance.server_id for instance in list(self.instances.values()))}:
            self._lanes.submit(server_id, partial(self._clear_server, server_id))

    def _clear_server(self, server_id: str) -> None:
        for instance in list(self.instances.values()):
            if instance.server_id == server_id and instance.state != "terminated":
                self.terminate(server_id, instance.instance_id, partial(_tell_left, instance.instance_id))
        if server_id in self._templates:
            self.delete_template(server_id, self._templates[server_id])

    def _terminate(self, instance_id: str) -> None:
        self._client.terminate_instances(InstanceIds=[instance_id])
        if self._serving is not None:
            self._serving.listeners.close(instance_id)
            if address := self._addresses.pop(instance_id, None):
                self._serving.addresses.release(address)

    def _launch(self, order: LaunchOrder) -> str:
        data = self._launch_templates.edit(order.template_id, TemplateChange(instance_type=order.instance_type or ""))
        nic = (data.get("NetworkInterfaces") or [{}])[0]
        address = self._serving.addresses.take() if self._serving else nic.get("PrivateIpAddress") or order.private_ip
        # Engines ignore LaunchTemplate in RunInstances, so what the template says is passed explicitly.
        wanted = {
            "ImageId": data.get("ImageId") or _NO_IMAGE,
            "InstanceType": data.get("InstanceType"),
            "SubnetId": nic.get("SubnetId"),
            "SecurityGroupIds": nic.get("Groups") or data.get("SecurityGroupIds"),
            "PrivateIpAddress": address,
            "IamInstanceProfile": data.get("IamInstanceProfile"),
            "TagSpecifications": _tag_specifications(order, data),
        }
        answer = self._client.run_instances(
            MinCount=1, MaxCount=1, **{name: value for name, value in wanted.items() if value}
        )
        instance_id = str(answer["Instances"][0]["InstanceId"])
        self.instances[instance_id] = Instance(
            instance_id,
            order.server_id,
            str(data.get("InstanceType", "")),
            {**order.copied_tags, **order.tags},
            "running" if order.started else "stopped",
        )
        if self._serving and address:
            self._addresses[instance_id] = address
        if not order.started:
            self._client.stop_instances(InstanceIds=[instance_id])
        return instance_id

    def _submit(self, server_id: str, work: Callable[[], object]) -> None:
        def guarded() -> None:
            try:
                work()
            except ClientError as error:
                if error_code(error) not in _GONE:
                    raise

        self._lanes.submit(server_id, guarded)


def _tell_left(instance_id: str, error: str) -> None:
    if error:
        logger.warning("%s is left: %s", instance_id, error)


def _tag_specifications(order: LaunchOrder, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tags of instance and volumes; the template's own win over MGN's (docs/mgn.md#launch-template)."""
    own = {
        specification.get("ResourceType"): {tag["Key"]: tag["Value"] for tag in specification.get("Tags", ())}
        for specification in data.get("TagSpecifications", ())
    }
    base = {**order.copied_tags, **order.tags}
    state = {STATUS_TAG: "initializing", SSM_TAG: "offline"}
    return [
        {"ResourceType": "instance", "Tags": tag_list({**base, **own.get("instance", {}), **state})},
        {"ResourceType": "volume", "Tags": tag_list({**base, **own.get("volume", {})})},
    ]
