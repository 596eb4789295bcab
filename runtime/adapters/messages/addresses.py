"""Which addresses a callback may go to: a request names the URL, and the function stands inside the network."""

import ipaddress
import socket
from concurrent.futures import Future
from threading import Thread
from typing import Any

from runtime.adapters.web import Deadline
from runtime.errors import CallbackDeliveryError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def checked_address(host: str, port: int, deadline: Deadline, *, allows_private: bool) -> str:
    """One address of the host, resolved once, so that what was checked is what gets connected to.

    Raises CallbackDeliveryError for a host that does not resolve or has any address that is not public.
    """
    try:
        found = _resolved(host, port, deadline)
    except (OSError, UnicodeError) as error:
        raise CallbackDeliveryError(f"{host} does not resolve") from error
    addresses = [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    if not addresses or not (allows_private or all(is_public(address) for address in addresses)):
        raise CallbackDeliveryError(f"{host} has an address that is not public; callbacks do not go there")
    return str(addresses[0])


def _resolved(host: str, port: int, deadline: Deadline) -> list[Any]:
    """What the resolver finds in time; it takes no timeout of ours, so one that is late is left to its own."""
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    Thread(target=ask, name="resolver", daemon=True).start()
    return answer.result(deadline.left())


def is_public(address: Address) -> bool:
    """Not private, loopback, link-local, multicast or reserved, nor an IPv6 coat around an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address) and _wraps_ipv4(address):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wraps_ipv4(address: ipaddress.IPv6Address) -> bool:
    return any(part is not None for part in (address.ipv4_mapped, address.sixtofour, address.teredo))
