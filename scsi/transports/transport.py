"""The way to a device: one command in, its completion out."""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

from scsi.cdb import Command
from scsi.completion import Completion

__all__ = [
    "DEFAULT_TIMEOUT",
    "MAX_SENSE_BYTES",
    "MAX_TRANSFER_BYTES",
    "Room",
    "Transport",
    "cdb_and_timeout",
    "room_of",
]

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds for a CDB that is given as bytes."""
MAX_SENSE_BYTES: Final = 252
"""The longest sense data (SPC-4 4.5.1)."""
MAX_TRANSFER_BYTES: Final = (16 << 20) + 64
"""The longest data of one command: the largest block and what protects it."""

Room: TypeAlias = memoryview | int
"""Where data go that a device sends: the caller's memory, or how many bytes may come back in the completion."""


class Transport(Protocol):
    """A device that takes commands, one at a time; they hold up only the thread that sends them.

    CHECK CONDITION, BUSY and the like are completions. Raised is what no device said: CommandTimeout (``timeout``
    seconds are over), TransportLost (also for every command after it: nobody connects again unasked), Busy (the
    command was not begun), CommandAborted, AccessDenied, IllegalRequest (more data than this way can carry).
    """

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        """Carry out a command. ``bytes_in`` and ``bytes_out`` of the completion are what the device says it moved.

        Some devices and adapters say it wrong; for blocks on tape the INFORMATION of sense counts. Without ``timeout``
        it is the command's own.
        """
        ...

    def close(self) -> None:
        """Let the device go; a second time does nothing."""
        ...


def cdb_and_timeout(command: Command | bytes, timeout: float | None) -> tuple[bytes, float]:
    """The bytes of a command, and the seconds it may take."""
    if isinstance(command, Command):
        return command.encode(), command.timeout if timeout is None else timeout
    return command, DEFAULT_TIMEOUT if timeout is None else timeout


def room_of(data_in: Room) -> memoryview:
    """The memory to receive in; ValueError if it is more than a command can bring."""
    wanted = data_in if isinstance(data_in, int) else len(data_in)
    if not 0 <= wanted <= MAX_TRANSFER_BYTES:
        raise ValueError(f"{wanted} bytes are not within 0..{MAX_TRANSFER_BYTES}")
    return memoryview(bytearray(wanted)) if isinstance(data_in, int) else data_in
