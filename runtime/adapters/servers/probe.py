"""Network checks of a launched instance behind the Prober port."""

import socket
import warnings

import urllib3

from runtime.models.request import Check, HttpCheck, SsmCheck, TcpCheck

TIMEOUT = 3.0


class NetworkProber:
    """Tries once; trying again is the state machine's part."""

    def probe(self, check: Check, address: str) -> str | None:
        match check:
            case TcpCheck():
                return _connects(address, check.port)
            case HttpCheck():
                return _answers(check, address)
            case SsmCheck():
                raise TypeError("an SSM check runs on the instance, not over the network")


def _connects(address: str, port: int) -> str | None:
    try:
        socket.create_connection((address, port), timeout=TIMEOUT).close()
    except OSError as error:
        return f"no connection: {error.strerror or type(error).__name__}"
    return None


def _answers(check: HttpCheck, address: str) -> str | None:
    try:
        with _connections(check, address) as connections, warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            response = connections.urlopen(
                "GET",
                check.path,
                headers={"User-Agent": "mgn-migration-orchestrator"},
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=TIMEOUT,
            )
            status = response.status
            response.close()
    except urllib3.exceptions.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    return None if status == check.expected_status else f"status {status} instead of {check.expected_status}"


def _connections(check: HttpCheck, address: str) -> urllib3.HTTPConnectionPool:
    if check.scheme == "http":
        return urllib3.HTTPConnectionPool(address, check.port)
    # Unverified: the instance is asked by its private address, and no certificate names that. The check is about the
    # answer's status; nothing is sent that an impostor could use.
    return urllib3.HTTPSConnectionPool(address, check.port, cert_reqs="CERT_NONE", assert_hostname=False)
