"""How often Python looks for garbage that holds itself."""

from __future__ import annotations

import atexit
import gc
from typing import Any, Final

__all__ = ["collect_seldom"]

_LOADING: Final = 500_000
"""Allocations within which a program has loaded its code; all of that stays."""
_ALLOCATIONS: Final = 10_000


def collect_seldom() -> None:
    """For programs whose objects are messages: many, short-lived, and none that holds itself.

    Looking as often as Python does by itself takes two fifths of the time in which file history is received. Looking
    at the code that a command loads, while it does and when it ends, takes a third of all of a short command's time.
    """
    gc.set_threshold(_LOADING, *gc.get_threshold()[1:])
    gc.callbacks.append(_has_loaded)
    # So that the end of the process frees what is left without looking at it.
    atexit.register(gc.freeze)


def _has_loaded(phase: str, _: dict[str, Any]) -> None:
    if phase == "stop":
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])
        gc.callbacks.remove(_has_loaded)
