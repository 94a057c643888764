"""Values shared by messages and interfaces."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from ndmp.enums import AddressType
from ndmp.wire import U16, U32, Opaque, OtherArm, Tagged, Text, struct

__all__ = [
    "ALL_ONES_32",
    "ALL_ONES_64",
    "Address",
    "IpcAddress",
    "LocalAddress",
    "Pval",
    "TcpAddress",
    "TcpAddresses",
    "TcpEndpoint",
    "address_kind",
    "plain_address",
    "wire_address",
]

ALL_ONES_32 = 0xFFFFFFFF
"""Unknown, in 32-bit fields."""
ALL_ONES_64 = 0xFFFFFFFFFFFFFFFF
"""Unknown, or without end, in 64-bit fields."""


@struct
class Pval:
    """A name and its value."""

    name: Text
    value: Text


@struct
class LocalAddress:
    """Both ends in one host process."""


@struct
class TcpEndpoint:
    """An IPv4 address as a number, and a port."""

    ipv4: U32
    port: U16
    environment: tuple[Pval, ...] = ()


@struct
class TcpAddresses:
    """Where a peer can connect, the best address first."""

    endpoints: tuple[TcpEndpoint, ...]


@struct
class IpcAddress:
    """An address between processes of one machine."""

    endpoint: Opaque


Address: TypeAlias = Annotated[
    LocalAddress | TcpAddresses | IpcAddress | OtherArm,
    Tagged({AddressType.LOCAL: LocalAddress, AddressType.TCP: TcpAddresses, AddressType.IPC: IpcAddress}),
]
"""An end of a data connection (draft 2.12)."""


def address_kind(address: Address) -> AddressType | None:
    """Which kind of address this is; None for one that cannot be used, as TCP without any endpoint."""
    match address:
        case LocalAddress():
            return AddressType.LOCAL
        case TcpAddresses(endpoints) if endpoints:
            return AddressType.TCP
        case IpcAddress():
            return AddressType.IPC
        case _:
            return None


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where a data connection is offered; ``environment``: names and values that go with it on the wire."""

    host: str
    port: int
    environment: tuple[tuple[str, str], ...] = ()


def plain_address(endpoint: TcpEndpoint) -> TcpAddress:
    """The endpoint as it is written."""
    environment = tuple((pair.name, pair.value) for pair in endpoint.environment)
    return TcpAddress(str(ipaddress.IPv4Address(endpoint.ipv4)), endpoint.port, environment)


def wire_address(*addresses: TcpAddress) -> TcpAddresses:
    """IPv4 addresses as the wire has them; ValueError for a name or an IPv6 address."""
    return TcpAddresses(tuple(map(_endpoint, addresses)))


def _endpoint(address: TcpAddress) -> TcpEndpoint:
    environment = tuple(Pval(*pair) for pair in address.environment)
    return TcpEndpoint(int(ipaddress.IPv4Address(address.host)), address.port, environment)
