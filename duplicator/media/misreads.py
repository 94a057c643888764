"""What can be wrong with what a scanner sends, each with a word for programs."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AffixMissingError",
    "CheckCharacterError",
    "CutOffError",
    "LabelCharacterError",
    "LabelLengthError",
    "LineTooLongError",
    "MisreadError",
    "NotAsciiError",
    "OtherSymbologyError",
    "UnknownMediaError",
]


class MisreadError(ValueError):
    """No label of an LTO cartridge was read; the text says why, and what to look at."""

    kind: ClassVar[str] = "misread"


class LabelLengthError(MisreadError):
    """Too few or too many characters for a label."""

    kind = "length"


class LabelCharacterError(MisreadError):
    """A character that no label has, or not there."""

    kind = "character"


class CheckCharacterError(MisreadError):
    """The check character is wrong, or missing where it is required."""

    kind = "check-character"


class UnknownMediaError(MisreadError):
    """The last two characters are no media identifier."""

    kind = "unknown-media"


class OtherSymbologyError(MisreadError):
    """The scanner says that it read another kind of bar code, or none that it knows."""

    kind = "symbology"


class NotAsciiError(MisreadError):
    """Bytes that are no ASCII: noise, or a wrong speed of the line."""

    kind = "not-ascii"


class AffixMissingError(MisreadError):
    """The prefix or suffix that the scanner was said to send is missing."""

    kind = "affix"


class LineTooLongError(MisreadError):
    """No end of line within the limit."""

    kind = "too-long"


class CutOffError(MisreadError):
    """The line began, and its end did not come in time."""

    kind = "cut-off"
