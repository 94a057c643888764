"""Proofs of login: MD5 over 128 bytes, of which a secret longer than 32 bytes lends only 32 (draft 3.1.2)."""

from __future__ import annotations

from hashlib import md5

import pytest

from ndmp.auth import digests_equal, md5_digest

CHALLENGE = bytes(range(64))
LONG = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("secret", "digest"),
    [
        (b"ndmp", "bc7d61077ebc1e1bf84a59827c26dd65"),
        (b"a", "8274af73e91ea5258d4272d889e280d9"),
        (LONG, "738c0b51a6b85854f2755a8d055f2912"),
        (LONG + b"ZZ", "738c0b51a6b85854f2755a8d055f2912"),
    ],
)
def test_vectors(secret: bytes, digest: str) -> None:
    assert md5_digest(secret, CHALLENGE).hex() == digest


@pytest.mark.parametrize("length", [1, 8, 31, 32, 33])
def test_the_challenge_stands_64_less_the_length_of_the_secret_from_the_start(length: int) -> None:
    secret = b"s" * min(length, 32)
    block = bytearray(128)
    block[: len(secret)] = secret
    block[64 - len(secret) : 128 - len(secret)] = CHALLENGE
    block[128 - len(secret) :] = secret
    assert md5_digest(b"s" * length, CHALLENGE) == md5(block).digest()


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_challenge_has_64_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="64"):
        md5_digest(b"ndmp", bytes(length))


def test_comparison() -> None:
    assert digests_equal(b"ab", b"ab")
    for other in (b"ac", b"a", b"abc", b""):
        assert not digests_equal(b"ab", other)
