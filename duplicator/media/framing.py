"""What scanners put around a symbol: text of their own, and which kind of bar code it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from duplicator.media.barcodes import Barcode, parse_barcode
from duplicator.media.misreads import AffixMissingError, NotAsciiError, OtherSymbologyError

__all__ = ["Framing"]

_AIM: Final = re.compile(r"\](?P<code>[A-Za-z])(?P<modifier>[0-9A-Z])")
"""Symbology identifier of ISO/IEC 15424 in front of the symbol."""
_CODE_39: Final = "A"
_CHECKED: Final = frozenset("15")
"""Modifiers of Code 39: the check character was right, and comes along."""
_STRIPPED: Final = frozenset("37")
"""It was right, and the scanner kept it."""
_OTHERS: Final[Mapping[str, str]] = {
    "C": "Code 128",
    "E": "UPC/EAN, as on the box",
    "F": "Codabar",
    "G": "Code 93",
    "I": "Interleaved 2 of 5",
    "L": "PDF417",
    "Q": "QR",
    "d": "Data Matrix",
}


@dataclass(frozen=True, slots=True)
class Framing:
    """``prefix`` and ``suffix``: what the scanner is set to add; ``checked``: the labels carry a check character."""

    prefix: str = ""
    suffix: str = ""
    checked: bool = False

    def read(self, line: bytes) -> Barcode:
        """The label in a line without its end; a MisreadError says what is wrong."""
        text = self._without_affixes(_ascii(line))
        found = _AIM.match(text)
        if found is None:
            return parse_barcode(text, checked=self.checked or None)
        _check_symbology(found)
        return parse_barcode(text[found.end() :], checked=self._is_checked(found["modifier"]))

    def _without_affixes(self, text: str) -> str:
        for what, is_there in (
            (f"prefix {self.prefix!r}", text.startswith(self.prefix)),
            (f"suffix {self.suffix!r}", text.endswith(self.suffix)),
        ):
            if not is_there:
                raise AffixMissingError(f"{text!r} lacks the {what} of the scanner")
        return text.removeprefix(self.prefix).removesuffix(self.suffix)

    def _is_checked(self, modifier: str) -> bool | None:
        if modifier in _STRIPPED:
            return False
        return modifier in _CHECKED or self.checked or None


def _ascii(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError as error:
        shown = line.decode("ascii", "backslashreplace")
        raise NotAsciiError(
            f"byte {error.start + 1} of {shown!r} is no ASCII: look at the cable, and at the scanner's speed and parity"
        ) from None


def _check_symbology(found: re.Match[str]) -> None:
    if found["code"] != _CODE_39:
        kind = _OTHERS.get(found["code"], "another kind of bar code")
        raise OtherSymbologyError(f"{found.string!r} is {kind}, and labels are Code 39: aim at the label on the spine")
