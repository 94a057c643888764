"""An application that may be killed, ``python -m tests.duplicator.xbsa.struck_application SERVICE VERB ...``.

Verbs: ``restore ID``; ``backup PATH:SIZE...``, which commits; ``abort PATH:SIZE``; ``find``; ``delete ID...``. It tells
one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from duplicator.xbsa.client import Service
from duplicator.xbsa.codes import CallError
from duplicator.xbsa.settings import Settings
from duplicator.xbsa.wire import FindObjects
from tests.duplicator.xbsa.daemon_site import content_of, described

_PIECE = 200_000


def _restore(service: Service, words: Sequence[str]) -> dict[str, Any]:
    stream = service.start_restore(int(words[0]))
    try:
        digest, size, ended = hashlib.sha256(), 0, False
        buffer = memoryview(bytearray(_PIECE))
        while not ended:
            count, ended = stream.fill(buffer)
            digest.update(buffer[:count])
            size += count
        stream.end()
    finally:
        stream.close()
    return {"size": size, "sha256": digest.hexdigest()}


def _backup(service: Service, words: Sequence[str], *, commits: bool = True) -> dict[str, Any]:
    stream = service.start_backup("client1", "")
    try:
        for word in words:
            path, _, size = word.partition(":")
            stream.begin(described(path, int(size) or 1))
            content = memoryview(content_of(path, int(size)))
            for at in range(0, len(content), _PIECE):
                stream.send(content[at : at + _PIECE])
            stream.finish()
        if commits:
            stream.commit()
        else:
            stream.abort()
    finally:
        stream.close()
    return {"committed": commits}


def _find(service: Service) -> dict[str, Any]:
    return {"paths": [each.descriptor.path for each in service.find(FindObjects()).objects]}


def do(service: Service, verb: str, words: Sequence[str]) -> dict[str, Any]:
    match verb:
        case "restore":
            return _restore(service, words)
        case "backup":
            return _backup(service, words)
        case "abort":
            return _backup(service, words, commits=False)
        case "find":
            return _find(service)
        case "delete":
            service.delete(tuple(map(int, words)))
            return {"deleted": True}
    raise ValueError(verb)


def main() -> None:
    """Do what the arguments say."""
    service = Service(Settings(Path(sys.argv[1]), deadline=15, start=15), _hush)
    try:
        outcome = {"ok": True} | do(service, sys.argv[2], sys.argv[3:])
    except CallError as error:
        outcome = {"ok": False, "code": int(error.code), "text": str(error)}
    sys.stdout.write(json.dumps(outcome) + "\n")


def _hush(text: str) -> None:
    del text


if __name__ == "__main__":
    main()
