"""The captures in fixtures/ without any program of third parties: classic pcap, Ethernet, IPv4, TCP, record marks."""

from __future__ import annotations

import gzip
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["CAPTURES", "PORT", "Sent", "conversations"]

CAPTURES = sorted((Path(__file__).parents[2] / "fixtures").glob("*.pcap.gz"))
PORT = 10000
"""Of the host, in every capture."""


class Sent(NamedTuple):
    """One record, who sent it ("<" the host, ">" the application), and its fragments as they came."""

    direction: str
    record: bytes
    fragments: tuple[bytes, ...]

    @property
    def wire(self) -> bytes:
        """The record with its record marks."""
        last = len(self.fragments) - 1
        marks = [(0x80000000 * (at == last)) + len(fragment) for at, fragment in enumerate(self.fragments)]
        return b"".join(m.to_bytes(4, "big") + fragment for m, fragment in zip(marks, self.fragments, strict=True))


def conversations(capture: Path) -> list[list[Sent]]:
    """The records of each TCP connection, in the order in which they were complete."""
    found: dict[int, list[Sent]] = defaultdict(list)
    unread: dict[tuple[int, str], bytes] = defaultdict(bytes)
    position: dict[tuple[int, str], int] = {}
    for source, target, sequence, payload in _segments(gzip.decompress(capture.read_bytes())):
        client, direction = (target, "<") if source == PORT else (source, ">")
        key = client, direction
        assert position.setdefault(key, sequence) == sequence, "a segment is missing or comes twice"
        position[key] = (sequence + len(payload)) & 0xFFFFFFFF
        unread[key] += payload
        while fragments := _first_record(unread[key]):
            sent = Sent(direction, b"".join(fragments), fragments)
            found[client].append(sent)
            unread[key] = unread[key][len(sent.wire) :]
    assert not any(unread.values()), "the capture ends within a record"
    return list(found.values())


def _first_record(stream: bytes) -> tuple[bytes, ...]:
    """The fragments of the record at the start of a stream; none if it is not complete (RFC 5531 section 11)."""
    fragments, at = [], 0
    while at + 4 <= len(stream):
        mark = int.from_bytes(stream[at : at + 4], "big")
        at += 4 + (mark & 0x7FFFFFFF)
        fragments.append(stream[at - (mark & 0x7FFFFFFF) : at])
        if mark >> 31:
            return tuple(fragments) if at <= len(stream) else ()
    return ()


def _segments(pcap: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Source port, target port, sequence number and payload of every segment with payload."""
    magic, *_, link_type = struct.unpack_from("<I2H4I", pcap)
    assert (magic, link_type) == (0xA1B2C3D4, 1), "not a little-endian pcap of Ethernet"
    at = 24
    while at < len(pcap):
        captured, length = struct.unpack_from("<8x2I", pcap, at)
        assert captured == length, "a packet is cut"
        at += 16 + captured
        packet = pcap[at - captured + 14 : at]
        tcp = packet[4 * (packet[0] & 15) : int.from_bytes(packet[2:4], "big")]
        source, target, sequence = struct.unpack_from(">2HI", tcp)
        payload = tcp[4 * (tcp[12] >> 4) :]
        if payload:
            yield source, target, sequence, payload
