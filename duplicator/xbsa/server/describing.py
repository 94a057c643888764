"""The descriptor that lies beside an object's data, so that a tape alone tells what it holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

from duplicator.catalog import StoredObject
from duplicator.digests import digest_name

__all__ = ["document_of"]

_LEFT_OUT: Final = ("state", "most_recent", "unit")


def document_of(whole: StoredObject) -> bytes:
    """``object.json`` of an object whose size and digest are known."""
    fields = {name: value for name, value in asdict(whole).items() if name not in _LEFT_OUT}
    texts = {
        "info": whole.info.hex(),
        "digest": whole.digest.hex(),
        "algorithm": digest_name(whole.algorithm),
        "created": whole.created.isoformat(),
    }
    return json.dumps({"format": 1} | fields | texts, indent=1).encode() + b"\n"
