"""Which offers of data connections are under TLS, as their addresses tell (docs/data-tls.md)."""

from __future__ import annotations

from duplicator.data_tls import invitation_of
from ndmp.errors import TlsError
from ndmp.types import Address, TcpAddresses, TcpEndpoint, plain_address

__all__ = ["is_secure", "secure_endpoints", "security_of"]


def secure_endpoints(address: TcpAddresses) -> TcpAddresses:
    """Those of the offered endpoints that are under TLS; TlsError if none is."""
    secure = tuple(filter(is_secure, address.endpoints))
    if not secure:
        raise TlsError("TLS is required, and the host offers no data connection with it")
    return TcpAddresses(secure)


def is_secure(endpoint: TcpEndpoint) -> bool:
    """Whether a host invites to TLS at this endpoint (docs/data-tls.md)."""
    try:
        return invitation_of(plain_address(endpoint)) is not None
    except ValueError:
        return False


def security_of(offered: TcpAddresses, used: Address | None = None) -> bool | None:
    """Whether TLS is on a connection to one of these endpoints, to ``used`` if that is known; None if nothing tells."""
    endpoints = offered.endpoints
    if isinstance(used, TcpAddresses):
        places = {(endpoint.ipv4, endpoint.port) for endpoint in used.endpoints}
        endpoints = tuple(endpoint for endpoint in endpoints if (endpoint.ipv4, endpoint.port) in places)
    found = set(map(is_secure, endpoints))
    return found.pop() if len(found) == 1 else None
