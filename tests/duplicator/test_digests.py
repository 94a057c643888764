"""Digests against published values and against the libraries asked in one go."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import pytest
import xxhash
from blake3 import blake3

from duplicator.digests import ALGORITHMS, algorithm_by_name, digest_name, new_digest
from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError

# SHA-256: FIPS 180-4 examples. BLAKE3: its authors' test_vectors.json, whose bytes go from 0 to 250 again and again.
# XXH3-128: `printf '' | xxhsum -H2` and the specification's canonical (big-endian) form.
COUNTING = (bytes(range(251)) * 5)[:1025]
VECTORS = [
    (DigestAlgorithm.NONE, b"abc", ""),
    (DigestAlgorithm.SHA256, b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (DigestAlgorithm.SHA256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (DigestAlgorithm.XXH3_128, b"", "99aa06d3014798d86001c324468d497f"),
    (DigestAlgorithm.BLAKE3, b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
    (DigestAlgorithm.BLAKE3, COUNTING, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
]


@pytest.mark.parametrize(("algorithm", "content", "expected"), VECTORS)
def test_published_values(algorithm: DigestAlgorithm, content: bytes, expected: str) -> None:
    digest = new_digest(algorithm)
    digest.update(content)
    assert digest.digest().hex() == expected


def test_every_moment_has_its_count_and_digest() -> None:
    content = bytes(range(256)) * 5
    pieces: list[bytes | memoryview] = [content[:1], b"", content[1:300], memoryview(content)[300:]]
    references: dict[DigestAlgorithm, Callable[[bytes], bytes]] = {
        DigestAlgorithm.SHA256: lambda taken: hashlib.sha256(taken).digest(),
        DigestAlgorithm.XXH3_128: lambda taken: xxhash.xxh3_128_digest(taken),
        DigestAlgorithm.BLAKE3: lambda taken: blake3(taken).digest(),
    }
    assert set(ALGORITHMS) == set(references)
    for algorithm, reference in references.items():
        digest, passed = new_digest(algorithm), 0
        assert digest.so_far() == (0, reference(b""))
        for piece in pieces:
            digest.update(piece)
            passed += len(piece)
            assert digest.so_far() == (passed, reference(content[:passed]))


def test_another_thread_never_sees_half_an_update() -> None:
    piece = bytes(4 * 1024 * 1024)
    expected = {count * len(piece): hashlib.sha256(piece * count).digest() for count in range(9)}
    digest = new_digest(DigestAlgorithm.SHA256)

    def update_often() -> None:
        for _ in range(8):
            digest.update(piece)

    thread = threading.Thread(target=update_often)
    thread.start()
    while thread.is_alive():
        passed, so_far = digest.so_far()
        assert so_far == expected[passed]
    thread.join(60)
    assert digest.so_far() == (8 * len(piece), expected[8 * len(piece)])


def test_forgetting_keeps_the_count() -> None:
    digest = new_digest(DigestAlgorithm.SHA256)
    digest.update(b"abc")
    digest.forget()
    digest.update(b"de")
    assert digest.so_far() == (5, b"")


def test_fastest_first() -> None:
    assert ALGORITHMS == (DigestAlgorithm.XXH3_128, DigestAlgorithm.BLAKE3, DigestAlgorithm.SHA256)


def test_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ReplyError) as refused:
        new_digest(DigestAlgorithm(77))
    assert refused.value.error == Error.FSE_ALGORITHM


def test_names() -> None:
    table = {
        "xxh3-128": DigestAlgorithm.XXH3_128,
        "blake3": DigestAlgorithm.BLAKE3,
        "sha256": DigestAlgorithm.SHA256,
        "none": DigestAlgorithm.NONE,
    }
    for name, algorithm in table.items():
        assert (algorithm_by_name(name), digest_name(algorithm)) == (algorithm, name)
    assert digest_name(DigestAlgorithm(77)) == "77"
    with pytest.raises(ValueError, match="xxh3-128, blake3, sha256, none"):
        algorithm_by_name("md5")
