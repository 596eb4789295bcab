"""What keeps AWS from answering, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.exits import UnreachableError
from runtime.errors import TransientError, UnreadableDocumentError


@contextmanager
def aws_refusals() -> Iterator[None]:
    """Raises UnreachableError for whatever keeps AWS from answering, with what to do about it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise UnreachableError(f"{_sentence(error)}: {_ADVICE.get(code, DENIED)}") from error
    except (BotoCoreError, TransientError) as error:
        raise UnreachableError(f"{_sentence(error)}: {_ADVICE.get(type(error).__name__, NO_ANSWER)}") from error
    except UnreadableDocumentError as error:
        raise UnreachableError(f"{error}: use the `migrate` of the release that is deployed") from error


def is_denied(error: Exception) -> bool:
    """Whether AWS refused a call for want of rights."""
    response: dict[str, dict[str, str]] = getattr(error, "response", {})
    return response.get("Error", {}).get("Code") in ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")


def _sentence(error: Exception) -> str:
    return str(error).rstrip(" .")


DENIED = "check that your identity may do this (--profile)"
NO_ANSWER = "check --endpoint-url, --region and your network, then try again"
SIGN_IN = "sign in again, for example with `aws sso login`"
_ADVICE = {
    "ExpiredToken": SIGN_IN,
    "ExpiredTokenException": SIGN_IN,
    "InvalidClientTokenId": SIGN_IN,
    "NoCredentialsError": "configure credentials or name a --profile (`aws configure sso`)",
    "NoRegionError": "name a --region or set AWS_REGION",
    "ProfileNotFound": "name one of `aws configure list-profiles`",
    "ResourceNotFoundException": "the stack is there but its table or bus is not: deploy the stage again",
    "QueueDoesNotExist": "the stack is there but its queue is not: deploy the stage again",
    "AWS.SimpleQueueService.NonExistentQueue": "the stack is there but its queue is not: deploy the stage again",
}
