"""The progress file of a stream: what its manager writes and the application's library reads, a JSON object a line."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from duplicator.xbsa.wire import Progress, pack

__all__ = ["Event", "ProgressFile"]

Event: TypeAlias = Literal["started", "sockets", "attributes", "wait", "go", "status", "server-status"]


class ProgressFile:
    """A new file of mode 0600; each line is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)

    def tell(self, event: Event, text: str, **fields: str | int) -> None:
        """Add a line."""
        os.write(self._file, pack(Progress(datetime.now(UTC), event, text, fields)))

    def close(self) -> None:
        """Let go of it; a second time does nothing."""
        opened, self._file = self._file, -1
        if opened >= 0:
            os.close(opened)
