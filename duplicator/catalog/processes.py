"""Tells whether a process still runs, even if its number went to another one."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["identity"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def identity(pid: int) -> str | None:
    """A text that no other process of this host has or had; None when there is no such process (or only its corpse).

    Without /proc it is the number alone.
    """
    if not _BOOT.exists():
        return f"pid {pid}" if _answers(pid) else None
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = after_name[0], after_name[19]
    return None if state in "ZX" else f"{_BOOT.read_text().strip()} {pid} {started}"


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
