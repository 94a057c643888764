"""Commands of a virtual drive that move blocks: READ, WRITE, VERIFY, WRITE FILEMARKS (SSC-4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scsi.errors import EndOfMedium, MediumError
from scsi.protection import PROTECTION_BYTES, ProtectionMethod, protect, strip
from scsi.sense import Sense, SenseKey
from scsi.ssc import Read6, Verify6, Verify16, Write6, WriteFilemarks6
from scsi.tape import MAX_BLOCK_BYTES, Stop
from scsi.virtual.answers import wrong_field
from scsi.virtual.deck import END, Answer, Deck, refusal
from scsi.virtual.drive_modes import Settings

__all__ = ["audit_data", "audit_writable", "read", "verify", "write", "write_filemarks"]

_USUAL_BLOCK_BYTES: Final = 256 << 10
_UNREADABLE: Final = (SenseKey.MEDIUM_ERROR, 0x11, 0x00)
_GUARD_FAILED: Final = (SenseKey.HARDWARE_ERROR, 0x10, 0x01)
_DATA_PHASE: Final = (SenseKey.ABORTED_COMMAND, 0x4B, 0x00)
_SOFTWARE_PROTECTED: Final = (SenseKey.DATA_PROTECT, 0x27, 0x02)


def read(deck: Deck, settings: Settings, command: Read6, *, limit: int) -> Answer:
    """Blocks up to the first that is of another length, a filemark or the end of data. ``limit``: bytes to keep."""
    if command.fixed and command.silent:
        raise wrong_field(command, "silent", "SILI with blocks of one size")
    extra = PROTECTION_BYTES if settings.protects_reads else 0
    return _read(deck, settings, command, extra=extra, limit=limit)


def verify(deck: Deck, settings: Settings, command: Verify6 | Verify16) -> Answer:
    """Read and check blocks, or all up to filemarks or to the end of data, without keeping anything."""
    if command.compare:
        raise wrong_field(command, "compare", "nothing to compare with")
    if command.protection and settings.protection == ProtectionMethod.NONE:
        raise wrong_field(command, "protection", "no method of protection is set")
    if command.to_end or command.filemarks:
        return _verify_far(deck, filemarks=None if command.to_end else command.length)
    return _read(deck, settings, command, extra=0, limit=0)


def write(deck: Deck, settings: Settings, command: Write6, data_out: bytes) -> Answer:
    """Write blocks and say whether the end is near."""
    block_bytes = _block_bytes(settings, command) if command.fixed else command.length
    total = command.bytes_of(block_bytes)
    audit_writable(deck, settings)
    audit_data(total, data_out)
    if total == 0:
        return Answer()
    blocks, bad = data_out[:total], False
    if settings.protects_writes:
        blocks, block_bytes, bad = _stripped(settings, command, blocks, block_bytes)
    done, warned, full = _write_all(deck, blocks, block_bytes)
    if settings.unbuffered and done:
        deck.drive.write_filemarks(0)
    residue = command.length - done // block_bytes if command.fixed else command.length if full or bad else 0
    return Answer(sense=_end_of_write(residue, warned=warned, full=full, bad=bad), bytes_out=total)


def write_filemarks(deck: Deck, settings: Settings, command: WriteFilemarks6) -> Answer:
    """Write filemarks; what was written before is on the medium then."""
    if command.setmarks:
        raise wrong_field(command, "setmarks", "there are no setmarks")
    if command.count:
        audit_writable(deck, settings)
    elif deck.drive.write_protected:
        return Answer()
    try:
        outcome = deck.drive.write_filemarks(command.count)
    except EndOfMedium:
        return Answer(sense=_end_of_write(command.count, warned=True, full=True, bad=False))
    return Answer(sense=_end_of_write(0, warned=outcome.early_warning, full=False, bad=False))


def audit_writable(deck: Deck, settings: Settings) -> None:
    """Refuse to write on what mode page 10 protects; the drive itself knows of the rest. NoMedium."""
    if settings.software_protected and not deck.drive.write_protected:
        raise refusal(*_SOFTWARE_PROTECTED)


def audit_data(announced: int, data_out: bytes) -> None:
    """Refuse a command whose data did not come in full."""
    if len(data_out) < announced:
        raise refusal(*_DATA_PHASE)


def _block_bytes(settings: Settings, command: Read6 | Write6 | Verify6 | Verify16) -> int:
    if not settings.block_bytes:
        raise wrong_field(command, "fixed", "the block size is not set")
    return settings.block_bytes


def _read(deck: Deck, settings: Settings, command: Read6 | Verify6 | Verify16, *, extra: int, limit: int) -> Answer:
    wanted = _block_bytes(settings, command) if command.fixed else command.length
    count = command.length if command.fixed else min(command.length, 1)
    # Also without a block to read there must be a tape.
    deck.drive.position()
    kept = bytearray()
    for done in range(count):
        residue = count - done if command.fixed else command.length
        try:
            block = _block(deck, max(wanted - extra, 1))
        except MediumError:
            return Answer(bytes(kept), Sense(*_UNREADABLE, information=residue))
        if isinstance(block, Stop):
            return Answer(bytes(kept), deck.stop(block, residue))
        if limit > len(kept):
            sent = protect(block, settings.protection) if extra else block
            kept += sent[: min(wanted, limit - len(kept))]
        actual = len(block) + extra
        if actual != wanted and not _overlooked(settings, command, too_long=actual > wanted):
            residue = residue if command.fixed else wanted - actual
            return Answer(bytes(kept), Sense(SenseKey.NO_SENSE, information=residue, wrong_length=True))
    return Answer(bytes(kept))


def _overlooked(settings: Settings, command: Read6 | Verify6 | Verify16, *, too_long: bool) -> bool:
    """Whether SILI keeps silent: of a longer block only if no block size is set."""
    return isinstance(command, Read6) and command.silent and not (too_long and settings.block_bytes)


def _block(deck: Deck, room: int) -> bytes | Stop:
    """The next block in its whole length."""
    buffer = memoryview(bytearray(room))
    outcome = deck.drive.read_blocks(buffer, room)
    if outcome.stop:
        return outcome.stop
    if not outcome.truncated:
        return bytes(buffer[: outcome.bytes_read])
    deck.drive.space_blocks(-1)
    return _block(deck, MAX_BLOCK_BYTES)


def _verify_far(deck: Deck, *, filemarks: int | None) -> Answer:
    left, longest = filemarks, _USUAL_BLOCK_BYTES
    room = memoryview(bytearray(4 * longest))
    while left is None or left:
        try:
            outcome = deck.drive.read_blocks(room, longest)
        except MediumError:
            return Answer(sense=Sense(*_UNREADABLE, information=left))
        if outcome.truncated:
            deck.drive.space_blocks(-1)
            longest = MAX_BLOCK_BYTES
            room = memoryview(bytearray(longest))
        if outcome.stop is Stop.END_OF_DATA:
            return Answer() if left is None else Answer(sense=deck.stop(Stop.END_OF_DATA, left))
        if outcome.stop is Stop.FILEMARK and left is not None:
            left -= 1
    return Answer()


def _stripped(settings: Settings, command: Write6, blocks: bytes, block_bytes: int) -> tuple[bytes, int, bool]:
    """Blocks without their protection, up to the first that fails, their size, and whether one did."""
    if block_bytes <= PROTECTION_BYTES:
        raise wrong_field(command, "length", "a block of nothing but protection")
    good = list[bytes]()
    for block in _pieces(blocks, block_bytes):
        stripped = strip(block, settings.protection)
        if stripped is None:
            return b"".join(good), block_bytes - PROTECTION_BYTES, True
        good.append(stripped)
    return b"".join(good), block_bytes - PROTECTION_BYTES, False


def _pieces(blocks: bytes, block_bytes: int) -> Iterator[bytes]:
    return (blocks[start : start + block_bytes] for start in range(0, len(blocks), block_bytes))


def _write_all(deck: Deck, blocks: bytes, block_bytes: int) -> tuple[int, bool, bool]:
    """Bytes that are on the tape now, whether the early warning was met, and whether the tape is full."""
    view, done, warned = memoryview(blocks), 0, False
    while done < len(blocks):
        try:
            outcome = deck.drive.write_blocks(view[done:], block_bytes)
        except EndOfMedium:
            return done, warned, True
        done, warned = done + outcome.blocks * block_bytes, outcome.early_warning
    return done, warned, False


def _end_of_write(residue: int, *, warned: bool, full: bool, bad: bool) -> Sense | None:
    if bad and not full:
        return Sense(*_GUARD_FAILED, information=residue)
    if full:
        return Sense(SenseKey.VOLUME_OVERFLOW, *END, information=residue, end_of_medium=True)
    return Sense(SenseKey.NO_SENSE, *END, information=residue, end_of_medium=True) if warned else None
