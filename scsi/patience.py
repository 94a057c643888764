"""Waiting for a device that is becoming ready: a drive that draws its tape in, a library that looks into its slots."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from scsi.errors import BecomingReady

__all__ = ["PATIENCE", "Patience"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Up to ``seconds`` in all, asking every ``interval`` seconds: SCSI tells nobody when a device has become ready."""

    seconds: float = 300.0
    interval: float = 1.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until_ready(self, ask: Callable[[], T]) -> T:
        """What ``ask`` gives once it no longer raises BecomingReady; after all the time, that."""
        deadline = self.clock() + self.seconds
        while True:
            try:
                return ask()
            except BecomingReady as still:
                left = deadline - self.clock()
                if left <= 0:
                    still.add(f"still so after {self.seconds:g} seconds")
                    raise
            self.sleep(min(self.interval, left))


PATIENCE: Final = Patience()
"""Enough for a drive to thread a tape."""
