"""Waiting for a peer to be connected, in a way that another thread can end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ndmp.backends import DataEnd
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["PeerWait"]


class PeerWait:
    """Knows the path that a request is connecting right now, if any."""

    def __init__(self) -> None:
        self._end: DataEnd | None = None
        self._is_over = False

    @contextmanager
    def of(self, end: DataEnd) -> Iterator[None]:
        """Connect ``end`` in here; CONNECT if nobody waits for it any more."""
        self._end = end  # before the look at the flag, as interrupt() does it the other way round
        try:
            if self._is_over:
                raise ReplyError(Error.CONNECT, "the application is gone")
            yield
        finally:
            self._end = None

    def interrupt(self) -> None:
        """End this wait and all that follow. From any thread; a path that only connects is stopped without a wait."""
        self._is_over = True
        end = self._end
        if end is not None:
            end.stop()
