"""`ndmpdup copies`: what lies on tape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duplicator.cli.options import CatalogUrl, Json
from duplicator.cli.terminal import print_json, print_table, say, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duplicator.catalog import Copy

__all__ = ["copies"]

_SHORTEST_ID: Final = 8
_HEADINGS: Final = (
    "copy",
    "state",
    "image",
    "size",
    "fragments",
    "volumes",
    "digest",
    "validated",
    "expires",
    "tape",
)


def copies(*, catalog: CatalogUrl = None, as_json: Json = False) -> None:
    """List the copies on tape.

    The oldest comes first, with its volumes in the order of reading. Only a copy in state "valid" was read back and
    found equal. --json shows which section of which fragment lies where.

    \b
    Examples:
      ndmpdup copies
      ndmpdup copies --json
    """
    from duplicator.cli.batch import open_catalog
    from duplicator.cli.documents import copy_document

    with open_catalog(catalog) as opened:
        found = opened.copies()
    if as_json:
        print_json({"copies": [copy_document(copy) for copy in found]})
    elif found:
        _table(found)
    else:
        say("no copies yet")


def _table(found: Sequence[Copy]) -> None:
    from duplicator.digests import digest_name

    length = _id_length([copy.id for copy in found])
    rows = [
        (
            copy.id[:length],
            copy.state.value,
            copy.image.name,
            size_text(copy.image.size),
            f"{len(copy.fragments)} of {copy.image.fragments}",
            " ".join(copy.volumes) or "-",
            digest_name(copy.algorithm),
            time_text(copy.validated),
            time_text(copy.expires),
            copy.tape_url,
        )
        for copy in found
    ]
    print_table(_HEADINGS, rows, right=("size",))


def _id_length(ids: Sequence[str]) -> int:
    """How much of an id tells it from all others."""
    longest = max(map(len, ids), default=_SHORTEST_ID)
    fitting = (n for n in range(_SHORTEST_ID, longest) if len({text[:n] for text in ids}) == len(ids))
    return next(fitting, longest)
