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


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where a data connection is offered."""

    host: str
    port: int


def plain_address(endpoint: TcpEndpoint) -> TcpAddress:
    """The endpoint as it is written, without its environment."""
    return TcpAddress(str(ipaddress.IPv4Address(endpoint.ipv4)), endpoint.port)


def wire_address(address: TcpAddress) -> TcpAddresses:
    """One IPv4 address as the wire has it; ValueError for a name or an IPv6 address."""
    return TcpAddresses((TcpEndpoint(int(ipaddress.IPv4Address(address.host)), address.port),))
