"""Which botocore error means which of ours, and what its message may say."""

from collections.abc import Callable
from traceback import format_exception
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from runtime.adapters.aws.faults import account_faults, aws_faults, mgn_faults
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

BUSY = "One or more of the Source Servers included in API call are currently being processed by a Job"
URL = "https://mgn.us-east-1.amazonaws.com/StartTest"


def refusal(code: str, message: str = "because", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "StartTest")


def raised(faults: Callable[[], Any], error: Exception) -> MigrationError:
    with pytest.raises(MigrationError) as caught, faults():
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize("faults", [aws_faults, account_faults, mgn_faults])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal("ThrottlingException"), ThrottledError),
        (refusal("Throttling"), ThrottledError),
        (refusal("RequestLimitExceeded", status=503), ThrottledError),
        (refusal("ProvisionedThroughputExceededException"), ThrottledError),
        (refusal("Anything", status=429), ThrottledError),
        (refusal("ServiceQuotaExceededException", status=402), ThrottledError),
        (refusal("InternalServerException", status=500), ServiceUnavailableError),
        (refusal("Whatever", status=502), ServiceUnavailableError),
        (refusal("InternalFailure"), ServiceUnavailableError),
        (EndpointConnectionError(endpoint_url=URL), ServiceUnavailableError),
        (ConnectTimeoutError(endpoint_url=URL), ServiceUnavailableError),
        (ReadTimeoutError(endpoint_url=URL), ServiceUnavailableError),
        (ConnectionClosedError(endpoint_url=URL), ServiceUnavailableError),
        (ResponseParserError("half a body"), ServiceUnavailableError),
    ],
)
def test_what_heals_by_waiting(faults: Callable[[], Any], error: Exception, expected: type[Exception]) -> None:
    assert type(raised(faults, error)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal("UninitializedAccountException"), MgnNotInitializedError),
        (refusal("ResourceNotFoundException", status=404), SourceServerGoneError),
        (refusal("ConflictException", BUSY, 409), SourceServerBusyError),
        (refusal("ConflictException", "server is TESTING", 409), SourceServerStateError),
        (refusal("ValidationException", "not launchable"), SourceServerStateError),
        (refusal("ConflictException", "Maximum of 20 concurrent jobs in progress reached", 409), ThrottledError),
    ],
)
def test_what_mgn_refuses(error: Exception, expected: type[Exception]) -> None:
    assert type(raised(mgn_faults, error)) is expected


@pytest.mark.parametrize("faults", [account_faults, mgn_faults])
@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDeniedException", status=403),
        refusal("UnauthorizedOperation", "explicit deny in a service control policy", 403),
        refusal("AccessDeniedException", "SSM says so with status 400"),
        refusal("UnrecognizedClientException", "The security token included in the request is invalid.", 403),
        refusal("UnrecognizedClientException"),
        refusal("ExpiredTokenException"),
        refusal("InvalidClientTokenId"),
        refusal("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
        refusal("OptInRequired", status=401),
        refusal("SomethingNew", "you are not authorized", 403),
    ],
    ids=str,
)
def test_denial_and_credentials_that_count_for_nothing_are_the_accounts(
    faults: Callable[[], Any], error: Exception
) -> None:
    assert type(raised(faults, error)) is TargetAccountError


@pytest.mark.parametrize("error", [refusal("AccessDenied", status=403), ParamValidationError(report="missing")])
def test_what_only_people_can_mend_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, aws_faults():
        raise error
    assert caught.value is error


def test_message_names_operation_code_and_words() -> None:
    error = raised(mgn_faults, refusal("ConflictException", "server is TESTING", 409))
    assert str(error) == "StartTest: ConflictException: server is TESTING"


def test_message_keeps_quoted_values_to_itself() -> None:
    told = (
        "1 validation error detected: Value '{owner=s3cr3t}' at 'tags' failed to satisfy constraint; "
        "Value 'AAAAtoken' at 'taskToken' failed"
    )
    text = str(raised(mgn_faults, refusal("ValidationException", told)))
    assert "s3cr3t" not in text
    assert "AAAAtoken" not in text
    assert "at 'tags' failed" in text


def test_i11_body_that_cannot_be_read_is_not_quoted() -> None:
    error = raised(
        aws_faults, ResponseParserError("Unable to parse response, invalid XML received: b'<tag>hush</tag>'")
    )
    assert str(error) == "no usable answer from AWS: ResponseParserError"
    assert "hush" not in "".join(format_exception(error))


def test_endpoint_that_does_not_answer_is_named() -> None:
    assert (
        str(raised(aws_faults, ReadTimeoutError(endpoint_url=URL))) == f"no usable answer from {URL}: ReadTimeoutError"
    )


def test_i11_what_was_passed_for_a_wrong_parameter_is_not_quoted() -> None:
    report = "Invalid type for parameter tags.a, value: hush\nhush, type: <class 'int'>, valid types: <class 'str'>"
    with pytest.raises(ParamValidationError) as caught, aws_faults():
        raise ParamValidationError(report=report)
    assert "Invalid type for parameter tags.a, value: …, type: <class 'int'>" in str(caught.value)
    assert "hush" not in "".join(format_exception(caught.value)).replace("hush\\nhush", "")


def test_i11_refusal_that_passes_as_it_is_quotes_nothing() -> None:
    with pytest.raises(ClientError) as caught, account_faults():
        raise refusal("InvalidParameterValue", "Invalid value 'hush' for parameter tags")
    assert str(caught.value) == "StartTest: InvalidParameterValue: Invalid value '…' for parameter tags"


def test_message_is_short() -> None:
    assert len(str(raised(mgn_faults, refusal("ValidationException", "too long " * 5_000)))) == 500
