"""Chooses the side effects of a simulator: in memory, or boto3 EC2 and EventBridge at endpoints or in moto."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from simulator.effects.bus import BotoBus
from simulator.effects.compute import BotoCompute, Serving
from simulator.effects.lanes import InlineLanes, ThreadLanes
from simulator.effects.listeners import AddressPool, Listeners
from simulator.effects.objects import BotoObjects
from simulator.memory import MemoryBus, MemoryCompute, MemoryObjects
from simulator.model.account.ports import Compute, EventBus, ObjectStore
from simulator.model.forms.ids import Ids


@dataclass(frozen=True, slots=True)
class Effects:
    """Both sides, ready for `Simulator(compute=…, bus=…)`, and how to let go of them."""

    compute: Callable[[Ids], Compute]
    bus: EventBus
    objects: ObjectStore
    close: Callable[[], None]


def endpoint_effects(
    region: str,
    *,
    ec2_endpoint: str | None = None,
    events_endpoint: str | None = None,
    s3_endpoint: str | None = None,
    address_pool: str | None = None,
) -> Effects:
    """Effects at real endpoints, on worker threads; a side without endpoint stays in memory."""
    lanes, listeners = ThreadLanes(), Listeners() if address_pool else None
    serving = Serving(AddressPool(address_pool), listeners) if address_pool and listeners else None
    compute: Callable[[Ids], Compute] = MemoryCompute
    if ec2_endpoint:
        ec2 = _client("ec2", region, ec2_endpoint)
        compute = lambda _: BotoCompute(ec2, lanes, serving)  # noqa: E731
    bus: EventBus = BotoBus(_client("events", region, events_endpoint), lanes) if events_endpoint else MemoryBus()
    objects: ObjectStore = BotoObjects(_client("s3", region, s3_endpoint), lanes) if s3_endpoint else MemoryObjects()

    def close() -> None:
        lanes.close()
        if listeners is not None:
            listeners.close_all()

    return Effects(compute, bus, objects, close)


def inline_effects(session: boto3.session.Session | None = None, region: str = "us-east-1") -> Effects:
    """Effects in the calling thread, through a session or a new one: use it inside moto's `mock_aws`."""
    make: Any = (session or boto3.session.Session()).client
    ec2, events, s3 = (make(service, region_name=region) for service in ("ec2", "events", "s3"))
    lanes = InlineLanes()
    return Effects(lambda _: BotoCompute(ec2, lanes), BotoBus(events, lanes), BotoObjects(s3, lanes), lanes.close)


def _client(service: str, region: str, endpoint: str) -> Any:
    # Local engines take any key; looking for credentials of this machine would cost seconds.
    keys = {} if "AWS_ACCESS_KEY_ID" in os.environ else {
        "aws_access_key_id": "test", "aws_secret_access_key": "test"
    }  # fmt: skip
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3},
                    max_pool_connections=16)  # fmt: skip
    make: Any = boto3.client
    return make(service, region_name=region, endpoint_url=endpoint, config=config, **keys)
