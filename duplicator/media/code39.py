"""Code 39: its characters, and the check character modulo 43 that some labels carry (ISO/IEC 16388, annex A)."""

from __future__ import annotations

from typing import Final

__all__ = ["CHARACTERS", "GUARD", "check_character"]

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
"""The 43 characters in the order of their values; there is no lower case."""
GUARD: Final = "*"
"""Starts and stops a symbol; most scanners keep it to themselves."""


def check_character(text: str) -> str:
    """The check character of ``text``, all of it out of CHARACTERS."""
    return CHARACTERS[sum(map(CHARACTERS.index, text)) % len(CHARACTERS)]
