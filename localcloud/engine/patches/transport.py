"""The loopback connection counts as `aws:SecureTransport`, so that policies which enforce TLS let callers in."""

from ministack import app as gateway
from ministack.core import iam_evaluator

from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.settings import EngineSettings


def apply(settings: EngineSettings) -> None:
    pin_origin = pinned(iam_evaluator, "pin_request_origin", "de819c1bd9ac")
    if gateway.pin_request_origin is not pin_origin:
        raise EngineChangedError("the gateway no longer imports pin_request_origin")

    def pin_secure_origin(source_ip: str, secure_transport: bool) -> None:
        pin_origin(source_ip, True)

    gateway.pin_request_origin = pin_secure_origin
