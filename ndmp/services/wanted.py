"""The list of paths that a recovery is about (draft 3.5.2.4, 3.5.2.5)."""

from __future__ import annotations

from collections.abc import Sequence

from ndmp.backends import WantedPath
from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.messages.data import RecoverName
from ndmp.services.environment import SEPARATOR
from ndmp.types import ALL_ONES_64

__all__ = ["audit_destinations", "wanted_paths"]


def wanted_paths(names: Sequence[RecoverName]) -> list[WantedPath]:
    """The list for a backend; ILLEGAL_ARGS for none."""
    if not names:
        raise ReplyError(Error.ILLEGAL_ARGS, "nothing to recover")
    return [
        WantedPath(
            each.original_path,
            each.destination_path,
            each.name,
            each.other_name,
            node=_known(each.node),
            position=_known(each.fh_info),
        )
        for each in names
    ]


def audit_destinations(wanted: Sequence[WantedPath]) -> None:
    """Refuse a path that says not where to go: ILLEGAL_ARGS. A file history needs no such place."""
    for each in wanted:
        if not each.destination_path:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{each.original_path!r} has no destination")
        if each.other_name and not each.name:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{each.original_path!r} has another name and no name")
        if SEPARATOR in each.name or SEPARATOR in each.other_name:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{each.name!r}, {each.other_name!r}: a name is one component")


def _known(number: int) -> int | None:
    return None if number == ALL_ONES_64 else number
