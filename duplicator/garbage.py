"""How often Python looks for garbage that holds itself."""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["collect_seldom"]

_ALLOCATIONS: Final = 10_000


def collect_seldom() -> None:
    """For programs whose objects are messages: many, short-lived, and none that holds itself.

    Looking as often as Python does by itself takes two fifths of the time in which file history is received.
    """
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])
