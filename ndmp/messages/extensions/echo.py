"""The test extension TEST_ECHO, class 0x7FF0, versions 1 and 2 (draft appendix B)."""

from __future__ import annotations

from typing import Final

from ndmp.enums import Error
from ndmp.wire import U16, Reply, Request, Text, reply, request

__all__ = ["ECHO_CLASS", "ECHO_VERSIONS", "TestEcho", "TestEcho2", "TestEcho2Reply", "TestEchoReply"]

ECHO_CLASS: Final = 0x7FF0
ECHO_VERSIONS: Final = (1, 2)


@request(0x7FF00000)
class TestEcho(Request["TestEchoReply"]):
    """Say it back."""

    text: Text


@reply(0x7FF00000)
class TestEchoReply(Reply):
    """The same text."""

    error: Error
    text: Text


@request(0x7FF00000, version=2)
class TestEcho2(Request["TestEcho2Reply"]):
    """Say it back, with a number."""

    text: Text
    number: U16


@reply(0x7FF00000, version=2)
class TestEcho2Reply(Reply):
    """The same text and number."""

    error: Error
    text: Text
    number: U16
