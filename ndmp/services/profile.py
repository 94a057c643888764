"""Where hosts may differ from the draft because peers expect it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ndmp.enums import AuthType

__all__ = ["NDMJOB", "STRICT", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Switches, each off in the strict profile."""

    name: str
    preset_record_bytes: int = 0
    """Record size of a new session; the draft says 0, which is invalid (3.6.1.1)."""
    zero_window_is_endless: bool = False
    """SET_WINDOW with length 0, or none at all, means no limit; the draft refuses it (3.6.2.2)."""
    all_ones_at_any_offset: bool = False
    """SET_WINDOW of all ones means no limit whatever the offset; the draft wants offset 0 with it (3.6.2.2)."""
    history_without_names: bool = False
    """START_RECOVER_FILEHIST that names nothing means everything; the draft wants one name at least (3.5.2.5)."""
    auth_types: tuple[AuthType, ...] = (AuthType.MD5, AuthType.TEXT)
    """Ways to log in that are offered, the best first."""


STRICT: Final = Profile("strict")
NDMJOB: Final = Profile(
    "ndmjob",
    preset_record_bytes=10240,
    zero_window_is_endless=True,
    all_ones_at_any_offset=True,
    history_without_names=True,
)
