"""The engine's patches, one module per behaviour; each exposes `apply(settings)`."""

from types import ModuleType

from localcloud.engine.pins import EngineChangedError
from localcloud.engine.settings import EngineSettings

from . import (
    alarms,
    ec2_fixed_ids,
    ec2_instances,
    ec2_launch_templates,
    ec2_lookups,
    events_buses,
    events_delivery,
    events_schedules,
    events_sources,
    formation_types,
    iam_decisions,
    key_permissions,
    lambda_code,
    lambda_errors,
    lambda_logs,
    lambda_loops,
    lambda_metrics,
    lambda_packages,
    lambda_pool,
    lambda_streams,
    mgn_route,
    moto_interpreter,
    request_checks,
    role_checks,
    sqs_senders,
    ssm_agents,
    states_callbacks,
    states_definitions,
    states_errors,
    states_lifecycle,
    states_versions,
    transport,
)

# In order: a later patch wraps what an earlier one put in place.
PATCHES: tuple[ModuleType, ...] = (
    transport,
    lambda_code,
    lambda_errors,
    lambda_packages,
    lambda_logs,
    lambda_loops,
    lambda_metrics,
    lambda_pool,
    lambda_streams,
    states_errors,
    states_callbacks,
    states_lifecycle,
    states_versions,
    states_definitions,
    events_schedules,
    events_sources,
    events_buses,
    events_delivery,
    sqs_senders,
    alarms,
    formation_types,
    ec2_lookups,
    ec2_launch_templates,
    ec2_fixed_ids,
    ec2_instances,
    ssm_agents,
    request_checks,
    mgn_route,
    key_permissions,
    role_checks,
    iam_decisions,
    moto_interpreter,
)


def apply_all(settings: EngineSettings) -> None:
    """Apply every patch, naming the one whose engine code has changed."""
    for patch in PATCHES:
        try:
            patch.apply(settings)
        except EngineChangedError as change:
            name = patch.__name__.rsplit(".", 1)[-1]
            raise SystemExit(f"engine patch {name} does not fit this engine: {change}") from change
