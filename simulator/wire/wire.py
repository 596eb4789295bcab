"""Routes, validates, performs and answers one request after the other (docs/mgn.md#wire)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from simulator.model.account.account import Account
from simulator.model.forms.errors import MgnError, invalid
from simulator.model.settings.faults import CallFault
from simulator.operations import OPERATIONS, Answer, Page
from simulator.operations.answers import OPERATION
from simulator.operations.servers import server_names
from simulator.service_model import NOT_SIMULATED_PREFIX, ApiOperation, load_service_model
from simulator.wire.limits import RateLimits
from simulator.wire.parameters import read_parameters
from simulator.wire.response import Response

_FAULTS = {
    "throttle": ("ThrottlingException", "Rate exceeded"),
    "internal": ("InternalServerException", "simulated internal failure"),
    "unavailable": ("ServiceUnavailableException", "simulated outage"),
    "access_denied": ("AccessDeniedException", "simulated denial"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One API call as the log keeps it."""

    operation: str
    parameters: Mapping[str, Any]


class Wire:
    """Answers requests against one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._model = load_service_model()
        self._limits = RateLimits(account.knobs)

    def answer(self, method: str, raw_path: str, query: str, body: bytes) -> Response:
        """Answer a request; never raises for what a caller can send."""
        call = Call("", {})
        try:
            operation, segment = self._route(method, raw_path)
            call = Call(operation.name, {})
            parameters = read_parameters(operation, segment, query, body)
            call = Call(operation.name, parameters)
            answer = self._perform(operation, call)
        except MgnError as refusal:
            return self._refused(call, refusal)
        if isinstance(answer, Response):
            return answer
        return Response(operation.status, self._render(operation, answer), self._headers())

    def ask(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | Response:
        """The same from Python: what the operation gives, or the Response that refuses it or hangs up."""
        operation = self._model.operations[name]
        call = Call(name, parameters)
        try:
            answer = self._perform(operation, call)
        except MgnError as refusal:
            return self._refused(call, refusal)
        return answer if isinstance(answer, Response) else _plain(operation, answer)

    def invoke(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same from Python, without HTTP and without injected call faults; raises MgnError."""
        operation = self._model.operations.get(name)
        if operation is None:
            raise self._model.no_operation(name)
        call = Call(name, parameters)
        try:
            answer = self._run(operation, parameters)
        except MgnError as refusal:
            error = self._known(name, refusal)
            self._log(call, error.code)
            raise error from None
        self._log(call, "ok")
        return _plain(operation, answer)

    def _route(self, method: str, raw_path: str) -> tuple[ApiOperation, str]:
        found = self._model.route(method, raw_path)
        if found is None and raw_path.startswith(NOT_SIMULATED_PREFIX):
            raise not_simulated(f"{method} {raw_path}")
        if found is None:
            raise MgnError("UnknownOperationException", f"No operation at {method} {raw_path}")
        return found

    def _perform(self, operation: ApiOperation, call: Call) -> Answer | Response:
        """Run the operation under the faults in force; a Response hangs up."""
        fault = self._account.chaos.call_fault(operation.name, server_names(self._account, call.parameters))
        if fault is not None and fault.outcome == "timeout_before":
            self._log(call, "timeout_before")
            return Response(0, hang_up="before")
        if fault is not None and fault.outcome == "timeout_after":
            return self._perform_unheard(operation, call)
        if fault is not None and fault.outcome == "timeout_late":
            self._log(call, "timeout_late")
            self._account.after(self._account.knobs.late_arrival_seconds, lambda: self._arrive(operation, call))
            return Response(0, hang_up="after")
        if fault is not None:
            raise _injected(fault)
        answer = self._run(operation, call.parameters)
        self._log(call, "ok")
        return answer

    def _perform_unheard(self, operation: ApiOperation, call: Call) -> Response:
        """The effect happens, or the refusal, and nobody is told."""
        with suppress(MgnError):
            self._run(operation, call.parameters)
        self._log(call, "timeout_after")
        return Response(0, hang_up="after")

    def _arrive(self, operation: ApiOperation, call: Call) -> None:
        try:
            self._run(operation, call.parameters)
        except MgnError as refusal:
            self._log(call, f"late {refusal.code}")
        else:
            self._log(call, "late ok")

    def _run(self, operation: ApiOperation, parameters: Mapping[str, Any]) -> Answer:
        problems: dict[str, str] = {}
        operation.check(parameters, "", problems)
        if problems:
            each = (f"Value at '{path}' failed to satisfy constraint: {text}" for path, text in problems.items())
            plural = "s" if len(problems) > 1 else ""
            raise invalid(f"{len(problems)} validation error{plural} detected: {'; '.join(each)}", problems)
        account = self._account
        if not account.initialized and "UninitializedAccountException" in operation.errors:
            raise MgnError("UninitializedAccountException", "Account not initialized")
        self._limits.take(account.now, operation.reads)
        _require_own_account(account, parameters)
        perform = OPERATIONS.get(operation.name)
        if perform is None:
            raise not_simulated(operation.name)
        asked = {name: value for name, value in parameters.items() if value is not None}
        return perform(account, {**asked, OPERATION: operation.name} if operation.reads else asked)

    def _render(self, operation: ApiOperation, answer: Answer) -> bytes:
        if isinstance(answer, Page):
            return answer.text().encode()
        if operation.status == 204:
            return b""
        return json.dumps(operation.shape(answer), separators=(",", ":")).encode()

    def _known(self, name: str, error: MgnError) -> MgnError:
        """The refusal; a malformed request has another error class where its operation models none for it."""
        operation = self._model.operations.get(name)
        malformed = error.code == "ValidationException" and error.members.get("reason") in _MALFORMED
        if operation is None or not malformed or error.code in operation.errors:
            return error
        return MgnError(self._account.knobs.unmodelled_validation_error, error.message, **error.members)

    def _refused(self, call: Call, refusal: MgnError) -> Response:
        error = self._known(call.operation, refusal)
        self._log(call, error.code)
        return self._refuse(error)

    def _refuse(self, error: MgnError) -> Response:
        modelled = self._model.errors.get(error.code)
        status = modelled.status if modelled else _UNMODELLED_STATUS.get(error.code, 400)
        headers = {**self._headers(), "x-amzn-ErrorType": error.code}
        body: dict[str, Any] = {"message": error.message}
        for name, value in error.members.items():
            if modelled and name in modelled.headers:
                headers[modelled.headers[name]] = str(value)
            elif modelled and name in modelled.members:
                body[name] = value
        if modelled and "code" in modelled.members:
            body["code"] = error.code
        return Response(status, json.dumps(body).encode(), headers)

    def _headers(self) -> dict[str, str]:
        return {"content-type": "application/json", "x-amzn-RequestId": self._account.ids.request_id()}

    def _log(self, call: Call, outcome: str) -> None:
        self._account.notice("call", operation=call.operation, parameters=call.parameters, outcome=outcome)


_MALFORMED = ("fieldValidationFailed", "cannotParse")
_UNMODELLED_STATUS = {
    "UnknownOperationException": 404,
    "NotSimulatedException": 501,
    "ServiceUnavailableException": 503,
}


def not_simulated(what: str) -> MgnError:
    """A clear answer for what the simulator leaves out."""
    return MgnError("NotSimulatedException", f"{what} is not simulated by this MGN simulator")


def _plain(operation: ApiOperation, answer: Answer) -> Mapping[str, Any]:
    """What the answer says, as data of its own."""
    if isinstance(answer, Page):
        return answer.plain()
    shaped: Mapping[str, Any] = operation.shape(answer)
    return shaped


def _injected(fault: CallFault) -> MgnError:
    code, message = _FAULTS[fault.outcome]
    members = {"retryAfterSeconds": "1"} if code in ("ThrottlingException", "InternalServerException") else {}
    return MgnError(code, message, **members)


def _require_own_account(account: Account, parameters: Mapping[str, Any]) -> None:
    asked = parameters.get("accountID")
    if asked in (None, account.ids.account_id) or account.knobs.foreign_account == "accept":
        return
    if asked not in account.managed_accounts:
        raise MgnError("AccessDeniedException", f"Not authorized to act on account {asked}")
