"""A host that does not do what is expected of it."""

from __future__ import annotations

from duplicator.conformance.transcript import Entry

__all__ = ["Deviation", "Hang", "HungUp", "Unavailable"]


class Deviation(Exception):  # noqa: N818  (the host's, not the program's)
    """What was expected and what came, in words and as the messages they are of."""

    def __init__(self, expected: str, came: str, *, sent: Entry | None = None, answer: Entry | None = None) -> None:
        self.expected = expected
        self.came = came
        self.sent = sent
        self.answer = answer
        super().__init__(f"expected {expected}, came {came}")


class Hang(Deviation):
    """Nothing came until the deadline."""


class HungUp(Deviation):
    """The host ended the connection."""


class Unavailable(Exception):  # noqa: N818  (nobody's fault)
    """It turned out that the host does not offer what the check needs."""
