"""What is mounted where, from the kernel's table."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Mount", "mount_of"]

_TABLE: Final = Path("/proc/self/mountinfo")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: its type and device, empty if unknown."""

    point: str
    fs_type: str = ""
    device: str = ""


def mount_of(path: str) -> Mount:
    """The mount that ``path`` lies on."""
    real = Path(os.path.realpath(path))
    try:
        table = os.fsdecode(_TABLE.read_bytes())
    except OSError:
        table = ""
    # Mount points may hold everything else at which splitlines() ends a line.
    found = [mount for mount in map(_parse, filter(None, table.split("\n"))) if real.is_relative_to(mount.point)]
    # Of two at one point the later one covers the other.
    return max(reversed(found), key=lambda mount: len(Path(mount.point).parts), default=Mount("/"))


def _parse(line: str) -> Mount:
    """``ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE OPTIONS``, as proc(5) has it."""
    head, _, tail = line.partition(" - ")
    fs_type, device = tail.split(" ")[:2]
    return Mount(_unescape(head.split(" ")[4]), fs_type, _unescape(device))


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
