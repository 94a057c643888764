"""The end of a socket that asyncio holds."""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["close_writer"]

_PATIENCE: Final = 1.0
"""Seconds for what is still to be sent."""


async def close_writer(writer: asyncio.StreamWriter) -> None:
    """Close it in order, or by a reset if the other end takes nothing. Once: a second call does nothing."""
    if writer.is_closing():
        return
    writer.close()
    try:
        async with asyncio.timeout(_PATIENCE):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        return
