"""What can go wrong with a drive, one class a condition. Stops that belong to tape (a filemark) are values."""

# The conditions keep the names that the SCSI standards give them.
# ruff: noqa: N818

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "BlankCheck",
    "CartridgeExists",
    "CorruptImage",
    "DeviceBusy",
    "DeviceUrlError",
    "EndOfMedium",
    "MediumError",
    "NoMedium",
    "NotAVirtualTape",
    "ScsiError",
    "TapFormatError",
    "WriteProtected",
]


class ScsiError(Exception):
    """Anything this package refuses or fails at."""


class DeviceUrlError(ScsiError):
    """A device URL or barcode that cannot be meant."""


class DeviceBusy(ScsiError):
    """Somebody else has the drive or the cartridge."""


class AccessDenied(ScsiError):
    """The operating system does not let this user in."""


class NoMedium(ScsiError):
    """No tape is loaded."""


class WriteProtected(ScsiError):
    """The tape, or the way it was opened, forbids writing."""


class BlankCheck(ScsiError):
    """A position beyond the end of data was asked for; the drive stands at the end of data."""


class MediumError(ScsiError):
    """The medium failed to take or to give back what it should hold."""


class EndOfMedium(ScsiError):
    """The physical end: not one block more. ``blocks_written`` of the failed call are on the tape."""

    def __init__(self, message: str, *, blocks_written: int = 0) -> None:
        super().__init__(message)
        self.blocks_written = blocks_written


class NotAVirtualTape(ScsiError):
    """The file is no index of a virtual tape, or of a version not known here."""


class CorruptImage(ScsiError):
    """The index of a virtual tape contradicts itself; nothing is guessed."""


class CartridgeExists(ScsiError):
    """A new cartridge would replace something."""


class TapFormatError(ScsiError):
    """A .tap file that cannot be imported, or a tape that cannot be exported; ``offset`` in bytes of the .tap file."""

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(f"{message} (offset {offset})")
        self.offset = offset
