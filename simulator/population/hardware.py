"""Invents the hardware of a source server where its scenario leaves it open."""

import random
import uuid

from simulator.model.account.server import GIB, Disk, Hardware
from simulator.scenario import ServerSpec


def hardware(stream: random.Random, spec: ServerSpec, name: str, number: int) -> Hardware:
    """What the agent would report; the same seed invents the same machine."""
    return Hardware(
        hostname=name,
        fqdn=spec.fqdn.format(name=name, n=number) or f"{name}.corp.example",
        vmware_uuid=spec.vmware_uuid or str(uuid.UUID(int=stream.getrandbits(128), version=4)),
        vm_path=spec.vm_path,
        aws_instance_id=spec.aws_instance_id,
        os=spec.os,
        cpu_cores=spec.cpu_cores,
        cpu_model=spec.cpu_model,
        ram_bytes=spec.ram_gib * GIB,
        # Dashes, as captured from the service (docs/mgn.md#identity).
        mac_address=spec.mac or "-".join(f"{byte:02X}" for byte in (2, *stream.randbytes(5))),
        ip_addresses=(spec.ip or f"192.168.{number // 250 % 256}.{number % 250 + 2}",),
        disks=tuple(Disk(disk.device, disk.gib * GIB) for disk in spec.disks),
        recommended_instance_type=spec.recommended_instance_type,
    )
