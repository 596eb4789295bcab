"""What a frozen migration has left in the account, as far as the caller may look."""

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from cli.deployed import Deployed
from runtime.adapters.servers.instances import Ec2Instances
from runtime.adapters.servers.launch_settings import Ec2LaunchSettings
from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.errors import MigrationError
from runtime.models.record import MigrationRecord


def leftovers(deployed: Deployed, record: MigrationRecord) -> Iterator[str]:
    """Lines about the server, its instances and its launch template; what cannot be looked at is told as well."""
    server_id, scope = record.source_server_id, record.scope
    if server_id is None or scope is None:
        yield "it never came to hold a server"
        return
    yield f"{server_id} is locked for it, until it is released"
    account = deployed.account()
    if account != scope.account:
        yield f"its server is in account {scope.account}: look there at what is left (you are in {account})"
        return
    try:
        yield from _instances(deployed, record)
        yield from _server(deployed, record, server_id)
        yield from _template(deployed, record, server_id)
    except (MigrationError, ClientError, BotoCoreError) as error:
        yield f"what else is left could not be looked at ({error})"


def _instances(deployed: Deployed, record: MigrationRecord) -> Iterator[str]:
    launches = {"test": record.test_launch, "cutover": record.cutover_launch}
    known = {name: launch.instance_id for name, launch in launches.items() if launch and launch.instance_id}
    region = record.scope.region if record.scope else None
    instances = Ec2Instances(deployed.client("ec2", region), deployed.client("ssm", region))
    health = instances.health(list(known.values()))
    for name, instance_id in known.items():
        yield f"the {name} instance {instance_id} is {health[instance_id].state or 'gone'}"
    if not known:
        yield "no instance is known of it"


def _server(deployed: Deployed, record: MigrationRecord, server_id: str) -> Iterator[str]:
    region = record.scope.region if record.scope else None
    mgn = deployed.client("mgn", region)
    for server in MgnMigrationService(mgn, mgn).servers([server_id]):
        before = f", before the migration it was {record.lifecycle_before}" if record.lifecycle_before else ""
        yield f"{server_id} is {server.state} in MGN{before}"


def _template(deployed: Deployed, record: MigrationRecord, server_id: str) -> Iterator[str]:
    before, region = record.launch_template, record.scope.region if record.scope else None
    if before is None:
        return
    now = Ec2LaunchSettings(deployed.client("mgn", region), deployed.client("ec2", region)).current(server_id)
    if now.default_version == before.default_version:
        yield f"the launch template {now.launch_template_id} is as it was before, version {now.default_version}"
    else:
        yield (
            f"the launch template {now.launch_template_id} has version {now.default_version} as its default; "
            f"before the migration it was {before.default_version}"
        )
