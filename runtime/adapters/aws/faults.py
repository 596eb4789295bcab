"""botocore's errors said in the words of `runtime.errors`. None of them quotes what was sent (I11)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError
from pydantic import ValidationError

from runtime.adapters.aws.refusals import without_quotes, without_values
from runtime.errors import (
    MgnNotInitializedError,
    MigrationError,
    ServiceUnavailableError,
    SourceServerBusyError,
    SourceServerGoneError,
    SourceServerStateError,
    TargetAccountError,
    ThrottledError,
)
from runtime.models.base import faults

THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ServiceQuotaExceededException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""Nothing was done and waiting heals it; a full quota counts, because jobs end."""

UNAVAILABLE_CODES = frozenset(
    {"InternalError", "InternalFailure", "InternalServerError", "InternalServerException", "RequestTimeout"}
    | {"RequestTimeoutException", "ServiceUnavailable", "ServiceUnavailableException", "Unavailable"}
)

NO_USABLE_ANSWER = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
"""The call may have had its effect: even a broken body can follow a launch that was accepted."""

BUSY = "currently being processed by a job"

FULL = ("maximum of", "quota", "too many")
"""MGN's launch calls model no quota error (docs/mgn.md#quotas), so a full account refuses under another code."""

DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthFailure", "OptInRequired", "UnauthorizedOperation"}
    | {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired", "UnrecognizedClientException"}
    | {"IncompleteSignature", "InvalidSignatureException", "MissingAuthenticationTokenException"}
    | {"SignatureDoesNotMatch"}
)
"""The account denies the call or takes the credentials for none of its own, as it does in a Region that is not enabled.

No fault of the server: once a person mends it, the waits go on. SSM says so under 400, MGN and EC2 under 401 and 403.
"""

DENIAL_STATUSES = frozenset({401, 403})

MESSAGE_LIMIT = 500


@contextmanager
def aws_faults() -> Iterator[None]:
    """Raises ThrottledError and ServiceUnavailableError for what heals by waiting; the rest passes as it is."""
    try:
        yield
    except ClientError as error:
        error.args = (describe(error),)
        if (known := _transient(error)) is None:
            raise
        raise known from error
    except ParamValidationError as error:
        error.args = (without_values(str(error)),)
        raise
    except NO_USABLE_ANSWER as error:
        # Without botocore's text, which quotes a body it cannot read.
        where = error.kwargs.get("endpoint_url", "AWS") if isinstance(error, BotoCoreError) else "AWS"
        error.args = (f"no usable answer from {where}: {type(error).__name__}",)
        raise ServiceUnavailableError(str(error)[:MESSAGE_LIMIT]) from error


@contextmanager
def account_faults() -> Iterator[None]:
    """Raises the errors of `aws_faults`, and TargetAccountError for whatever the account denies; the rest passes."""
    try:
        with aws_faults():
            yield
    except ClientError as error:
        if code_of(error) not in DENIED and _status_of(error) not in DENIAL_STATUSES:
            raise
        raise TargetAccountError(describe(error)) from error


@contextmanager
def mgn_faults() -> Iterator[None]:
    """Raises the errors of `account_faults` and says every other refusal in MGN's terms; no boto error passes.

    An answer that lacks what MGN always says is none: the call may have had its effect.
    """
    try:
        with account_faults():
            yield
    except ClientError as error:
        raise _mgn_refusal(error) from error
    except ValidationError as error:
        raise ServiceUnavailableError(f"no usable answer from MGN: {faults(error)}"[:MESSAGE_LIMIT]) from error


def code_of(error: ClientError) -> str:
    """The AWS error code."""
    return error.response.get("Error", {}).get("Code", "")


def _status_of(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_refusal(error: Exception) -> TypeGuard[ClientError]:
    """Whether AWS answered, and refused."""
    return isinstance(error, ClientError)


def describe(error: ClientError) -> str:
    """Operation, AWS code and AWS message, without the values AWS quotes back."""
    message = without_quotes(error.response.get("Error", {}).get("Message", ""))
    return f"{error.operation_name}: {code_of(error)}: {message}"[:MESSAGE_LIMIT]


def _transient(error: ClientError) -> MigrationError | None:
    if code_of(error) in THROTTLING_CODES or _status_of(error) == 429:
        return ThrottledError(describe(error))
    if code_of(error) in UNAVAILABLE_CODES or _status_of(error) >= 500:
        return ServiceUnavailableError(describe(error))
    return None


def _mgn_refusal(error: ClientError) -> MigrationError:
    text = describe(error)
    code = code_of(error)
    if code == "UninitializedAccountException":
        return MgnNotInitializedError(text)
    if code == "ResourceNotFoundException":
        return SourceServerGoneError(text)
    if code == "ConflictException" and BUSY in text.lower():
        return SourceServerBusyError(text)
    if code in ("ConflictException", "ValidationException") and any(words in text.lower() for words in FULL):
        return ThrottledError(text)
    return SourceServerStateError(text)
