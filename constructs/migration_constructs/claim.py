"""The claim of a stage to MGN in one account and Region."""

from aws_cdk import aws_ssm as ssm
from constructs import Construct

CLAIM = "/migration-orchestrator/only-stage-that-migrates-here"


class MgnClaim(Construct):
    """A parameter of one name for all stages: the deployment of a second one fails, because it exists.

    Locks and the budget of requests are a stage's own, so two stages could launch the same server and together pass
    MGN's quotas. It goes with its stack.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: str) -> None:
        super().__init__(scope, id_)
        ssm.StringParameter(
            self,
            "Parameter",
            parameter_name=CLAIM,
            string_value=stage,
            description="The one stage that migrates in this account and Region. Others have to set shares_mgn.",
        )
