"""Packets of pcap and pcapng files, one at a time, in the order of the file.

Formats: pcap, draft-ietf-opsawg-pcap; pcapng, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

__all__ = ["MAX_PACKET", "CaptureError", "Octets", "Packet", "is_capture", "read_packets"]

MAX_PACKET: Final = 262144
"""Bytes of a captured packet at most, as in libpcap."""
_MAX_BLOCK: Final = 4 * MAX_PACKET
"""Bytes of a pcapng block at most, of a kind that is read."""
_PIECE: Final = 65536

_PCAP_MAGIC: Final = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
"""Magic number -> nanoseconds in a unit of a packet's fraction of a second."""
_ORDERS: Final[tuple[tuple[Literal["little", "big"], str], ...]] = (("little", "<"), ("big", ">"))
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_IF_TSRESOL, _IF_TSOFFSET = 9, 14
_MICROSECONDS: Final = 6


class Octets(Protocol):
    """A file that is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes: ...


class CaptureError(Exception):
    """The file is no capture, or is damaged from the place on that the text names."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What was captured of a packet; ``time`` in nanoseconds since 1970, ``link`` the LINKTYPE number."""

    time: int | None
    link: int
    octets: bytes


def is_capture(beginning: bytes) -> bool:
    """Whether a file that begins so, with four bytes or more, is a pcap or pcapng file."""
    return _order_of(beginning) != "" or beginning[:4] == _SECTION.to_bytes(4, "big")


def read_packets(file: Octets) -> Iterator[Packet]:
    """The packets of a pcap or pcapng file; CaptureError, after those before it, where it is damaged."""
    source = _Source(file)
    beginning = source.take(4)
    if order := _order_of(beginning):
        yield from _pcap(source, order, beginning)
    elif beginning == _SECTION.to_bytes(4, "big"):
        yield from _Pcapng(source).packets()
    else:
        raise CaptureError("not a pcap or pcapng file")


def _order_of(beginning: bytes) -> str:
    """The byte order of a pcap file, or nothing."""
    return next(
        (o for o in "<>" if len(beginning) >= 4 and struct.unpack_from(f"{o}I", beginning)[0] in _PCAP_MAGIC), ""
    )


class _Source:
    """A file that knows how far it was read, and complains when it ends too early."""

    def __init__(self, file: Octets) -> None:
        self._file = file
        self.offset = 0

    def take(self, length: int) -> bytes:
        """The next bytes; CaptureError when there are not so many."""
        octets = self._file.read(length)
        self.offset += len(octets)
        if len(octets) < length:
            raise CaptureError(f"the file ends at byte {self.offset}, within a packet or block")
        return octets

    def take_or_end(self, length: int) -> bytes:
        """The next bytes, or nothing when the file ends right here."""
        octets = self._file.read(1)
        self.offset += len(octets)
        return octets and octets + self.take(length - 1)

    def skip(self, length: int) -> None:
        for start in range(0, length, _PIECE):
            self.take(min(_PIECE, length - start))


def _pcap(source: _Source, order: str, magic: bytes) -> Iterator[Packet]:
    unit = _PCAP_MAGIC[struct.unpack(f"{order}I", magic)[0]]
    # The upper bits say how long a frame check sequence is.
    link = struct.unpack(f"{order}I", source.take(20)[16:])[0] & 0xFFFF
    head = struct.Struct(f"{order}4I")
    while words := source.take_or_end(head.size):
        seconds, fraction, captured, _ = head.unpack(words)
        if captured > MAX_PACKET:
            raise CaptureError(f"a packet of {captured} bytes before byte {source.offset}: the file is damaged")
        yield Packet(seconds * 1_000_000_000 + fraction * unit, link, source.take(captured))


@dataclass(slots=True)
class _Interface:
    link: int
    snap: int
    resolution: int = _MICROSECONDS
    offset: int = 0

    def time(self, ticks: int) -> int:
        """Ticks as nanoseconds since 1970."""
        per_second = 1 << (self.resolution & 0x7F) if self.resolution & 0x80 else int(10**self.resolution)
        return self.offset * 1_000_000_000 + ticks * 1_000_000_000 // per_second


