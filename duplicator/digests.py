"""Running digests of what a transfer carries (docs/fse.md section 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import xxhash
from blake3 import blake3

from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError

__all__ = ["ALGORITHMS", "Bytes", "RunningDigest", "algorithm_by_name", "digest_name", "new_digest"]

Bytes = bytes | bytearray | memoryview

ALGORITHMS: Final = (DigestAlgorithm.XXH3_128, DigestAlgorithm.BLAKE3, DigestAlgorithm.SHA256)
"""What can be computed here, the fastest first."""

_NAMES: Final[Mapping[str, DigestAlgorithm]] = {
    "xxh3-128": DigestAlgorithm.XXH3_128,
    "blake3": DigestAlgorithm.BLAKE3,
    "sha256": DigestAlgorithm.SHA256,
    "none": DigestAlgorithm.NONE,
}


class _Hash(Protocol):
    def update(self, piece: Bytes, /) -> object: ...
    def digest(self) -> bytes: ...
    def copy(self) -> _Hash: ...


def _no_hash() -> None:
    return None


_MAKERS: Final[Mapping[DigestAlgorithm, Callable[[], _Hash | None]]] = {
    DigestAlgorithm.NONE: _no_hash,
    DigestAlgorithm.SHA256: hashlib.sha256,
    DigestAlgorithm.XXH3_128: xxhash.xxh3_128,
    DigestAlgorithm.BLAKE3: blake3,
}


class RunningDigest:
    """Counts and digests bytes. One thread updates it; any thread may ask, and never waits for an update."""

    def __init__(self, running: _Hash | None) -> None:
        self._running = running
        self._publish(0)

    def _publish(self, byte_count: int) -> None:
        # A frozen copy, stored together with its count in one assignment: askers need no lock and see one moment.
        self._so_far = (byte_count, self._running.copy() if self._running else None)

    def update(self, piece: Bytes) -> None:
        """Take the next bytes."""
        if self._running:
            self._running.update(piece)
        self._publish(self._so_far[0] + memoryview(piece).nbytes)

    def forget(self) -> None:
        """Go on counting without a digest: what follows does not continue what came before."""
        self._running = None
        self._publish(self._so_far[0])

    def so_far(self) -> tuple[int, bytes]:
        """Bytes taken, and their digest: of the same moment."""
        byte_count, frozen = self._so_far
        return byte_count, frozen.digest() if frozen else b""

    def digest(self) -> bytes:
        """Digest of the bytes taken so far; empty without an algorithm or after :meth:`forget`."""
        return self.so_far()[1]


def new_digest(algorithm: DigestAlgorithm) -> RunningDigest:
    """A digest of no bytes yet; ReplyError(FSE_ALGORITHM) for what is not computed here."""
    if algorithm not in _MAKERS:
        raise ReplyError(Error.FSE_ALGORITHM, f"digest algorithm {algorithm.value} is not computed here")
    return RunningDigest(_MAKERS[algorithm]())


def digest_bytes(algorithm: DigestAlgorithm) -> int:
    """Bytes of a digest; ReplyError(FSE_ALGORITHM) for one that is not computed here."""
    return len(new_digest(algorithm).digest())


def digest_name(algorithm: DigestAlgorithm) -> str:
    """The name people use, such as ``xxh3-128``; the number where there is none."""
    return next((name for name, known in _NAMES.items() if known == algorithm), str(algorithm.value))


def algorithm_by_name(name: str) -> DigestAlgorithm:
    """The algorithm of a name; ValueError with the names there are."""
    if name not in _NAMES:
        raise ValueError(f"no digest is called {name!r}; there are {', '.join(_NAMES)}")
    return _NAMES[name]
