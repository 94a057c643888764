"""Bytes to events and back: sequence numbers, matching, and what is not understood (draft 2.6, 2.7, 2.8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndmp import wire
from ndmp.connection import (
    Connection,
    Event,
    Header,
    PostReceived,
    ReplyReceived,
    RequestReceived,
    Stranger,
    Undecodable,
)
from ndmp.enums import Error, MessageType, MoverHaltReason
from ndmp.errors import LocalProtocolError, RemoteProtocolError, XdrError
from ndmp.messages import echo
from ndmp.messages.connect import ConnectClose, ConnectOpen, ConnectOpenReply
from ndmp.messages.mover import MoverAbort, MoverAbortReply, MoverStop, MoverStopReply
from ndmp.messages.notify import NotifyMoverHalted
from ndmp.messages.tape import TapeRead, TapeReadReply
from tests.ndmp.hexes import TIME, post, record, reply, request

NO_ERR = Error.NO_ERR


def only(connection: Connection, wire_bytes: bytes) -> Event:
    (event,) = connection.receive(wire_bytes)
    return event


def asked(*requests: wire.Request) -> Connection:
    """An application that sent these; the first has sequence 1."""
    connection = Connection()
    for each in requests:
        connection.send_request(each, now=TIME)
    return connection


def test_a_header_byte_by_byte() -> None:
    header = Header(1, TIME, MessageType.REPLY, 0x900, 2, Error.ILLEGAL_ARGS)
    words = bytes.fromhex("00000001 67000000 00000001 00000900 00000002 00000009")
    assert header.encode() == words
    assert Header.decode(words) == header
    strange = bytes.fromhex("ffffffff ffffffff 00000007 20500180 ffffffff 20500107")
    assert Header.decode(strange).encode() == strange


def test_one_sequence_for_all_that_is_sent() -> None:
    connection = Connection()
    to = Header(77, 0, MessageType.REQUEST, 0xA03, 0, NO_ERR)
    assert connection.send_request(ConnectOpen(4), now=TIME) == (1, request(1, 0x900, "00000004"))
    assert connection.send_post(NotifyMoverHalted(MoverHaltReason.ABORTED), now=TIME) == post(2, 0x503, "00000002")
    assert connection.send_reply(to, MoverAbortReply(NO_ERR), now=TIME) == reply(3, 0xA03, 77, "00000000")
    assert connection.send_error(to, Error.XDR_DECODE, now=TIME) == reply(4, 0xA03, 77, error=18)
    assert connection.send_request(ConnectClose(), now=TIME) == (5, request(5, 0x902))


def test_what_cannot_be_sent_uses_no_sequence_number() -> None:
    connection = Connection()
    with pytest.raises(XdrError):
        connection.send_request(ConnectOpen(0x10000), now=TIME)
    with pytest.raises(LocalProtocolError):
        connection.send_reply(Header(1, 0, MessageType.REQUEST, 0xA03, 0, NO_ERR), MoverStopReply(NO_ERR), now=TIME)
    assert connection.send_request(ConnectOpen(4), now=TIME)[0] == 1


def test_times_past_2106_wrap() -> None:
    assert Connection().send_request(ConnectClose(), now=(1 << 32) + TIME)[1] == request(1, 0x902)


def test_replies_are_matched_by_number_with_posts_in_between() -> None:
    connection = asked(MoverAbort(), MoverStop())
    events = list(
        connection.receive(
            post(1, 0x503, "00000002") + reply(2, 0xA04, 2, "00000013") + post(9, 0x503, "00000001")
            + reply(9, 0xA03, 1, "00000000")
        )
    )  # fmt: skip
    assert [type(event) for event in events] == [PostReceived, ReplyReceived, PostReceived, ReplyReceived]
    assert events[1].message == MoverStopReply(Error.ILLEGAL_STATE)
    assert events[3].message == MoverAbortReply(NO_ERR)


NO_MESSAGE = [
    (reply(1, 0x305, 1, error=6), "the error is in the header"),
    (reply(1, 0x305, 1, "ffffffff", error=6), "and what follows it is not read"),
    (reply(1, 0x305, 1), "no body and no error, as ndmjob answers CONNECT_CLOSE"),
    (reply(1, 0x305, 2, "00000000 00000000"), "a reply to another request"),
    (reply(1, 0x305, 0, "00000000 00000000"), "a reply to no request"),
    (reply(1, 0x300, 1, "00000000"), "the code of another request"),
    (reply(1, 0x777, 1, "00000000"), "a code that is not declared"),
]


@pytest.mark.parametrize(("wire_bytes", "why"), NO_MESSAGE, ids=[why for _, why in NO_MESSAGE])
def test_replies_without_a_message(wire_bytes: bytes, why: str) -> None:
    event = only(asked(TapeRead(1)), wire_bytes)
    assert isinstance(event, ReplyReceived)
    assert event.message is None


def test_an_error_in_the_body() -> None:
    event = only(asked(TapeRead(1)), reply(1, 0x305, 1, "0000000c 00000000"))
    assert event.message == TapeReadReply(Error.EOF, b"")


def test_a_second_reply_and_one_that_was_given_up() -> None:
    connection = asked(TapeRead(1), TapeRead(2))
    connection.forget(2)
    connection.forget(99)
    messages = [only(connection, reply(1, 0x305, to, "00000000 00000000")).message for to in (1, 1, 2)]
    assert messages == [TapeReadReply(NO_ERR, b""), None, None]


NOT_UNDERSTOOD = [
    (request(1, 0x777, "0102"), Stranger),
    (request(1, 0x20500100, ""), Stranger),
    (record(f"00000001 {TIME:08x} 00000002 00000900 00000000 00000000 00000004"), Stranger),
    (request(1, 0x900), Undecodable),
    (request(1, 0x900, "00000004 00"), Undecodable),
    (post(1, 0x503, "0000"), Undecodable),
]


@pytest.mark.parametrize(("wire_bytes", "kind"), NOT_UNDERSTOOD)
def test_what_is_not_understood_leaves_the_connection_usable(wire_bytes: bytes, kind: type[Event]) -> None:
    connection = Connection()
    event = only(connection, wire_bytes)
    assert type(event) is kind
    assert event.header.sequence == 1
    assert only(connection, request(2, 0x900, "00000004")).message == ConnectOpen(4)


def test_a_stranger_keeps_its_bytes() -> None:
    event = only(Connection(), request(1, 0x777, "010203"))
    assert isinstance(event, Stranger)
    assert event.header.encode() + event.body == request(1, 0x777, "010203")[4:]


def test_an_undecodable_reply() -> None:
    connection = asked(TapeRead(1), ConnectOpen(4))
    event = only(connection, reply(1, 0x305, 1, "00000000 00000004 61"))
    assert isinstance(event, Undecodable)
    assert event.header.reply_sequence == 1
    assert only(connection, reply(2, 0x900, 2, "00000000")).message == ConnectOpenReply(NO_ERR)


def test_versions_of_an_extension() -> None:
    one, two = request(1, 0x7FF00000, "00000001 61000000"), request(2, 0x7FF00000, "00000001 61000000 00000007")
    for version, kinds in (
        (None, [Stranger, Stranger]),
        (1, [RequestReceived, Undecodable]),
        (2, [Undecodable, RequestReceived]),
        (3, [Stranger, Stranger]),
    ):
        connection = Connection()
        connection.extensions = {} if version is None else {0x7FF0: version}
        assert [type(event) for event in connection.receive(one + two)] == kinds, version
    connection.extensions = {0x7FF0: 2}
    assert only(connection, two).message == echo.TestEcho2("a", 7)


def test_a_reply_is_read_in_the_version_of_its_request() -> None:
    connection = asked(echo.TestEcho("a"), echo.TestEcho2("a", 7))
    first = only(connection, reply(1, 0x7FF00000, 1, "00000000 00000001 61000000"))
    second = only(connection, reply(2, 0x7FF00000, 2, "00000000 00000001 61000000 00000007"))
    assert first.message == echo.TestEchoReply(NO_ERR, "a")
    assert second.message == echo.TestEcho2Reply(NO_ERR, "a", 7)


@pytest.mark.parametrize("short", ["", "00", "00000001" * 5 + "000000"])
def test_records_without_a_header_are_dropped_and_then_the_peer(short: str) -> None:
    connection = Connection()
    good = request(1, 0x902)
    for _ in range(3):
        assert list(connection.receive(record(short) * 7)) == [], "seven in a row are borne"
        assert only(connection, good).message == ConnectClose()
    assert list(connection.receive(record(short) * 7)) == []
    with pytest.raises(RemoteProtocolError):
        list(connection.receive(record(short)))


def test_what_came_before_the_end_is_given_first() -> None:
    events = Connection().receive(request(1, 0x902) + bytes.fromhex("ffffffff"))
    assert next(events).message == ConnectClose()
    with pytest.raises(RemoteProtocolError):
        next(events)


def test_a_limit_of_ones_own() -> None:
    read = request(1, 0x305, "00000001")
    assert only(Connection(max_record=28), read).message == TapeRead(1)
    with pytest.raises(RemoteProtocolError):
        list(Connection(max_record=27).receive(read[:4]))


def test_between_records() -> None:
    connection = Connection()
    whole = request(1, 0x902)
    for cut in range(1, len(whole)):
        assert list(connection.receive(whole[:cut])) == []
        assert not connection.is_between_records
        assert only(connection, whole[cut:]).message == ConnectClose()
        assert connection.is_between_records


CODES = st.sampled_from(sorted({code for code, _ in [*wire.REQUESTS, *wire.POSTS]}))
WORDS = st.integers(0, 9) | st.integers(0, 0xFFFFFFFF)
BODIES = st.lists(WORDS, max_size=12).map(lambda words: b"".join(word.to_bytes(4, "big") for word in words))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A record with a header that looks right, and a body that may not fit it."""
    head = (draw(WORDS), 0, draw(st.integers(0, 2)), draw(CODES), draw(st.integers(0, 3)), draw(st.integers(0, 1)))
    body = draw(BODIES | st.binary(max_size=40))
    return record((b"".join(word.to_bytes(4, "big") for word in head) + body).hex())


@given(st.lists(messages() | st.binary(max_size=40), max_size=8), st.booleans())
def test_any_bytes_give_events_or_our_error(chunks: list[bytes], extended: bool) -> None:
    connection = asked(TapeRead(1), echo.TestEcho2("", 0), MoverAbort())
    connection.extensions = {0x7FF0: 2, 0x7FE0: 1} if extended else {}
    try:
        for chunk in chunks:
            for event in connection.receive(chunk):
                assert isinstance(event, Event)
    except RemoteProtocolError:
        pass


@given(CODES, BODIES, st.sampled_from([wire.REQUESTS, wire.REPLIES, wire.POSTS]))
def test_what_decodes_encodes_to_the_same_bytes(code: int, body: bytes, registry: dict) -> None:
    declared = registry.get((code, 1))
    if declared is None:
        return
    try:
        message = wire.decode(declared, body)
    except XdrError:
        return
    assert wire.encode(message) == body
