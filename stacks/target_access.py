"""What a target, another account or Region, has of the pipeline: a way in and a way for its events."""

from aws_cdk import Aws, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as event_targets
from aws_cdk import aws_iam as iam
from constructs import Construct
from pydantic.alias_generators import to_pascal

from migration_constructs import MgnClaim, permit
from runtime.models.deployment import function_role_name, stack_name
from runtime.models.envelopes import MGN_DETAIL_TYPES, MGN_SOURCE
from runtime.models.functions.catalogue import FUNCTIONS
from runtime.models.functions.function import Function
from runtime.models.functions.permissions import RESUME_STEPS, given
from runtime.models.scope import Scope
from stacks.settings import StageSettings, TargetSettings


class TargetAccessStack(Stack):
    """The roles the functions assume in one account and Region, and the rule that sends MGN's events home."""

    def __init__(self, scope: Construct, *, settings: StageSettings, targets: TargetSettings, place: Scope) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, f"TargetAccess-{place.account}-{place.region}"),
            env=Environment(account=place.account, region=place.region),
        )
        if not settings.shares_mgn:
            MgnClaim(self, "Claim", stage=settings.stage)
        for function in FUNCTIONS:
            # Their own state machine is at home.
            permissions = [permission for permission in function.permissions if permission != RESUME_STEPS]
            if permissions:
                role = self._role_of(function, settings.stage, targets, place)
                for permission in given(permissions, settings.named_in(place)):
                    permit(role, permission)
        home = f"arn:{Aws.PARTITION}:events:{targets.home_region}:{targets.home_account}:event-bus/default"
        # Without a queue for what is not delivered: these events wake, and the sweep finds what they do not.
        events.Rule(
            self,
            "MgnEvents",
            event_pattern=events.EventPattern(source=[MGN_SOURCE], detail_type=MGN_DETAIL_TYPES),
            targets=[event_targets.EventBus(events.EventBus.from_event_bus_arn(self, "Home", home))],
        )

    def _role_of(self, function: Function, stage: str, targets: TargetSettings, place: Scope) -> iam.Role:
        home = targets.home_account
        name = function_role_name(stage, function.name, targets.home_region)
        # By a condition: a principal must exist when a policy names it, and would lose its trust when it is made anew.
        trusted = iam.PrincipalWithConditions(
            iam.AccountPrincipal(home),
            {"ArnEquals": {"aws:PrincipalArn": f"arn:{Aws.PARTITION}:iam::{home}:role/{name}"}},
        )
        return iam.Role(
            self,
            f"{to_pascal(function.name)}Role",
            role_name=targets.role_in(place.region, function),
            description=f"Migration orchestrator of stage {stage} in account {home}: {function.name}",
            assumed_by=trusted,
            external_ids=[targets.external_id],
        )
