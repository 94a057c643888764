"""Labels of LTO cartridges: six characters that name the volume, two that name the medium (docs/media.md)."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from duplicator.media.code39 import CHARACTERS, GUARD, check_character
from duplicator.media.misreads import CheckCharacterError, LabelCharacterError, LabelLengthError, UnknownMediaError

__all__ = ["LABEL_CHARACTERS", "MEDIA", "VOLUME_CHARACTERS", "Barcode", "MediaType", "parse_barcode"]

VOLUME_CHARACTERS: Final = 6
"""Characters of the volume's name; they are its VOL1 identifier too."""
LABEL_CHARACTERS: Final = VOLUME_CHARACTERS + 2
_ALLOWED: Final = frozenset(string.ascii_uppercase + string.digits)
_CLEANING_PREFIX: Final = "CLN"
_GB: Final = 10**9


@dataclass(frozen=True, slots=True)
class MediaType:
    """A medium by its identifier; ``capacity`` in bytes, without compression, 0 for a cleaning tape."""

    id: str
    name: str
    capacity: int
    worm: bool = False

    @property
    def cleaning(self) -> bool:
        """Whether no data goes on it."""
        return not self.capacity


_CAPACITIES: Final = (
    # Generation, data, write once, capacity in GB.
    (1, "L1", "", 100),
    (2, "L2", "", 200),
    (3, "L3", "LT", 400),
    (4, "L4", "LU", 800),
    (5, "L5", "LV", 1_500),
    (6, "L6", "LW", 2_500),
    (7, "L7", "LX", 6_000),
    (8, "L8", "LY", 12_000),
    (9, "L9", "LZ", 18_000),
    (10, "LA", "", 30_000),
)


def _media() -> dict[str, MediaType]:
    found = [MediaType("M8", "LTO-7 type M", 9_000 * _GB), MediaType("PA", "LTO-10 premium", 40_000 * _GB)]
    for generation, rewritable, once, capacity in _CAPACITIES:
        found.append(MediaType(rewritable, f"LTO-{generation}", capacity * _GB))
        if once:
            found.append(MediaType(once, f"LTO-{generation} WORM", capacity * _GB, worm=True))
    found.append(MediaType("CU", "cleaning tape", 0))
    return {media.id: media for media in found}


MEDIA: Final[Mapping[str, MediaType]] = _media()
"""Every medium by its identifier."""


@dataclass(frozen=True, slots=True)
class Barcode:
    """What a label says."""

    volume: str
    media: MediaType

    @property
    def text(self) -> str:
        """The eight characters under the bars."""
        return self.volume + self.media.id

    @property
    def cleaning(self) -> bool:
        """Whether it is a cleaning tape: by the medium, or by a name that makers keep for those (CLN001L1)."""
        return self.media.cleaning or self.volume.startswith(_CLEANING_PREFIX)


def parse_barcode(text: str, *, checked: bool | None = None) -> Barcode:
    """Read a label; a MisreadError says what is wrong with it.

    ``checked``: whether a check character follows; None where the length tells.
    """
    symbol = _without_guards(text)
    _check_symbol(symbol)
    label = _without_check(symbol, checked)
    for place, character in enumerate(label, start=1):
        if character not in _ALLOWED:
            raise LabelCharacterError(f"character {place} of {text!r} is {character!r}: labels have A-Z and 0-9")
    media = MEDIA.get(label[VOLUME_CHARACTERS:])
    if media is None:
        known = " ".join(sorted(MEDIA))
        raise UnknownMediaError(
            f"{text!r} names medium {label[VOLUME_CHARACTERS:]!r}, which is not known; known are {known}"
        )
    return Barcode(label[:VOLUME_CHARACTERS], media)


def _without_guards(text: str) -> str:
    if not text.startswith(GUARD) and not text.endswith(GUARD):
        return text
    if len(text) < 2 or not (text.startswith(GUARD) and text.endswith(GUARD)):
        raise LabelCharacterError(f"{text!r} has a start or stop {GUARD!r} at one end only: part of it was read")
    return text[1:-1]


def _check_symbol(symbol: str) -> None:
    """Lower case is not raised: Code 39 has none, so something between bars and us changed what was read."""
    if symbol != symbol.upper():
        raise LabelCharacterError(
            f"{symbol!r} has lower case, which no label has: "
            "the scanner converts (switch off full ASCII and the change of case), or it was typed so"
        )
    for place, character in enumerate(symbol, start=1):
        if character not in CHARACTERS:
            raise LabelCharacterError(f"character {place} of {symbol!r} is {character!r}, which Code 39 does not have")


def _without_check(symbol: str, checked: bool | None) -> str:
    if checked is None:
        checked = len(symbol) == LABEL_CHARACTERS + 1
    wanted = LABEL_CHARACTERS + checked
    if len(symbol) == LABEL_CHARACTERS and checked:
        raise CheckCharacterError(f"{symbol!r} has no check character behind its {LABEL_CHARACTERS} characters")
    if len(symbol) != wanted:
        more = " and a check character" if checked else ""
        raise LabelLengthError(
            f"{symbol!r} has {len(symbol)} characters; a label has {VOLUME_CHARACTERS} for the volume and 2 for the "
            f"medium{more}"
        )
    if not checked:
        return symbol
    label, found = symbol[:-1], symbol[-1]
    right = check_character(label)
    if found != right:
        raise CheckCharacterError(f"the check character of {symbol!r} is {found!r}, and should be {right!r}")
    return label
