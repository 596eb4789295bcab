"""What the model needs from the outside: a compute service and an event bus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulator.model.account.server import Application
from simulator.model.account.template_change import TemplateChange


@dataclass(frozen=True, slots=True)
class TemplateOrder:
    """The EC2 launch template a source server gets when it is added."""

    server_id: str
    name: str
    instance_type: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """A target instance to launch from the default version of a template."""

    server_id: str
    template_id: str
    instance_type: str | None
    private_ip: str | None
    started: bool
    tags: Mapping[str, str]
    copied_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """The launched instance, or why there is none."""

    instance_id: str = ""
    error: str = ""


@dataclass(slots=True)
class Instance:
    """A launched instance as the side that launched it knows it; what others do to it is not seen."""

    instance_id: str
    server_id: str
    instance_type: str
    tags: dict[str, str]
    state: str = "running"
    status: str = "initializing"
    ssm: str = "offline"


@dataclass(frozen=True, slots=True)
class NativeEvent:
    """An event of source `aws.mgn`, one server each (docs/mgn.md#events)."""

    detail_type: str
    at: float
    resource: str
    detail: Mapping[str, Any]


LaunchDone = Callable[[LaunchResult], None]
TerminateDone = Callable[[str], None]
ObjectDone = Callable[[tuple[str, str]], None]
TemplateDone = Callable[[tuple[Mapping[str, Any], str]], None]


class Compute(Protocol):
    """EC2 as MGN uses it. Work for one server happens in the order it was given; `done` may come from any thread."""

    @property
    def instances(self) -> Mapping[str, Instance]:
        """All instances launched, by id, those terminated too."""
        ...

    def create_templates(self, orders: Sequence[TemplateOrder]) -> Mapping[str, str]:
        """Create launch templates; returns template id by server id."""
        ...

    def delete_template(self, server_id: str, template_id: str) -> None: ...

    def edit_template(self, server_id: str, template_id: str, change: TemplateChange) -> None:
        """Make a new default version with the change, unless the default has it already."""
        ...

    def read_template(self, server_id: str, template_id: str, done: TemplateDone) -> None:
        """Read the default version; `done` gets its data, empty when it is gone, and an error text."""
        ...

    def launch(self, order: LaunchOrder, done: LaunchDone) -> None: ...

    def boot(self, server_id: str, instance_id: str, status: str, ssm: str, application: Application | None) -> None:
        """Show the health (`ok` or `impaired`; `online` or `offline`) and serve the application."""
        ...

    def terminate(self, server_id: str, instance_id: str, done: TerminateDone) -> None:
        """Terminate; `done` gets an empty text, or why it failed."""
        ...

    def clear(self) -> None:
        """Take away whatever was made and is still there."""
        ...


class ObjectStore(Protocol):
    """S3 as imports and exports use it; `done` gets the text read and an error text, one of them empty."""

    def read(self, bucket: str, key: str, done: ObjectDone) -> None: ...

    def write(self, bucket: str, key: str, text: str, done: ObjectDone) -> None: ...

    def clear(self) -> None:
        """Forget objects kept in memory; those in a real store belong to their owner."""
        ...


class EventBus(Protocol):
    """Where native events go; best effort."""

    def publish(self, event: NativeEvent) -> None: ...

    def clear(self) -> None:
        """Forget events kept in memory; those sent are sent."""
        ...
