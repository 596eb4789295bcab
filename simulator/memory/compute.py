"""EC2 in memory, enough for the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
from simulator.model.forms.ids import Ids


@dataclass(slots=True)
class MemoryTemplate:
    """A launch template: its versions, first is 1, and which of them is the default."""

    versions: list[dict[str, Any]]
    default: int = 1


@dataclass(slots=True)
class MemoryCompute:
    """Instances and launch templates, there to be looked at."""

    ids: Ids
    templates: dict[str, MemoryTemplate] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)

    def create_templates(self, orders: Sequence[TemplateOrder]) -> Mapping[str, str]:
        made: dict[str, str] = {}
        for order in orders:
            made[order.server_id] = self.ids.new("lt")
            self.templates[made[order.server_id]] = MemoryTemplate([{"InstanceType": order.instance_type}])
        return made

    def delete_template(self, server_id: str, template_id: str) -> None:
        self.templates.pop(template_id, None)

    def edit_template(self, server_id: str, template_id: str, change: TemplateChange) -> None:
        template = self.templates.get(template_id)
        if template is None:
            return
        current = template.versions[template.default - 1]
        if (changed := change.applied(current)) != current:
            template.versions.append(changed)
            template.default = len(template.versions)

    def read_template(self, server_id: str, template_id: str, done: TemplateDone) -> None:
        template = self.templates.get(template_id)
        done((template.versions[template.default - 1] if template else {}, ""))

    def launch(self, order: LaunchOrder, done: LaunchDone) -> None:
        template = self.templates.get(order.template_id)
        if template is None:
            done(LaunchResult(error=f"InvalidLaunchTemplateId.NotFound: {order.template_id}"))
            return
        data = template.versions[template.default - 1]
        instance = Instance(
            self.ids.new("i"),
            order.server_id,
            order.instance_type or data.get("InstanceType", ""),
            {**order.copied_tags, **order.tags},
            "running" if order.started else "stopped",
        )
        self.instances[instance.instance_id] = instance
        done(LaunchResult(instance.instance_id))

    def boot(self, server_id: str, instance_id: str, status: str, ssm: str, application: Application | None) -> None:
        instance = self.instances[instance_id]
        instance.status, instance.ssm = status, ssm

    def terminate(self, server_id: str, instance_id: str, done: TerminateDone) -> None:
        if instance_id in self.protected:
            done(f"OperationNotPermitted: {instance_id} has termination protection")
            return
        if instance_id in self.instances:
            self.instances[instance_id].state = "terminated"
        done("")

    def clear(self) -> None:
        self.templates.clear()
        self.instances.clear()
        self.protected.clear()
