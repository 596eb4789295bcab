"""Generates scenarios: a believable mix of machines, reproducible from a seed."""

import random
from typing import Any

import yaml

from simulator.model.settings.quotas import Quotas

_KINDS = (
    ("web", 0.4, ("Ubuntu 22.04.4 LTS", "Red Hat Enterprise Linux 8.9"), (2, 4), (20, 60), "t3.medium", 8080),
    (
        "app",
        0.35,
        ("Red Hat Enterprise Linux 8.9", "Microsoft Windows Server 2019"),
        (8, 16),
        (60, 200),
        "m5.large",
        8081,
    ),
    ("db", 0.15, ("Oracle Linux 8.8", "Microsoft Windows Server 2022"), (32, 64), (200, 2000), "r5.xlarge", 0),
    ("file", 0.1, ("Microsoft Windows Server 2016",), (8,), (500, 4000), "m5.large", 0),
)
_SERVERS_PER_APP = 8
_APPS_PER_WAVE = 5
_QUOTAS = Quotas()


def generate(servers: int, seed: int) -> dict[str, Any]:
    """A scenario with that many servers, as plain data."""
    draw = random.Random(f"scenario:{seed}")
    # Applications grow before their quota has to.
    size = min(max(_SERVERS_PER_APP, -(-servers // _QUOTAS.active_applications)), _QUOTAS.servers_per_application)
    needed = {
        "replicating_servers": servers,
        "unarchived_servers": servers,
        "active_applications": -(-servers // size),
    }
    raised = {name: number for name, number in needed.items() if number > getattr(_QUOTAS, name)}
    return {
        "name": f"generated-{servers}-{seed}",
        "description": f"{servers} servers generated from seed {seed}",
        "seed": seed,
        **({"quotas": raised} if raised else {}),
        "servers": [_server(draw, number, len(str(servers)), size) for number in range(1, servers + 1)],
    }


def generate_yaml(servers: int, seed: int) -> str:
    """The same as YAML text."""
    return yaml.safe_dump(generate(servers, seed), sort_keys=False, width=120)


def _server(draw: random.Random, number: int, digits: int, app_size: int) -> dict[str, Any]:
    kind, _, systems, memory, sizes, instance_type, port = draw.choices(_KINDS, [each[1] for each in _KINDS])[0]
    app = (number - 1) // app_size + 1
    name = f"{kind}-{number:0{digits}d}"
    windows = "Windows" in (system := draw.choice(systems))
    spec: dict[str, Any] = {
        "name": name,
        "user_provided_id": f"asset-{number:0{digits}d}",
        "os": system,
        "ram_gib": draw.choice(memory),
        "disks": [{"device": "c:0" if windows else "/dev/sda1", "gib": draw.randint(*sizes)}],
        "recommended_instance_type": instance_type,
        "app": f"application-{app:02d}",
        "wave": f"wave-{(app - 1) // _APPS_PER_WAVE + 1:02d}",
    }
    if port:
        spec["application"] = {"port": port, "path": "/health", "status": 200}
    return spec
