"""Export to and import from SIMH's .tap, the format that other tape tools read ("SIMH Magtape Representation").

A record is a 32-bit little-endian length, its bytes, a pad byte if they are odd, and the length again.
"""

from __future__ import annotations

import struct
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from scsi.errors import TapFormatError
from scsi.tape import MAX_BLOCK_BYTES, Stop, TapeDrive
from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import cartridge_map, create_cartridge, remove_cartridge

__all__ = ["export_tap", "import_tap"]

TAPE_MARK: Final = 0x00000000
END_OF_MEDIUM: Final = 0xFFFFFFFF
ERASE_GAP: Final = 0xFFFFFFFE
HALF_GAP: Final = 0xFFFEFFFF
BAD_RECORD: Final = 0x80000000
CLASS_MASK: Final = 0xF0000000
MAX_STANDARD_BYTES: Final = (1 << 24) - 1
_WORD: Final = struct.Struct("<I")


def export_tap(cartridge: Path, tap: Path) -> None:
    """Write all of a cartridge to a new .tap file, ended by an end-of-medium mark; needs the cartridge to itself.

    TapFormatError for blocks over 16 MiB - 1, which the standard format cannot hold; FileExistsError if ``tap`` exists.
    """
    drive = open_cartridge(cartridge, read_only=True)
    try:
        largest = max((run.block_bytes for run in cartridge_map(cartridge)), default=0)
        if largest > MAX_STANDARD_BYTES:
            raise TapFormatError(f"a block of {largest} bytes is over {MAX_STANDARD_BYTES}", offset=0)
        with tap.open("xb") as stream:
            try:
                _export(drive, stream, buffer=memoryview(bytearray(max(largest, 1))))
            except BaseException:
                tap.unlink()
                raise
    finally:
        drive.close()


def import_tap(
    tap: Path, cartridge: Path, *, capacity_bytes: int, early_warning_bytes: int = 0, sync: bool = True
) -> None:
    """Make a new cartridge from a .tap file; if that fails, none is left behind.

    TapFormatError with the offset for a damaged file, a bad record, or anything beyond the standard format.
    """
    with tap.open("rb") as stream:
        create_cartridge(cartridge, capacity_bytes=capacity_bytes, early_warning_bytes=early_warning_bytes)
        try:
            drive = open_cartridge(cartridge, sync=sync)
            try:
                _import(stream, drive)
            finally:
                drive.close()
        except BaseException:
            remove_cartridge(cartridge)
            raise


def _export(drive: TapeDrive, stream: BinaryIO, *, buffer: memoryview) -> None:
    while True:
        # Room for one block at a time: each needs its lengths around it.
        outcome = drive.read_blocks(buffer, len(buffer))
        if outcome.blocks:
            length = outcome.bytes_read
            stream.writelines((_WORD.pack(length), buffer[:length], bytes(length % 2), _WORD.pack(length)))
        if outcome.stop is Stop.FILEMARK:
            stream.write(_WORD.pack(TAPE_MARK))
        elif outcome.stop is Stop.END_OF_DATA:
            stream.write(_WORD.pack(END_OF_MEDIUM))
            return


def _import(stream: BufferedReader, drive: TapeDrive) -> None:
    buffer = memoryview(bytearray(MAX_BLOCK_BYTES))
    while (word := _next_object(stream)) is not None:
        if word == TAPE_MARK:
            drive.write_filemarks(1)
        else:
            drive.write_blocks(_record(stream, word, buffer), word)


def _next_object(stream: BufferedReader) -> int | None:
    """A record length or TAPE_MARK; None at the end of the tape. Gaps are passed over."""
    while True:
        offset = stream.tell()
        raw = stream.read(_WORD.size)
        if not raw:
            return None
        if len(raw) < _WORD.size:
            raise TapFormatError(f"the file ends within a word, after {len(raw)} bytes of it", offset=offset)
        word: int = _WORD.unpack(raw)[0]
        if word == END_OF_MEDIUM:
            return None
        if word == HALF_GAP:
            # An overwritten gap leaves half a marker behind; the next whole one begins two bytes on.
            stream.seek(offset + 2)
        elif word != ERASE_GAP:
            _check_record_length(word, offset)
            return word


def _check_record_length(word: int, offset: int) -> None:
    if word & CLASS_MASK == BAD_RECORD:
        raise TapFormatError(f"a record marked as bad ({word:#010x}): its bytes cannot be trusted", offset=offset)
    if word & CLASS_MASK:
        raise TapFormatError(f"{word:#010x} is neither a record nor a mark of the standard format", offset=offset)
    if word > MAX_BLOCK_BYTES:
        raise TapFormatError(f"a record of {word} bytes is over {MAX_BLOCK_BYTES}", offset=offset)


def _record(stream: BufferedReader, length: int, buffer: memoryview) -> memoryview:
    offset = stream.tell()
    record = buffer[:length]
    if stream.readinto(record) < length:
        raise TapFormatError(f"the file ends within a record of {length} bytes", offset=offset)
    stream.read(length % 2)
    offset = stream.tell()
    trailer = stream.read(_WORD.size)
    if trailer != _WORD.pack(length):
        raise TapFormatError(f"the length after a record of {length} bytes is {trailer.hex()!r}", offset=offset)
    return record
