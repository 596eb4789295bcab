"""Calls of a stage's HTTP door, signed as API Gateway asks."""

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from cli.exits import UnreachableError
from runtime.models.deployment import Deployment
from runtime.models.http import Problem, Route

if TYPE_CHECKING:
    from boto3 import Session

SERVICE = "execute-api"
LOCAL_PATH = "_aws/execute-api"
"""Where the local cloud's engine has the APIs that AWS has under names of their own."""

TIMEOUT_SECONDS = 30
PASSING = frozenset({429, 502, 503, 504})


class Answer(NamedTuple):
    """What the door said."""

    status: int
    body: str

    @property
    def is_passing(self) -> bool:
        """Whether the same call may fare better in a moment."""
        return self.status in PASSING

    @property
    def refusal(self) -> str | None:
        """Why it was refused; None if it was not."""
        if self.status < 400:
            return None
        try:
            return Problem.model_validate_json(self.body).detail
        except ValueError:
            return f"HTTP {self.status}"


class HttpDoor(NamedTuple):
    """The door of one stage."""

    url: str
    session: "Session"

    @classmethod
    def of(cls, deployment: Deployment, session: "Session", endpoint_url: str | None) -> "HttpDoor":
        """The door of a deployment; raises UnreachableError where it has none."""
        if deployment.http_url is None:
            raise UnreachableError('the stage has no HTTP door: give it `"http": {}` in cdk.json and deploy it again')
        if endpoint_url is None:
            return cls(deployment.http_url.rstrip("/"), session)
        found = urlsplit(deployment.http_url)
        api = (found.hostname or "").partition(".")[0]
        return cls(f"{endpoint_url.rstrip('/')}/{LOCAL_PATH}/{api}{found.path.rstrip('/')}", session)

    def ask(self, route: Route, body: str | None = None, migration_id: str = "") -> Answer:
        """Make one call."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.httpsession import URLLib3Session

        credentials = self.session.get_credentials()
        if credentials is None:
            raise UnreachableError("there are no credentials to sign with: name a --profile (`aws configure sso`)")
        request = AWSRequest(
            method=route.method,
            url=self.url + route.path.replace("{migrationId}", migration_id),
            data=body,
            headers={"Content-Type": "application/json"},
        )
        SigV4Auth(credentials.get_frozen_credentials(), SERVICE, self.session.region_name).add_auth(request)
        answer = URLLib3Session(timeout=TIMEOUT_SECONDS).send(request.prepare())
        return Answer(answer.status_code, answer.text)
