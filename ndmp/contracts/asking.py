"""What the contracts have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["may_refuse", "refused"]


@contextmanager
def refused(*errors: Error) -> Iterator[None]:
    """The block must be refused by a ReplyError with one of these errors; without any, with whichever."""
    with may_refuse(*errors):
        yield
        raise AssertionError("not refused")


@contextmanager
def may_refuse(*errors: Error) -> Iterator[None]:
    """The block may be refused, but with no other error than these; without any, with whichever."""
    try:
        yield
    except ReplyError as refusal:
        _audit(refusal, errors)


def _audit(refusal: ReplyError, errors: Sequence[Error]) -> None:
    expected = " or ".join(error.name for error in errors)
    assert not errors or refusal.error in errors, f"refused as {refusal.error.name}, not as {expected}"
