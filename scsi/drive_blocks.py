"""Blocks to and from a drive: what one READ or WRITE moved, from its sense rather than from what transports count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from scsi.completion import Completion
from scsi.device import Device
from scsi.errors import BlankCheck, EndOfMedium, MediumError
from scsi.protection import PROTECTION_BYTES, ProtectionMethod, protect, strip
from scsi.sense import Sense
from scsi.ssc import Read6, Write6, WriteFilemarks6

__all__ = ["Brought", "Mismatch", "Reader", "write_fixed", "write_marks", "write_one"]

_NOTHING_SAID: Final = Sense.parse(b"")


@dataclass(frozen=True, slots=True)
class Brought:
    """What a READ brought; ``filemark`` or ``end_of_data`` come behind it, ``truncated`` tells of the last block."""

    blocks: int
    bytes_read: int
    filemark: bool = False
    truncated: bool = False
    end_of_data: bool = False


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A READ of equal blocks met one of another size, behind ``blocks`` that fit; the drive has passed it."""

    blocks: int


class Reader:
    """Reads into memory of its own first: some devices send more than there was on the tape."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._room = bytearray()

    def one(self, into: memoryview, method: ProtectionMethod) -> Brought:
        """Read a block of up to ``len(into)`` bytes. MediumError also if it is not what was once protected."""
        protected = method != ProtectionMethod.NONE
        room = self._room_for(len(into) + PROTECTION_BYTES * protected)
        brought = _read_block(self._device, room)
        block: memoryview | bytes = room[: min(brought.bytes_read, len(into))]
        # What protects a block that is too long was cut off.
        if protected and brought.blocks and not brought.truncated:
            block = _checked(room[: brought.bytes_read], method)
        into[: len(block)] = block
        return replace(brought, bytes_read=len(block))

    def fixed(self, into: memoryview, block_bytes: int) -> Brought | Mismatch:
        """Read equal blocks, as many as have room; of a block of another size nothing is kept."""
        room = self._room_for(len(into) // block_bytes * block_bytes)
        brought = _read_fixed(self._device, room, block_bytes)
        kept = brought.blocks * block_bytes
        into[:kept] = room[:kept]
        return brought

    def _room_for(self, size: int) -> memoryview:
        if len(self._room) < size:
            self._room = bytearray(size)
        return memoryview(self._room)[:size]


def _read_fixed(device: Device, room: memoryview, block_bytes: int) -> Brought | Mismatch:
    wanted = len(room) // block_bytes
    try:
        done = device.run(Read6(wanted, fixed=True), data_in=room)
    except BlankCheck as end:
        blocks = _before(Sense.parse(end.sense), wanted)
        return Brought(blocks, blocks * block_bytes, end_of_data=True)
    sense = _sense(done)
    if not sense.filemark and not sense.wrong_length:
        _require_all(done, len(room))
        return Brought(wanted, wanted * block_bytes)
    # A block of another size is among the bytes that came.
    arrived = -1 if sense.wrong_length else done.bytes_in // block_bytes
    blocks = _before(sense, wanted, arrived=arrived)
    _require_all(done, blocks * block_bytes)
    if sense.wrong_length:
        return Mismatch(blocks)
    return Brought(blocks, blocks * block_bytes, filemark=True)


def write_one(device: Device, block: memoryview, method: ProtectionMethod) -> bool:
    """Write a block; whether the drive stands in the last zone. EndOfMedium if it is not on the tape."""
    sent = block if method == ProtectionMethod.NONE else protect(block, method)
    try:
        sense = _sense(device.run(Write6(len(sent)), data_out=sent))
    except EndOfMedium as end:
        if Sense.parse(end.sense).residue not in (None, len(sent)):
            raise _untold(end) from end
        raise
    if sense.residue == len(sent):
        raise EndOfMedium(f"{len(sent)} bytes were not written: {sense}")
    if sense.residue:
        raise _untold(sense)
    return sense.end_of_medium


def write_fixed(device: Device, blocks: memoryview, block_bytes: int) -> tuple[int, bool]:
    """Write equal blocks; how many are written, and whether the drive stands in the last zone.

    EndOfMedium has ``blocks_written``.
    """
    wanted = len(blocks) // block_bytes
    return _count_written(lambda: device.run(Write6(wanted, fixed=True), data_out=blocks), wanted)


def write_marks(device: Device, count: int) -> tuple[int, bool]:
    """Write filemarks; likewise, ``blocks_written`` being filemarks."""
    return _count_written(lambda: device.run(WriteFilemarks6(count)), count)


def _count_written(write: Callable[[], Completion], wanted: int) -> tuple[int, bool]:
    try:
        sense = _sense(write())
    except EndOfMedium as end:
        residue = Sense.parse(end.sense).residue
        # Of one, it is clear what is left.
        left = wanted if residue is None and wanted == 1 else residue
        if left is None or not 0 < left <= wanted:
            raise _untold(end) from end
        end.blocks_written = wanted - left
        raise
    left = sense.residue or 0
    if not 0 <= left <= wanted:
        raise _untold(sense)
    return wanted - left, sense.end_of_medium


def _read_block(device: Device, into: memoryview) -> Brought:
    try:
        done = device.run(Read6(len(into)), data_in=into)
    except BlankCheck:
        return Brought(0, 0, end_of_data=True)
    sense = _sense(done)
    if sense.filemark:
        return Brought(0, 0, filemark=True)
    if not sense.wrong_length:
        _require_all(done, len(into))
        return Brought(1, len(into))
    residue = sense.residue
    # Of a block of another size that filled all the room, and of which no length is told, there is more.
    length = len(into) - residue if residue is not None else done.bytes_in + (done.bytes_in >= len(into))
    if length <= 0:
        raise MediumError(f"a block of {length} bytes was read, the drive says: {sense}")
    _require_all(done, min(length, len(into)))
    return Brought(1, min(length, len(into)), truncated=length > len(into))


def _before(sense: Sense, wanted: int, *, arrived: int = -1) -> int:
    """How many blocks of the count were read before something ended it; ``arrived`` where the sense does not say.

    MediumError if that cannot be: then nobody knows what was passed.
    """
    blocks = arrived if sense.residue is None else wanted - sense.residue
    if not 0 <= blocks < wanted:
        raise MediumError(f"how many of {wanted} blocks were read is not known, the drive says: {sense}")
    return blocks


def _untold(said: Sense | EndOfMedium) -> MediumError:
    return MediumError(f"how much was written is not known, the drive says: {said}")


def _require_all(done: Completion, wanted: int) -> None:
    """MediumError if less came than the sense tells of; tgtd's drive sends what is left of the count, not the block."""
    if done.bytes_in < wanted:
        raise MediumError(f"only {done.bytes_in} bytes came of {wanted} that were read")


def _checked(protected: memoryview, method: ProtectionMethod) -> bytes:
    block = strip(protected, method)
    if block is None:
        raise MediumError(f"a block of {len(protected)} bytes does not fit its protection")
    return block


def _sense(done: Completion) -> Sense:
    return Sense.parse(done.sense) if done.sense else _NOTHING_SAID
