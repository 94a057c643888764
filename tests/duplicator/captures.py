"""Capture files put together by hand: pcap and pcapng, link layers, IP and TCP as their specifications have them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["APPLICATION", "ETHERNET", "HOST", "Talk", "ethernet", "ipv4", "ipv6", "pcap", "pcapng", "tcp"]

ETHERNET = 1
APPLICATION = ("10.0.0.1", 40000)
HOST = ("10.0.0.2", 10000)
_SYN, _ACK = 0x02, 0x10
Frames = Sequence[bytes]


def tcp(
    ports: tuple[int, int], sequence: int, payload: bytes = b"", *, ack: int | None = None, syn: bool = False
) -> bytes:
    """A segment with four bytes of options (RFC 9293 section 3.1); nobody checks its checksum."""
    flags = (_ACK if ack is not None else 0) | (_SYN if syn else 0)
    head = struct.pack(">HHIIBBHHH", *ports, sequence % 2**32, (ack or 0) % 2**32, 6 << 4, flags, 8192, 0, 0)
    return head + b"\1\1\1\0" + payload


def ipv4(source: str, target: str, segment: bytes, *, protocol: int = 6, fragment: int = 0) -> bytes:
    """A packet without options (RFC 791 section 3.1)."""
    addresses = bytes(int(part) for address in (source, target) for part in address.split("."))
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, fragment, 64, protocol, 0) + addresses + segment


def ipv6(segment: bytes) -> bytes:
    """A packet from ::1 to ::2 with hop-by-hop options before TCP (RFC 8200)."""
    addresses = bytes(15) + b"\1" + bytes(15) + b"\2"
    return struct.pack(">IHBB", 6 << 28, 8 + len(segment), 0, 64) + addresses + b"\6\0\1\4\0\0\0\0" + segment


def ethernet(packet: bytes, *, tags: bytes = b"") -> bytes:
    """A frame as long as Ethernet wants it at least: a short packet is padded."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return (bytes(12) + tags + kind + packet).ljust(60, b"\xee")


def pcap(frames: Frames, *, link: int = ETHERNET, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    """A pcap file; frame N at 16:00:00 and N units."""
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    return head + b"".join(
        struct.pack(f"{order}4I", 57600, number, len(frame), len(frame)) + frame for number, frame in enumerate(frames)
    )


def _block(order: str, kind: int, body: bytes) -> bytes:
    body = body.ljust(len(body) + -len(body) % 4, b"\0")
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def pcapng(
    frames: Frames, *, link: int = ETHERNET, order: str = "<", simple: bool = False, resolution: int | None = 0x8A
) -> bytes:
    """A pcapng file with a block of an unknown kind and one of names; frames at 16:00:00.5.

    ``resolution``: the option if_tsresol, by default units of 2^-10 s; None leaves it out, which means 10^-6 s.
    """
    section = _block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    option = b"" if resolution is None else struct.pack(f"{order}HHB3xHH", 9, 1, resolution, 0, 0)
    interface = _block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + option)
    blocks = [section, _block(order, 0x0BAD, b"?"), interface, _block(order, 4, bytes(4))]
    for frame in frames:
        if simple:
            blocks.append(_block(order, 3, struct.pack(f"{order}I", len(frame)) + frame))
        else:
            ticks = int(57600.5 * {0x8A: 2**10, None: 10**6, 9: 10**9}[resolution])
            time = ticks >> 32, ticks & 0xFFFFFFFF
            blocks.append(_block(order, 6, struct.pack(f"{order}5I", 0, *time, len(frame), len(frame)) + frame))
    return b"".join(blocks)


@dataclass
class Talk:
    """A TCP connection whose segments go into frames, in whatever order ``frames`` is put afterwards."""

    application: tuple[str, int] = APPLICATION
    host: tuple[str, int] = HOST
    sequences: list[int] = field(default_factory=lambda: [1000, 2**32 - 20])
    frames: list[bytes] = field(default_factory=list)

    def handshake(self) -> Talk:
        """SYN, SYN with ACK, ACK."""
        mine, theirs = self.sequences
        ports = (self.application[1], self.host[1])
        self._frame(tcp(ports, mine - 1, syn=True), from_host=False)
        self._frame(tcp(ports[::-1], theirs - 1, ack=mine, syn=True), from_host=True)
        self._frame(tcp(ports, mine, ack=theirs), from_host=False)
        return self

    def say(self, octets: bytes, *, from_host: bool = False) -> Talk:
        """One segment of what one side says."""
        ports = (self.application[1], self.host[1])
        sequence, other = self.sequences[from_host], self.sequences[not from_host]
        self._frame(tcp(ports[::-1] if from_host else ports, sequence, octets, ack=other), from_host=from_host)
        self.sequences[from_host] += len(octets)
        return self

    def _frame(self, segment: bytes, *, from_host: bool) -> None:
        ends = (self.host[0], self.application[0]) if from_host else (self.application[0], self.host[0])
        self.frames.append(ethernet(ipv4(*ends, segment)))
