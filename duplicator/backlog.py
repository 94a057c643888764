"""What was told to the application and not taken yet: a limited number, so that it cannot pile up."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ndmp.backends import OperationEnded

__all__ = ["Backlog"]


class Backlog:
    """Counts for one thread that tells; others take."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._turn = threading.Condition()
        self._untaken = 0
        self.is_over = False
        """Whether :meth:`stop` was called."""

    def enter(self) -> Callable[[], None]:
        """Wait until one more may be told; what to call, once, when it is taken. OperationEnded after the stop."""
        with self._turn:  # without a deadline: a session that ends, or is lost, stops its operation
            self._turn.wait_for(lambda: self.is_over or self._untaken < self._limit)
            if self.is_over:
                raise OperationEnded("the operation was stopped")
            self._untaken += 1
        return self._leave_once()

    def _leave_once(self) -> Callable[[], None]:
        untaken = [1]

        def taken() -> None:
            with self._turn:
                if untaken:
                    self._untaken -= untaken.pop()
                    self._turn.notify()

        return taken

    def stop(self) -> None:
        """End the wait, now and later. From any thread."""
        with self._turn:
            self.is_over = True
            self._turn.notify()
