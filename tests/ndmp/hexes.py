"""Records for tests, put together from words in hex; only record marks and headers are counted here."""

from __future__ import annotations

__all__ = ["TIME", "post", "record", "reply", "request"]

TIME = 0x67000000
_LAST = 0x80000000


def record(words: str) -> bytes:
    """One record as a single fragment (RFC 5531 section 11)."""
    body = bytes.fromhex(words)
    return (_LAST + len(body)).to_bytes(4, "big") + body


def request(sequence: int, code: int, body: str = "") -> bytes:
    """A request's record; header as draft 2.7 has it."""
    return _message(sequence, 0, code, 0, 0, body)


def post(sequence: int, code: int, body: str = "") -> bytes:
    """A notification's record, which looks like a request's."""
    return request(sequence, code, body)


def reply(sequence: int, code: int, to: int, body: str = "", *, error: int = 0) -> bytes:
    """A reply's record."""
    return _message(sequence, 1, code, to, error, body)


def _message(sequence: int, kind: int, code: int, to: int, error: int, body: str) -> bytes:
    return record(f"{sequence:08x} {TIME:08x} {kind:08x} {code:08x} {to:08x} {error:08x} {body}")
