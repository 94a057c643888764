"""What a unit attention means for who had used the device: the few that are no matter are listed, not the others."""

from __future__ import annotations

from enum import Enum
from typing import Final

from scsi.sense import Sense

__all__ = ["Matter", "matter_of"]


class Matter(Enum):
    """What may be otherwise than before."""

    NOTHING = "nothing that was known"
    SETTINGS = "what hosts had set"
    MEDIUM = "the medium"
    ANYTHING = "anything: settings, and where the tape stands"


_ANY: Final = -1
_MATTERS: Final = {
    (0x00, 0x17): Matter.NOTHING,  # cleaning requested
    (0x0A, _ANY): Matter.NOTHING,  # log full
    (0x0B, _ANY): Matter.NOTHING,  # warnings
    (0x28, _ANY): Matter.MEDIUM,
    (0x2A, 0x00): Matter.SETTINGS,
    (0x2A, 0x01): Matter.SETTINGS,
    (0x2A, 0x02): Matter.NOTHING,  # log parameters
    # What others do once a reservation is gone, nobody tells.
    **{(0x2A, ascq): Matter.ANYTHING for ascq in (0x03, 0x04, 0x05)},
    **{(0x2A, ascq): Matter.NOTHING for ascq in (0x06, 0x07, 0x08, 0x09, 0x0A, 0x10, 0x14, 0x15)},
    # A tape that is in clear from here on, or has another key, is not what was meant.
    **{(0x2A, ascq): Matter.SETTINGS for ascq in (0x0D, 0x11, 0x12, 0x13)},
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
