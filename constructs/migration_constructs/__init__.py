"""Reusable constructs of the migration orchestrator."""

from migration_constructs._bundling import Target, bundle, runtime_code
from migration_constructs.acknowledgements import acknowledge, acknowledge_wildcards
from migration_constructs.bus import FROM_OTHERS, MigrationBus, bus_policy
from migration_constructs.claim import CLAIM, MgnClaim
from migration_constructs.function import HandlerFunction, Network, Platform, duration
from migration_constructs.http_door import Doorstep, HttpDoor, any_id
from migration_constructs.key import EncryptionKey
from migration_constructs.permissions import permit
from migration_constructs.queue import EncryptedQueue
from migration_constructs.state_machine import MigrationStateMachine
from migration_constructs.steps import Pace
from migration_constructs.table import StateTable, TokenTable

__all__ = [
    "CLAIM",
    "FROM_OTHERS",
    "Doorstep",
    "EncryptedQueue",
    "EncryptionKey",
    "HandlerFunction",
    "HttpDoor",
    "MgnClaim",
    "MigrationBus",
    "MigrationStateMachine",
    "Network",
    "Pace",
    "Platform",
    "StateTable",
    "Target",
    "TokenTable",
    "acknowledge",
    "acknowledge_wildcards",
    "any_id",
    "bundle",
    "bus_policy",
    "duration",
    "permit",
    "runtime_code",
]
