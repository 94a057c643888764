"""Ways in which a command ends that are nobody's bug."""

from __future__ import annotations

__all__ = ["Interrupted", "UsageProblem"]


class UsageProblem(Exception):  # noqa: N818  (the user's, not the program's)
    """What was asked for cannot be meant; the text says what to write instead."""


class Interrupted(Exception):  # noqa: N818  (somebody wanted it)
    """A signal ended the command."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(f"ended by signal {number}")
