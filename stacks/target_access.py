"""What a target, another account or Region, has of the pipeline: a way in and a way for its events."""

from aws_cdk import Aws, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as event_targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from migration_constructs import MgnClaim, permit
from runtime.models.deployment import stack_name
from runtime.models.envelopes import MGN_DETAIL_TYPES, MGN_SOURCE
from runtime.models.functions.catalogue import FUNCTIONS
from runtime.models.functions.permissions import RESUME_STEPS, given
from runtime.models.scope import Scope
from stacks.settings import StageSettings, TargetSettings


class TargetAccessStack(Stack):
    """The role the functions assume in one account and Region, and the rule that sends MGN's events home."""

    def __init__(self, scope: Construct, *, settings: StageSettings, targets: TargetSettings, place: Scope) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, f"TargetAccess-{place.account}-{place.region}"),
            env=Environment(account=place.account, region=place.region),
        )
        if not settings.shares_mgn:
            MgnClaim(self, "Claim", stage=settings.stage)
        role = iam.Role(
            self,
            "Role",
            role_name=targets.role_in(place.region),
            description=f"Migration orchestrator of stage {settings.stage} in account {targets.home_account}",
            assumed_by=iam.AccountPrincipal(targets.home_account),
            external_ids=[targets.external_id],
        )
        permissions = (permission for function in FUNCTIONS for permission in function.permissions)
        for permission in given(permissions, settings.named):
            # Its own state machine is at home.
            if permission != RESUME_STEPS:
                permit(role, permission)
        home = f"arn:{Aws.PARTITION}:events:{targets.home_region}:{targets.home_account}:event-bus/default"
        # Without a queue for what is not delivered: these events wake, and the sweep finds what they do not.
        events.Rule(
            self,
            "MgnEvents",
            event_pattern=events.EventPattern(source=[MGN_SOURCE], detail_type=MGN_DETAIL_TYPES),
            targets=[event_targets.EventBus(events.EventBus.from_event_bus_arn(self, "Home", home))],
        )
