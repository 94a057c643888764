"""What a unit attention means for who had used the device: the few that are no matter are listed, not the others."""

from __future__ import annotations

from enum import Enum
from typing import Final

from scsi.sense import Sense

__all__ = ["Matter", "matter_of"]


class Matter(Enum):
    """What may be otherwise than before."""

    NOTHING = "nothing that was known"
    MEDIUM = "the medium"
    ANYTHING = "anything: what hosts had set, and where the tape stands, by a reset or by another host at work"


_ANY: Final = -1
_MATTERS: Final = {
    (0x00, 0x17): Matter.NOTHING,  # cleaning requested
    (0x0A, _ANY): Matter.NOTHING,  # log full
    (0x0B, _ANY): Matter.NOTHING,  # warnings
    (0x28, _ANY): Matter.MEDIUM,
    # Not mode parameters, reservations and encryption: who changes those may also move the tape.
    **{(0x2A, ascq): Matter.NOTHING for ascq in (0x02, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x10, 0x14, 0x15)},
    **{(0x3F, ascq): Matter.NOTHING for ascq in (0x03, 0x04, 0x05, 0x0E, 0x0F)},
    # The medium is loadable, so it is not loaded.
    (0x3F, 0x10): Matter.MEDIUM,
    (0x3F, 0x11): Matter.MEDIUM,
    (0x5A, 0x00): Matter.NOTHING,  # a key was pressed
    (0x5A, 0x01): Matter.NOTHING,  # an operator asks for the medium, and waits
    (0x5A, 0x02): Matter.MEDIUM,  # its protection
    (0x5A, 0x03): Matter.MEDIUM,
    (0x5B, _ANY): Matter.NOTHING,
    (0x5D, _ANY): Matter.NOTHING,  # failure predictions
    (0x5E, _ANY): Matter.NOTHING,
}


def matter_of(attention: Sense) -> Matter:
    """What it leaves in doubt."""
    exactly = _MATTERS.get((attention.asc, attention.ascq))
    return exactly or _MATTERS.get((attention.asc, _ANY), Matter.ANYTHING)
