"""A rule reaches buses of other accounts and Regions with the event as it was, and a bus has its policy.

The engine delivers to buses of the sender's own account and Region only, says there that the event is from the bus's
Region, and keeps policies of buses without asking them.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import eventbridge

from localcloud.engine.pins import EngineChangedError, pinned, rewritten
from localcloud.engine.settings import EngineSettings

_SERVICE = "events"
_OTHER_REGION = '    forwarded["Region"] = spec.region\n'


def apply(settings: EngineSettings) -> None:
    pinned(iam_evaluator, "_resource_policy", "dec265f9a903")
    if _SERVICE in iam_evaluator._RESOURCE_POLICY_LOOKUPS:
        raise EngineChangedError("the engine asks the policies of buses by itself now")
    dispatch = rewritten(eventbridge, "_dispatch_to_event_bus", "fef5c8d488f1", _OTHER_REGION, "")

    def dispatch_in_its_place(spec: Any, *rest: Any) -> None:
        with request_scope(spec.account_id, spec.region):
            eventbridge._ensure_default_bus()
            dispatch(spec, *rest)

    eventbridge._dispatch_to_event_bus = dispatch_in_its_place
    eventbridge.bus_policy_for_arn = bus_policy_for_arn
    iam_evaluator._RESOURCE_POLICY_LOOKUPS[_SERVICE] = ("eventbridge", bus_policy_for_arn.__name__)


def bus_policy_for_arn(arn: str) -> tuple[dict[str, Any] | None, str] | None:
    """The policy of a bus and the account it is in; None for what is no bus."""
    place = parse_arn(arn)
    kind, _, name = place.resource.partition("/")
    if kind != "event-bus":
        return None
    return eventbridge._event_bus_policies.get_scoped(place.account_id, place.region, name), place.account_id
