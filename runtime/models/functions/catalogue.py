"""Every function of the pipeline: the steps of the state machine, declared with their payloads, and the others."""

from datetime import timedelta

from runtime.models.functions import steps
from runtime.models.functions.environment import (
    CallbackEnvironment,
    HttpEnvironment,
    IngressEnvironment,
    PublishEnvironment,
    StepEnvironment,
    SweepEnvironment,
)
from runtime.models.functions.function import Function
from runtime.models.functions.permissions import LAUNCH, READ_INSTANCES, READ_MGN, RESUME_STEPS, TERMINATE

INGRESS_HANDLER = Function(
    name="ingress_handler",
    environment=IngressEnvironment,
    timeout=timedelta(seconds=30),  # unless the stage says otherwise
)
HTTP_HANDLER = Function(
    name="http_handler",
    environment=HttpEnvironment,
    # API Gateway waits 29 seconds.
    timeout=timedelta(seconds=28),
    wakes=True,
)
DISPATCH_LAUNCHES = Function(
    name="dispatch_launches",
    environment=StepEnvironment,
    timeout=timedelta(seconds=60),
    permissions=(READ_MGN, READ_INSTANCES, RESUME_STEPS, *LAUNCH, *TERMINATE),
    resumes=True,
    wakes=True,
    # While something boots or jobs keep others waiting; a chain of looks ends by itself when nothing does.
    wakes_itself=True,
)
SWEEP = Function(
    name="sweep",
    environment=SweepEnvironment,
    # Longer than the sweep's period is fine: a late sweep delays the next one, it never meets it.
    timeout=timedelta(seconds=120),
    wakes=True,
    keeps_failures=True,
    retries=0,
)
PUBLISH_EVENTS = Function(
    name="publish_events", environment=PublishEnvironment, timeout=timedelta(seconds=30), writes_state=False
)
CALLBACK_HANDLER = Function(
    name="callback_handler", environment=CallbackEnvironment, timeout=timedelta(seconds=120), writes_state=False
)

STEPS: tuple[Function, ...] = tuple(dict.fromkeys(step.function for step in steps.Step.__subclasses__()))
"""The functions the state machine calls."""

FUNCTIONS: tuple[Function, ...] = (
    INGRESS_HANDLER,
    HTTP_HANDLER,
    *STEPS,
    DISPATCH_LAUNCHES,
    SWEEP,
    PUBLISH_EVENTS,
    CALLBACK_HANDLER,
)