@dataclass(slots=True)
class _Pcapng:
    source: _Source
    order: str = "<"
    interfaces: list[_Interface] = field(default_factory=list)

    def packets(self) -> Iterator[Packet]:
        """The packets of all sections; the type of the first section's block is read already."""
        kind = _SECTION.to_bytes(4, "big")
        while kind:
            packet = self._block(kind)
            if packet is not None:
                yield packet
            kind = self.source.take_or_end(4)

    def _block(self, kind: bytes) -> Packet | None:
        length = self.source.take(4)
        if kind == _SECTION.to_bytes(4, "big"):
            self._section(length)
            return None
        number, size = self._word(kind), self._word(length) - 12
        if size < 0 or size % 4:
            raise CaptureError(f"a block of {size + 12} bytes before byte {self.source.offset}: the file is damaged")
        packet = None
        if number in (_INTERFACE, _SIMPLE, _ENHANCED):
            if size > _MAX_BLOCK:
                raise CaptureError(f"a block of {size} bytes before byte {self.source.offset}: the file is damaged")
            packet = self._read(number, self.source.take(size))
        else:
            self.source.skip(size)
        self.source.take(4)
        return packet

    def _section(self, length: bytes) -> None:
        magic = self.source.take(4)
        found = [order for order in "<>" if struct.unpack(f"{order}I", magic)[0] == _BYTE_ORDER_MAGIC]
        if not found:
            raise CaptureError(f"no byte order magic before byte {self.source.offset}: not a pcapng file, or damaged")
        self.order = found[0]
        self.interfaces.clear()
        rest = self._word(length) - 12
        if rest < 16 or rest % 4:
            raise CaptureError(f"a section header of {rest + 12} bytes before byte {self.source.offset}: damaged")
        self.source.skip(rest)

    def _word(self, octets: bytes) -> int:
        return int(struct.unpack(f"{self.order}I", octets)[0])

    def _read(self, number: int, body: bytes) -> Packet | None:
        try:
            if number == _INTERFACE:
                self.interfaces.append(self._interface(body))
                return None
            return self._enhanced(body) if number == _ENHANCED else self._simple(body)
        except (struct.error, IndexError):
            raise CaptureError(f"a block before byte {self.source.offset} that makes no sense") from None

    def _interface(self, body: bytes) -> _Interface:
        link, _, snap = struct.unpack_from(f"{self.order}HHI", body)
        made = _Interface(link, snap)
        for code, value in self._options(body[8:]):
            if code == _IF_TSRESOL:
                made.resolution = value[0]
            elif code == _IF_TSOFFSET:
                made.offset = struct.unpack(f"{self.order}q", value)[0]
        return made

    def _options(self, octets: bytes) -> Iterator[tuple[int, bytes]]:
        while len(octets) >= 4:
            code, length = struct.unpack_from(f"{self.order}HH", octets)
            yield code, octets[4 : 4 + length]
            octets = octets[4 + length + -length % 4 :]

    def _enhanced(self, body: bytes) -> Packet:
        index, high, low, captured, _ = struct.unpack_from(f"{self.order}5I", body)
        interface = self.interfaces[index]
        return Packet(interface.time(high << 32 | low), interface.link, self._octets(body[20:], captured))

    def _simple(self, body: bytes) -> Packet:
        """A packet of the first interface, without time; how much was captured follows from its limit."""
        interface = self.interfaces[0]
        original = self._word(body[:4])
        return Packet(None, interface.link, self._octets(body[4:], min(original, interface.snap or original)))

    def _octets(self, octets: bytes, captured: int) -> bytes:
        if captured > len(octets):
            raise CaptureError(f"a packet longer than its block, before byte {self.source.offset}")
        return octets[:captured]
