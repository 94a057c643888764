"""What can go wrong with a drive, one class a condition. Stops that belong to tape (a filemark) are values."""

# The conditions keep the names that the SCSI standards give them.
# ruff: noqa: N818

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "BecomingReady",
    "BlankCheck",
    "Busy",
    "CartridgeExists",
    "CdbLengthError",
    "CheckCondition",
    "CommandAborted",
    "CommandTimeout",
    "CorruptImage",
    "CorruptLibrary",
    "DestinationFull",
    "DeviceBusy",
    "DeviceUrlError",
    "EncryptionError",
    "EndOfMedium",
    "FieldError",
    "HardwareError",
    "IllegalRequest",
    "InvalidField",
    "LibraryExists",
    "MediumError",
    "NoMedium",
    "NoSuchElement",
    "NotAVirtualTape",
    "NotReady",
    "PositionUnknown",
    "RecoveredError",
    "RemovalPrevented",
    "ReservationConflict",
    "SavingNotSupported",
    "ScsiError",
    "SourceEmpty",
    "TapFormatError",
    "TransportLost",
    "UnitAttention",
    "UnknownCommand",
    "WriteOnce",
    "WriteProtected",
]


class ScsiError(Exception):
    """Anything this package refuses or fails at."""

    sense: bytes = b""
    """What the device said of it; empty where no device spoke."""

    def add(self, words: str) -> None:
        """Say more, behind what it says."""
        self.args = (f"{self}; {words}", *self.args[1:])


class FieldError(ScsiError):
    """Bytes that are no such structure, or a value that does not fit its field."""


class CheckCondition(ScsiError):
    """A command that the device did not carry out, for a reason that has no class of its own."""


class NotReady(CheckCondition):
    """The device cannot work now; it may become ready, or need a hand."""


class BecomingReady(NotReady):
    """The device will be ready by itself: it draws a tape in, or looks into its slots."""


class RecoveredError(CheckCondition):
    """The command is done, with trouble on the way."""


class HardwareError(CheckCondition):
    """Something in the device is broken."""


class CommandAborted(CheckCondition):
    """The device gave the command up; it may be sent again."""


class UnitAttention(CheckCondition):
    """Something happened to the device since the last command: a reset, another medium. The command was not begun."""


class IllegalRequest(CheckCondition):
    """The command, or what it asks for, cannot be."""


class UnknownCommand(IllegalRequest):
    """The device, or this package, has no such command."""


class CdbLengthError(IllegalRequest):
    """A CDB that is cut short, or has bytes behind its end."""


class InvalidField(IllegalRequest):
    """A field of the CDB that is wrong: at ``byte``, its highest ``bit`` (7..0); None where nothing is told."""

    def __init__(self, message: str, *, byte: int | None = None, bit: int | None = None) -> None:
        super().__init__(message)
        self.byte = byte
        self.bit = bit


class SavingNotSupported(IllegalRequest):
    """The device keeps no saved values."""


class NoSuchElement(IllegalRequest):
    """The library has no element of this address, or none of the kind that is needed."""


class DestinationFull(IllegalRequest):
    """The element where a cartridge should go has one."""


class SourceEmpty(IllegalRequest):
    """The element that a cartridge should come from has none."""


class RemovalPrevented(IllegalRequest):
    """The cartridge is in use, or its removal was forbidden."""


class ReservationConflict(ScsiError):
    """Another host has reserved the device."""


class Busy(ScsiError):
    """The device takes no command now."""


class CommandTimeout(ScsiError):
    """The device did not finish within the time given; what state it is in is unknown."""


class TransportLost(ScsiError):
    """The way to the device is gone; whether the command was carried out is unknown."""


class DeviceUrlError(ScsiError):
    """A device URL or barcode that cannot be meant."""


class DeviceBusy(ScsiError):
    """Somebody else has the drive or the cartridge."""


class AccessDenied(ScsiError):
    """The operating system does not let this user in."""


class NoMedium(ScsiError):
    """No tape is loaded."""


class PositionUnknown(ScsiError):
    """Nobody knows where the tape stands: rewind it, or go to an object by number."""


class WriteProtected(ScsiError):
    """The tape, or the way it was opened, forbids writing."""


class WriteOnce(WriteProtected):
    """The tape takes nothing but what is appended, and the drive does not stand at the end of data."""


class EncryptionError(ScsiError):
    """A block that is not read or written with the encryption key and mode that the drive has now."""


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


class LibraryExists(ScsiError):
    """A new library would replace something."""


class CorruptLibrary(ScsiError):
    """The file that describes a virtual library is not one, or contradicts itself."""


class TapFormatError(ScsiError):
    """A .tap file that cannot be imported, or a tape that cannot be exported; ``offset`` in bytes of the .tap file."""

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(f"{message} (offset {offset})")
        self.offset = offset
