"""An application in a process of its own: backs up pseudo-random objects, and says what it got back.

``backup PATH:SIZE[:unknown]...`` (one transaction), ``restore COPYID...`` or ``delete COPYID...``; prints
``{"objects": [[copy id, size, SHA-256], ...]}``. A line on standard input lets it begin.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from typing import TextIO

from duplicator import xbsa

_PIECE = 1 << 20


def pieces(path: str, size: int) -> Iterator[bytes]:
    """The object's bytes, by its path."""
    source = random.Random(path)
    for at in range(0, size, _PIECE):
        yield source.randbytes(min(_PIECE, size - at))


def back_up(session: xbsa.Session, *objects: str) -> Iterator[tuple[int, int, str]]:
    """All in one transaction."""
    with session.backup() as backup:
        made = []
        for path, size, *unknown in (each.split(":") for each in objects):
            digest = hashlib.sha256()
            with backup.create(path, size=None if unknown else int(size)) as file:
                for piece in pieces(path, int(size)):
                    digest.update(piece)
                    file.write(piece)
            made.append((file.copy_id, int(size), digest.hexdigest()))
    yield from made


def bring_back(session: xbsa.Session, *copy_ids: str) -> Iterator[tuple[int, int, str]]:
    """One after the other."""
    for copy_id in map(int, copy_ids):
        digest, size = hashlib.sha256(), 0
        with session.open(copy_id) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
        yield copy_id, size, digest.hexdigest()


def delete(session: xbsa.Session, *copy_ids: str) -> Iterator[tuple[int, int, str]]:
    """All in one transaction."""
    session.delete(*map(int, copy_ids))
    return iter(())


def say(text: str, to: TextIO) -> None:
    """A line."""
    to.write(f"{text}\n")


def main() -> None:
    """Do it."""
    verb, *words = sys.argv[1:]
    sys.stdin.readline()
    with xbsa.session(app_owner="round trip", told=lambda text: say(text, sys.stderr)) as session:
        done = {"backup": back_up, "restore": bring_back, "delete": delete}[verb](session, *words)
        say(json.dumps({"objects": list(done)}), sys.stdout)


if __name__ == "__main__":
    main()
