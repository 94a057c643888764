"""What SPC, SSC and SMC mean by a sense, written by hand: which exception, and what is then known of the position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from scsi import errors
from scsi.errors import ScsiError

__all__ = ["BY_KEY", "CONDITIONS", "EXACTLY", "After", "Condition", "conditions", "descriptors", "fixed"]


class After(Enum):
    """How a command stands that ended in a sense."""

    DONE = "carried out: no exception"
    AGAIN = "not begun, and sent again: no exception"
    NOT_BEGUN = "not begun: the position is known"
    OPEN = "nobody knows how far it came: the position is asked for, or unknown"
    GONE = "not begun, and nobody knows where the tape stands, or which tape it is"


@dataclass(frozen=True)
class Condition:
    """A sense key with a code and its qualifier, and what they have to become."""

    key: int
    asc: int
    ascq: int
    kind: type[ScsiError] | None
    after: After

    @property
    def numbers(self) -> str:
        """As messages show it."""
        return f"{self.key:02x}/{self.asc:02x}/{self.ascq:02x}"


DONE, AGAIN, KEPT, OPEN, GONE = After

CONDITIONS: Final[Sequence[tuple[int, type[ScsiError] | None, After, str]]] = (
    (0x0, None, DONE, "0001 0002 0003 0004 0005 0006 0007 0016 0017 0018 0019 001a 001b 001c"),
    (0x0, None, DONE, "5d00 5dff 0b00"),
    (0x1, None, DONE, "0000 0017 0a00 0b00 0b01 0b02 0b03 0c00 0c0b 1100 1112 1700 1701 1702"),
    (0x1, None, DONE, "1703 1800 1802 3700 5b00 5b01 5b02 5b03 5d00 5dff 5e00 3e03 3e04 4700"),
    (0x1, None, DONE, "4701 1500 1502"),
    (0x2, errors.BecomingReady, GONE, "0401 0407 0408 0409 040a 0413 041a 041d"),
    (0x2, errors.NotReady, GONE, "0400 0402 0403 0404 040b 040c 040e 0410 0411 0412 0415 0416 0417 0418"),
    (0x2, errors.NotReady, GONE, "0419 041b 041e 041f 0420 0421 0422 0500 0600 0800 0801 0802 3000 3001"),
    (0x2, errors.NotReady, GONE, "3002 3003 3007 300a 300b 3011 3012 3013 3b11 3b12 3b18 3b1a 3e00 3e01"),
    (0x2, errors.NotReady, GONE, "3e02 4c00 5200 5300 5304 5509 550a"),
    (0x2, errors.NoMedium, GONE, "3a00 3a01 3a02 3a03 3a04"),
    (0x3, errors.MediumError, OPEN, "0000 0002 0300 0301 0302 0900 0904 0c00 0c0b 1000 1100 1101 1102 1103"),
    (0x3, errors.MediumError, OPEN, "1108 1109 110a 1112 1400 1401 1402 1403 1404 1405 1407 1500 1501 1502"),
    (0x3, errors.MediumError, OPEN, "2d00 3000 3001 3002 3004 3005 3006 3007 300d 3010 3100 3101 3300 3b00"),
    (0x3, errors.MediumError, OPEN, "3b01 3b02 3b08 3b0c 3b0f 3b17 5000 5001 5002 5100 5101 5200 5300 5301"),
    (0x3, errors.MediumError, OPEN, "5304 5506 7100"),
    (0x3, errors.EncryptionError, OPEN, "7400 7401 7404 7405"),
    (0x4, errors.HardwareError, OPEN, "0000 0300 0301 0302 0500 0600 0800 0801 0802 0804 0900 0901 0904 0c0b"),
    (0x4, errors.HardwareError, OPEN, "1000 1001 1002 1003 1004 1005 1112 1113 1407 1500 1501 1502 1b00 3300"),
    (0x4, errors.HardwareError, OPEN, "3500 3b00 3b08 3b16 3e00 3e01 3e02 3e03 3e04 4000 4100 4200 4400 4600"),
    (0x4, errors.HardwareError, OPEN, "4700 4701 4c00 5000 5100 5200 5300 5301 5304 5308 5309 530a 530b 530c"),
    (0x4, errors.HardwareError, OPEN, "530d 5400 5501 6500 7100 7400"),
    (0x5, errors.UnknownCommand, KEPT, "2000"),
    (0x5, errors.NoSuchElement, KEPT, "2101"),
    (0x5, errors.InvalidField, KEPT, "2400"),
    (0x5, errors.SavingNotSupported, KEPT, "3900"),
    (0x5, errors.RemovalPrevented, KEPT, "5302 5303"),
    (0x5, errors.IllegalRequest, KEPT, "0000 0e00 0e01 0e02 1a00 2001 2002 2009 200c 2100 2200 2401 2500 2600"),
    (0x5, errors.IllegalRequest, KEPT, "2601 2602 2603 2604 2605 2610 2611 2612 2b00 2c00 2c07 2c08 2c09 2c0b"),
    (0x5, errors.IllegalRequest, KEPT, "2e00 3000 3005 3006 3a00 3d00 4900 4a00 5301 5305 5306 5307 5308 5502"),
    (0x5, errors.IllegalRequest, KEPT, "5503 5504 5508"),
    (0x5, errors.DestinationFull, OPEN, "3b0d"),
    (0x5, errors.SourceEmpty, OPEN, "3b0e"),
    (0x5, errors.IllegalRequest, OPEN, "3b00 3b0c 3b0f 3b11 3b12 3b14 3b18 3b1a 3b1c 5000 5001"),
    (0x5, errors.EncryptionError, OPEN, "7402 7403 7406 7407 7408 7409 740a 740b 740c 740d 7421 7440 7461 7471"),
    (0x6, None, AGAIN, "0017 0a00 0b00 0b01 0b02 0b03 2a02 2a06 2a07 2a08 2a09 2a0a 2a10 2a14"),
    (0x6, None, AGAIN, "2a15 3f03 3f04 3f05 3f0e 3f0f 5a00 5a01 5b00 5b01 5b02 5b03 5d00 5dff"),
    (0x6, None, AGAIN, "5e00"),
    (0x6, errors.UnitAttention, GONE, "2a00 2a01 2a0d 2a11 2a12 2a13"),
    (0x6, errors.UnitAttention, GONE, "0000 2800 2801 2802 2803 2900 2901 2902 2903 2904 2905 2906 2907 2a03"),
    (0x6, errors.UnitAttention, GONE, "2a04 2a05 2f00 2f01 2f02 3000 3b12 3b13 3b14 3b15 3b18 3b19 3b1a 3b1b"),
    (0x6, errors.UnitAttention, GONE, "3f00 3f01 3f02 3f10 3f11 5a02 5a03"),
    (0x7, errors.WriteProtected, KEPT, "0000 2700 2701 2702 2703 2704 2705 2706 2707 3004 3005 300d 5a02 2002"),
    (0x7, errors.WriteProtected, KEPT, "200c 5506"),
    (0x7, errors.WriteOnce, KEPT, "300c"),
    (0x7, errors.EncryptionError, OPEN, "2605 2610 2611 2612 2a11 2a12 2a13 7400 7401 7402 7403 7404 7405 7406"),
    (0x7, errors.EncryptionError, OPEN, "7407 7408 7409 740a 740b 740c 740d 7421 7440 7461 7462 7463 7464 746e"),
    (0x7, errors.EncryptionError, OPEN, "746f 7471"),
    (0x8, errors.BlankCheck, OPEN, "0000 0005"),
    (0x8, errors.MediumError, OPEN, "1400 1401 1402 1403"),
    (0x9, errors.CheckCondition, OPEN, "0000 8000 8282"),
    (0xA, errors.CheckCondition, OPEN, "0804 0d00 0d01"),
    (0xB, errors.CommandAborted, OPEN, "0000 0006 0800 0801 0802 0c0d 1001 1113 1b00 2c00 2e00 2f00 2f01 2f02"),
    (0xB, errors.CommandAborted, OPEN, "4300 4400 4500 4600 4700 4701 4703 4800 4900 4a00 4b00 4e00 5501 550a"),
    (0xB, errors.EncryptionError, OPEN, "7404 746e 746f"),
    (0xC, errors.CheckCondition, OPEN, "0000"),
    (0xD, errors.EndOfMedium, KEPT, "0000 0002 3b02"),
    (0xE, errors.CheckCondition, OPEN, "0000"),
    (0xF, errors.CheckCondition, OPEN, "0000"),
)
"""Key, exception (None: none), what is known then, and codes with qualifiers that devices give with that key."""

BY_KEY: Final[Sequence[type[ScsiError]]] = (
    errors.CheckCondition,
    errors.RecoveredError,
    errors.NotReady,
    errors.MediumError,
    errors.HardwareError,
    errors.IllegalRequest,
    errors.UnitAttention,
    errors.WriteProtected,
    errors.BlankCheck,
    errors.CheckCondition,
    errors.CheckCondition,
    errors.CommandAborted,
    errors.CheckCondition,
    errors.EndOfMedium,
    errors.CheckCondition,
    errors.CheckCondition,
)
"""What a sense is whose code says nothing else."""

_ALL_QUALIFIERS: Final = {
    (0x2, 0x3A): errors.NoMedium,
    (0x3, 0x74): errors.EncryptionError,
    (0x5, 0x74): errors.EncryptionError,
    (0x7, 0x74): errors.EncryptionError,
    (0x7, 0x26): errors.EncryptionError,
    (0x7, 0x2A): errors.EncryptionError,
    (0xB, 0x74): errors.EncryptionError,
    (0x8, 0x14): errors.MediumError,
}
EXACTLY: Final[Mapping[tuple[int, int, int], type[ScsiError]]] = {
    **{(key, asc, ascq): kind for (key, asc), kind in _ALL_QUALIFIERS.items() for ascq in range(256)},
    **{(0x2, 0x04, ascq): errors.BecomingReady for ascq in (0x01, 0x07, 0x08, 0x09, 0x0A, 0x13, 0x1A, 0x1D)},
    (0x5, 0x20, 0x00): errors.UnknownCommand,
    (0x5, 0x21, 0x01): errors.NoSuchElement,
    (0x5, 0x24, 0x00): errors.InvalidField,
    (0x5, 0x39, 0x00): errors.SavingNotSupported,
    (0x5, 0x3B, 0x0D): errors.DestinationFull,
    (0x5, 0x3B, 0x0E): errors.SourceEmpty,
    (0x5, 0x53, 0x02): errors.RemovalPrevented,
    (0x5, 0x53, 0x03): errors.RemovalPrevented,
    (0x7, 0x30, 0x0C): errors.WriteOnce,
}
"""Key, code, qualifier: what has an exception other than that of its key."""


def conditions() -> Iterator[Condition]:
    """Every line of the table, code by code."""
    for key, kind, after, codes in CONDITIONS:
        for code in codes.split():
            yield Condition(key, int(code[:2], 16), int(code[2:], 16), kind, after)


def fixed(key: int, asc: int, ascq: int, *, deferred: bool = False) -> bytes:
    """18 bytes in the fixed format, without information (SPC-4 4.5.3)."""
    return bytes((0x71 if deferred else 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0))


def descriptors(key: int, asc: int, ascq: int, *, deferred: bool = False) -> bytes:
    """In the descriptor format, with one descriptor that says nothing: of the unit (SPC-4 4.5.2)."""
    return bytes((0x73 if deferred else 0x72, key, asc, ascq, 0, 0, 0, 4, 3, 2, 0, 0))
