"""One job in a process of its own, in a namespace say: ``python -m tests.duplicator.sources.job WORDS``, as JSON.

It writes status, step, reason, copy and what was told, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from duplicator.catalog import Catalog
from duplicator.credentials import read_password_file
from duplicator.engine import duplicate
from duplicator.plan import CopyRequest, Place, Validation
from duplicator.sources import Source, TapeSource
from duplicator.urls import NdmpUrl
from tests.duplicator.robots import DEADLINES, Told

__all__ = ["main"]


def place(words: dict[str, str], name: str) -> Place:
    """The place ``name`` and the password in ``name_password``, a file."""
    return Place(NdmpUrl.parse(words[name]), read_password_file(Path(words[f"{name}_password"])))


def source(words: dict[str, str], catalog: Catalog) -> Source:
    """What the words name."""
    return TapeSource(catalog.copy(words["copy"]), place(words, "source"), DEADLINES)


def main(words: dict[str, Any]) -> dict[str, Any]:
    """Run it."""
    request = CopyRequest(
        words.get("image", "copy"),
        place(words, "source"),
        place(words, "target"),
        deadlines=DEADLINES,
        validation=Validation(words.get("validation", "digest")),
    )
    told = Told()
    with Catalog(words["catalog"]) as catalog:
        result = asyncio.run(duplicate(request, catalog, told, source=source(words, catalog)))
    return {
        "status": int(result.status),
        "step": result.step,
        "reason": result.reason,
        "copy": result.copy_id,
        "validated": result.validated,
        "told": [f"{step}: {text}" for step, text in told.steps],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
