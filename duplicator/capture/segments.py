"""TCP segments out of captured packets: link layer, IPv4 or IPv6, TCP."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from duplicator.capture.packets import Packet

__all__ = ["LINKS", "Endpoint", "Segment", "segment_of"]

_TCP: Final = 6
_EXTENSION_HEADERS: Final = frozenset({0, 43, 60})
"""IPv6: hop-by-hop options, routing, destination options."""
_FRAGMENT: Final = 44
_VLAN_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100})
_SYN, _ACK = 0x02, 0x10


class Endpoint(NamedTuple):
    """One end of a TCP connection."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment; ``acknowledged`` is None without the ACK flag, ``time`` in nanoseconds since 1970."""

    time: int | None
    source: Endpoint
    target: Endpoint
    sequence: int
    acknowledged: int | None
    opens: bool
    payload: bytes


def _ethernet(frame: bytes) -> bytes:
    start = 12
    while int.from_bytes(frame[start : start + 2], "big") in _VLAN_TAGS:
        start += 4
    return frame[start + 2 :]


LINKS: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    0: lambda frame: frame[4:],  # BSD loopback
    1: _ethernet,
    12: lambda frame: frame,  # raw IP on some systems
    14: lambda frame: frame,
    101: lambda frame: frame,  # raw IP
    108: lambda frame: frame[4:],  # OpenBSD loopback
    113: lambda frame: frame[16:],  # Linux cooked
    228: lambda frame: frame,  # raw IPv4
    229: lambda frame: frame,
    276: lambda frame: frame[20:],  # Linux cooked, version 2
}
"""LINKTYPE number -> what gives the IP packet in a frame."""


def segment_of(packet: Packet) -> Segment | None:
    """The TCP segment in a packet; None for anything else, for IP fragments, and for what was cut within a header."""
    strip = LINKS.get(packet.link)
    if strip is None:
        return None
    try:
        return _segment(packet.time, strip(packet.octets))
    except (struct.error, IndexError, ValueError):
        return None


def _segment(time: int | None, octets: bytes) -> Segment | None:
    version = octets[0] >> 4
    found = _ipv4(octets) if version == 4 else _ipv6(octets) if version == 6 else None
    if found is None:
        return None
    source, target, tcp = found
    from_port, to_port, sequence, acknowledged, offset, flags = struct.unpack_from(">HHIIBB", tcp)
    header = (offset >> 4) * 4
    if header < 20:
        return None
    opens = bool(flags & _SYN)
    return Segment(
        time,
        Endpoint(source, from_port),
        Endpoint(target, to_port),
        # SYN takes a number of its own.
        (sequence + opens) & 0xFFFFFFFF,
        acknowledged if flags & _ACK else None,
        opens,
        tcp[header:],
    )


def _ipv4(octets: bytes) -> tuple[str, str, bytes] | None:
    total, _, fragment, _, protocol = struct.unpack_from(">HHHBB", octets, 2)
    if protocol != _TCP or fragment & 0x3FFF:
        return None
    header = (octets[0] & 0x0F) * 4
    # 0: the network card was to cut it, and had not yet filled this in.
    end = total or len(octets)
    source, target = (str(ipaddress.IPv4Address(octets[at : at + 4])) for at in (12, 16))
    return source, target, octets[header:end]


def _ipv6(octets: bytes) -> tuple[str, str, bytes] | None:
    length, following = struct.unpack_from(">HB", octets, 4)
    source, target = (str(ipaddress.IPv6Address(octets[at : at + 16])) for at in (8, 24))
    rest = octets[40 : 40 + length] if length else octets[40:]
    while following in _EXTENSION_HEADERS or (following == _FRAGMENT and not int.from_bytes(rest[2:4], "big") & 0xFFF9):
        size = 8 if following == _FRAGMENT else 8 + rest[1] * 8
        following, rest = rest[0], rest[size:]
    return (source, target, rest) if following == _TCP else None
