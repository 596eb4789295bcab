"""Instance types as EC2 offers them: the engine has no offerings at all."""

import re
from collections.abc import Iterator
from typing import Any

from ministack.services import ec2

from localcloud.engine.pins import EngineChangedError
from localcloud.engine.settings import EngineSettings

_FAMILY = r"(?:[cmrt]\d[a-z]*|[cmr]\d[a-z]+-flex|i[34][a-z]*|[dghpx]\d[a-z]*|z1d|inf\d|trn\d|u-\w+)"
_SIZE = r"(?:nano|micro|small|medium|large|\d*xlarge|metal(?:-\d+xl)?)"
_INSTANCE_TYPE = re.compile(rf"{_FAMILY}\.{_SIZE}")


def apply(settings: EngineSettings) -> None:
    if "DescribeInstanceTypeOfferings" in ec2._ACTION_MAP:
        raise EngineChangedError("the engine has DescribeInstanceTypeOfferings of its own now")
    ec2._ACTION_MAP["DescribeInstanceTypeOfferings"] = _describe_offerings


def _describe_offerings(params: dict[str, Any]) -> Any:
    """The types asked for by the `instance-type` filter, as far as EC2 has them; every Region offers all here."""
    asked = [
        value
        for number in range(1, 200)
        if ec2._p(params, f"Filter.{number}.Name") == "instance-type"
        for value in _filter_values(params, number)
    ]
    offered = [name for name in asked if _INSTANCE_TYPE.fullmatch(name)]
    items = "".join(
        f"<item><instanceType>{name}</instanceType><locationType>region</locationType></item>" for name in offered
    )
    return ec2._xml(
        200, "DescribeInstanceTypeOfferingsResponse", f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
    )


def _filter_values(params: dict[str, Any], number: int) -> Iterator[str]:
    for index in range(1, 201):
        value = ec2._p(params, f"Filter.{number}.Value.{index}")
        if not value:
            return
        yield value
