"""Values shared by messages and interfaces."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALL_ONES_32", "ALL_ONES_64", "TcpAddress"]

ALL_ONES_32 = 0xFFFFFFFF
"""Unknown, in 32-bit fields."""
ALL_ONES_64 = 0xFFFFFFFFFFFFFFFF
"""Unknown, or without end, in 64-bit fields."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where a data connection is offered."""

    host: str
    port: int
