"""A network can be created with known ids, so that a scenario file can name its subnets and security groups."""

from collections.abc import Callable
from typing import Any

from ministack.services import ec2

from localcloud.engine.pins import pinned
from localcloud.engine.settings import EngineSettings

ID_TAG = "localcloud:id"

_CREATORS = (
    ("CreateVpc", "_new_vpc_id", "a60cb8151da9"),
    ("CreateSubnet", "_new_subnet_id", "0bb8c5564e94"),
    ("CreateSecurityGroup", "_new_sg_id", "41fa18095587"),
)


def apply(settings: EngineSettings) -> None:
    for action, new_id, digest in _CREATORS:
        pinned(ec2, new_id, digest)
        ec2._ACTION_MAP[action] = _with_wanted_id(ec2._ACTION_MAP[action], new_id)


def _with_wanted_id(create: Callable[[dict[str, Any]], Any], new_id: str) -> Callable[[dict[str, Any]], Any]:
    def create_with_wanted_id(params: dict[str, Any]) -> Any:
        wanted = _wanted_id(params)
        if wanted is None:
            return create(params)
        random_id = getattr(ec2, new_id)
        setattr(ec2, new_id, lambda: wanted)
        try:
            return create(params)
        finally:
            setattr(ec2, new_id, random_id)

    return create_with_wanted_id


def _wanted_id(params: dict[str, Any]) -> str | None:
    for name in params:
        if name.startswith("TagSpecification.") and name.endswith(".Key") and ec2._p(params, name) == ID_TAG:
            return str(ec2._p(params, name.removesuffix("Key") + "Value"))
    return None
