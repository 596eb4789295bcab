"""What a Lambda function of the pipeline is, as far as infrastructure and code have to agree on it."""

from dataclasses import dataclass
from datetime import timedelta

from runtime.models.functions.environment import HandlerEnvironment
from runtime.models.functions.permissions import Permission


@dataclass(frozen=True, kw_only=True, eq=False)
class Function:
    """One function, declared once: its construct, its handler and its journal entries follow from it."""

    name: str
    """Its module in runtime.handlers, and the actor of what it journals."""
    environment: type[HandlerEnvironment]
    timeout: timedelta
    permissions: tuple[Permission, ...] = ()
    """What it may do to MGN, EC2, SSM and Step Functions, in every account and Region it works in."""
    writes_state: bool = True
    """Whether it may write the state table, or only read it."""
    parks: bool = False
    """Whether it keeps task tokens, which it need not read."""
    resumes: bool = False
    """Whether it reads the tokens that others kept."""
    wakes: bool = False
    """Whether it may wake the dispatcher: whoever parks has to."""
    wakes_itself: bool = False
    """Whether it wakes itself again on purpose: Lambda ends what looks like a loop after about 16 invocations
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html)."""
    keeps_failures: bool = False
    """Whether an event it could not handle goes to the queue of undelivered ones: nobody waits for its answer."""
    retries: int | None = None
    """How often Lambda repeats an event it could not handle; None is Lambda's own twice."""

    @property
    def publishes(self) -> bool:
        """Whether it puts events on the migration bus."""
        return "event_bus" in self.environment.model_fields
