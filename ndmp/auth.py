"""Proofs of a shared secret (draft 3.1.2), as pure functions."""

from __future__ import annotations

import hmac
from hashlib import md5
from typing import Final

__all__ = ["CHALLENGE_BYTES", "DIGEST_BYTES", "digests_equal", "md5_digest"]

CHALLENGE_BYTES: Final = 64
DIGEST_BYTES: Final = 16
_SECRET_BYTES: Final = 32


def md5_digest(secret: bytes, challenge: bytes) -> bytes:
    """MD5 over secret, zeros, challenge, secret: 128 bytes in all. Only 32 bytes of the secret count.

    >>> md5_digest(b"ndmp", bytes(range(64))).hex()
    'bc7d61077ebc1e1bf84a59827c26dd65'
    """
    if len(challenge) != CHALLENGE_BYTES:
        raise ValueError(f"a challenge has {CHALLENGE_BYTES} bytes, not {len(challenge)}")
    secret = secret[:_SECRET_BYTES]
    zeros = bytes(2 * (_SECRET_BYTES - len(secret)))
    return md5(secret + zeros + challenge + secret, usedforsecurity=False).digest()


def digests_equal(one: bytes, other: bytes) -> bool:
    """Compare without telling by the time taken where they differ."""
    return hmac.compare_digest(one, other)
