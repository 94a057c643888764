"""The address of a data connection as GET_STATE shows it."""

from __future__ import annotations

from ndmp.types import Address, TcpAddresses, TcpEndpoint

__all__ = ["shown_address"]


def shown_address(address: Address) -> Address:
    """The best of several, without its environment: GET_STATE has room for one (draft 3.5.1.1, 3.6.1.1)."""
    if not isinstance(address, TcpAddresses):
        return address
    best = address.endpoints[0]
    return TcpAddresses((TcpEndpoint(best.ipv4, best.port),))
