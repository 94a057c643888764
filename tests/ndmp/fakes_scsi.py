"""A media changer in memory that answers a few commands as a device does, and notes what it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ndmp.backends import CdbOutcome, ScsiAddress
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["INQUIRY", "INVALID_OPCODE", "TEST_UNIT_READY", "Asked", "MemoryChanger"]

TEST_UNIT_READY = bytes(6)
INQUIRY = bytes.fromhex("12 00 00 00 24 00")
INQUIRED = bytes.fromhex("08 80 05 02 1f 00 00 00") + b"MEMORY  CHANGER         0001"
"""Standard INQUIRY data of a removable media changer (SPC-3 6.4.2)."""
INVALID_OPCODE = bytes.fromhex("70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 00 00 00")
"""Fixed sense: ILLEGAL REQUEST, invalid command operation code."""


@dataclass(frozen=True)
class Asked:
    """One command, as it arrived."""

    cdb: bytes
    data_out: bytes
    data_in_bytes: int
    timeout: float | None


@dataclass
class MemoryChanger:
    """Both ScsiBackend and its one ScsiHandle."""

    model: str = "MEMORY CHANGER"
    shared: bool = False
    capabilities: Sequence[tuple[str, str]] = (("SLOTS", "2"),)
    where: ScsiAddress | None = field(default_factory=lambda: ScsiAddress(0, 3, -1))
    resets: int | None = 0
    """Resets so far; None: it cannot be reset."""
    broken: Error | None = None
    """What the next command, and no other, is refused with."""
    asked: list[Asked] = field(default_factory=list)
    taken: bool = False

    def open(self) -> MemoryChanger:
        if self.taken:
            raise ReplyError(Error.DEVICE_BUSY, "another session has it")
        self.taken = True
        return self

    def close(self) -> None:
        self.taken = False

    def address(self) -> ScsiAddress:
        if self.where is None:
            raise ReplyError(Error.NOT_SUPPORTED, "it is not on a bus")
        return self.where

    def reset(self) -> None:
        if self.resets is None:
            raise ReplyError(Error.NOT_SUPPORTED, "no way to reset it")
        self.resets += 1

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        self.asked.append(Asked(cdb, data_out, data_in_bytes, timeout))
        broken, self.broken = self.broken, None
        if broken is not None:
            raise ReplyError(broken)
        if len(cdb) < len(TEST_UNIT_READY):
            raise ReplyError(Error.ILLEGAL_ARGS, "no command is as short as that")
        if cdb == TEST_UNIT_READY:
            return CdbOutcome(0)
        if cdb[0] == INQUIRY[0]:
            return CdbOutcome(0, INQUIRED[: min(data_in_bytes, cdb[4])])
        return CdbOutcome(2, bytes_out=len(data_out), sense=INVALID_OPCODE)
