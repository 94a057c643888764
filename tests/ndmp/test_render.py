"""Messages as text: lines written by hand, secrets that stay in, and bounds that hold whatever is rendered."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndmp import render, wire, xdr
from ndmp.connection import Header
from ndmp.enums import (
    AddressType,
    AuthType,
    CdbFlag,
    ConnectionReason,
    Error,
    MessageType,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeFlag,
    TapeOperation,
    TapeUnsupported,
)
from ndmp.messages import config, connect, fse, mover, notify, tape
from ndmp.wire import Message, OtherArm, Reply

OK = Error.NO_ERR
ADDRESS = mover.TcpAddresses((mover.TcpEndpoint(0x7F000001, 10000), mover.TcpEndpoint(0xC0A80002, 1)))
SECRET = "tr0ub4dor"
DIGEST = bytes.fromhex("deadbeefdeadbeefdeadbeefdeadbeef")


def header(message: Message | int, *, error: Error = OK, is_reply: bool | None = None) -> Header:
    """The header of a message, or of a code."""
    code = message if isinstance(message, int) else message.wire_code
    if is_reply if is_reply is not None else isinstance(message, Reply):
        return Header(8, 0, MessageType.REPLY, code, 7, error)
    return Header(7, 0, MessageType.REQUEST, code, 0, error)


LINES: list[tuple[Message, str]] = [
    (connect.ConnectOpen(4), "request 7 CONNECT_OPEN protocol_version=4"),
    (connect.ConnectClose(), "request 7 CONNECT_CLOSE"),
    (
        connect.ConnectClientAuth(connect.AuthText("ndmp", SECRET)),
        'request 7 CONNECT_CLIENT_AUTH proof=AuthText(user="ndmp", password=(hidden))',
    ),
    (
        connect.ConnectClientAuth(connect.AuthMd5("ndmp", DIGEST)),
        'request 7 CONNECT_CLIENT_AUTH proof=AuthMd5(user="ndmp", digest=(hidden))',
    ),
    (
        connect.ConnectClientAuth(OtherArm(9, SECRET.encode())),
        "request 7 CONNECT_CLIENT_AUTH proof=(hidden)",
    ),
    (
        notify.NotifyConnectionStatus(ConnectionReason.CONNECTED, 4, "Hello"),
        'post 7 NOTIFY_CONNECTION_STATUS reason=CONNECTED(0) version=4 text="Hello"',
    ),
    (
        config.ConfigGetConnectionTypeReply(OK, (AddressType.TCP, AddressType(9))),
        "reply 8 to 7 CONFIG_GET_CONNECTION_TYPE error=NO_ERR(0) address_types=[TCP(1), UNKNOWN_0x9(9)]",
    ),
    (
        mover.MoverListenReply(Error.ILLEGAL_STATE, ADDRESS),
        (
            "reply 8 to 7 MOVER_LISTEN error=ILLEGAL_STATE(19) address=TcpAddresses(endpoints=["
            "TcpEndpoint(ipv4=127.0.0.1, port=10000, environment=[]), "
            "TcpEndpoint(ipv4=192.168.0.2, port=1, environment=[])])"
        ),
    ),
    (
        mover.MoverConnect(MoverMode.WRITE, OtherArm(2, b"\1\2")),
        "request 7 MOVER_CONNECT mode=WRITE(1) address=OtherArm(kind=2, rest=<2 bytes 0102>)",
    ),
    (tape.TapeWrite(bytes(range(20))), "request 7 TAPE_WRITE block=<20 bytes 000102030405060708090a0b0c0d0e0f...>"),
    (tape.TapeWrite(b""), "request 7 TAPE_WRITE block=<0 bytes>"),
    (tape.TapeMtio(TapeOperation.FSF, 2), "request 7 TAPE_MTIO operation=FSF(0) count=2"),
    (
        tape.TapeGetStateReply(
            TapeUnsupported.TOTAL_SPACE | TapeUnsupported.SPACE_REMAIN,
            OK,
            TapeFlag(0x90),
            file_num=0xFFFFFFFF,
            soft_errors=0,
            block_size=65536,
            blockno=1,
            total_space=0xFFFFFFFF,
            space_remain=0xFFFFFFFFFFFFFFFF,
        ),
        (
            "reply 8 to 7 TAPE_GET_STATE unsupported=TOTAL_SPACE|SPACE_REMAIN(0x30) error=NO_ERR(0)"
            " flags=WR_PROT|0x80(0x90) file_num=unknown (all ones) soft_errors=0 block_size=65536 blockno=1"
            " total_space=4294967295 space_remain=unknown (all ones)"
        ),
    ),
    (
        tape.TapeExecuteCdb(CdbFlag(0), 1000, 0, b"\0\1\2\3\4\5", b""),
        (
            "request 7 TAPE_EXECUTE_CDB flags=none(0x0) timeout=1000 datain_len=0 cdb=<6 bytes 000102030405> "
            "dataout=<0 bytes>"
        ),
    ),
    (
        tape.TapeOpen('a"\\\n\x1b[2J\u202e\udc80é', tape.TapeOpenMode.READ),
        r'request 7 TAPE_OPEN device="a\"\\\n\x1b[2J\u202e\udc80é" mode=READ(0)',
    ),
    (
        fse.FseListUnitsReply(OK, (fse.FseUnit("lsu", 2, 1, writable=True),)),
        'reply 8 to 7 FSE_LIST_UNITS error=NO_ERR(0) units=[FseUnit(name="lsu", total=2, free=1, writable=yes)]',
    ),
]


@pytest.mark.parametrize(("message", "line"), LINES)
def test_one_line(message: Message, line: str) -> None:
    assert render.one_line(header(message), message) == line


def test_a_message_without_a_body() -> None:
    cases = [
        (header(0xA01, error=Error.NOT_SUPPORTED, is_reply=True), "8 to 7 MOVER_LISTEN header error NOT_SUPPORTED(1)"),
        (header(0x902, is_reply=True), "reply 8 to 7 CONNECT_CLOSE"),
        (header(0x502), "post 7 NOTIFY_CONNECTION_STATUS"),
        (header(0xF01), "request 7 code 0x0f01"),
        (header(0x12340007), "request 7 class 0x1234 code 0x0007"),
        (header(0x205), "request 7 SCSI_RESET_BUS"),
        (header(0x20500102), "request 7 SNAPSHOT_RECOVER"),
        (Header(1, 0, MessageType(5), 0x900, 0, Error(77)), "unknown_0x5 1 CONNECT_OPEN header error UNKNOWN_0x4d(77)"),
    ]
    for made, words in cases:
        assert render.one_line(made, None).endswith(words), words


def test_full() -> None:
    message = mover.MoverGetStateReply(
        OK,
        MoverMode.READ,
        MoverState.PAUSED,
        MoverPauseReason.EOM,
        MoverHaltReason.NA,
        record_size=10240,
        record_num=14,
        bytes_moved=143360,
        seek_position=0,
        bytes_left_to_read=0,
        window_offset=0,
        window_length=0xFFFFFFFFFFFFFFFF,
        address=mover.TcpAddresses((mover.TcpEndpoint(0x7F000001, 9, (config.Pval("a", "b"),)),)),
    )
    assert render.full(Header(9, 0x67000000, MessageType.REPLY, 0xA00, 8, OK), message).splitlines() == [
        "reply MOVER_GET_STATE (0x0a00)",
        "  sequence: 9",
        "  time: 2024-10-04 14:47:28 UTC",
        "  reply to: 8",
        "  header error: NO_ERR(0)",
        "  body:",
        "    error: NO_ERR(0)",
        "    mode: READ(0)",
        "    state: PAUSED(3)",
        "    pause_reason: EOM(1)",
        "    halt_reason: NA(0)",
        "    record_size: 10240",
        "    record_num: 14",
        "    bytes_moved: 143360",
        "    seek_position: 0",
        "    bytes_left_to_read: 0",
        "    window_offset: 0",
        "    window_length: unknown (all ones)",
        "    address: TcpAddresses",
        "      endpoints: 1 element",
        "        [0]: TcpEndpoint",
        "          ipv4: 127.0.0.1",
        "          port: 9",
        "          environment: 1 element",
        "            [0]: Pval",
        '              name: "a"',
        '              value: "b"',
    ]


def test_document() -> None:
    message = mover.MoverListenReply(OK, ADDRESS)
    assert render.document(header(message), message) == {
        "name": "MOVER_LISTEN",
        "header": {
            "sequence": 8,
            "time_stamp": 0,
            "type": "reply",
            "code": 0xA01,
            "reply_sequence": 7,
            "error": "NO_ERR",
        },
        "fields": {
            "error": "NO_ERR",
            "address": {
                "arm": "TcpAddresses",
                "endpoints": [
                    {"ipv4": "127.0.0.1", "port": 10000, "environment": []},
                    {"ipv4": "192.168.0.2", "port": 1, "environment": []},
                ],
            },
        },
    }


def test_secrets_never_show() -> None:
    proofs = [connect.AuthText("u", SECRET), connect.AuthMd5("u", DIGEST), OtherArm(7, SECRET.encode() + DIGEST)]
    for proof in proofs:
        for message in (connect.ConnectClientAuth(proof), connect.ConnectServerAuthReply(OK, proof)):
            words = header(message)
            texts = [render.one_line(words, message), render.full(words, message)]
            for text in [*texts, json.dumps(render.document(words, message))]:
                assert "(hidden)" in text
                assert not any(secret in text for secret in (SECRET, DIGEST.hex(), SECRET.encode().hex())), text


def test_a_digest_of_content_is_no_secret() -> None:
    message = fse.FseGetStateReply(OK, 1, 1, changed=False, algorithm=fse.DigestAlgorithm.SHA256, digest=DIGEST)
    assert DIGEST.hex() in render.one_line(header(message), message)


def test_large_messages_have_bounded_texts() -> None:
    pval = config.Pval("\U0001f600\x1b" * 30000, "x" * 65535)
    device = config.DeviceCapability("d" * 65535, config.TapeAttribute(0xFFFFFFFF), (pval,) * 10000)
    cases: list[Message] = [
        tape.TapeWrite(bytes(1 << 20)),
        config.ConfigGetConnectionTypeReply(OK, (AddressType.TCP,) * 10000),
        config.ConfigGetTapeInfoReply(OK, (config.DeviceInfo("m" * 65535, (device,) * 10000),) * 10000),
    ]
    for message in cases:
        assert len(render.one_line(header(message), message)) <= render.MAX_LINE == 1000
        assert len(render.full(header(message), message)) <= render.MAX_FULL == 65536
    assert render.one_line(header(cases[2]), cases[2]).endswith("... (cut)")
    assert render.full(header(cases[2]), cases[2]).endswith("\n... (cut)")
    assert "... 9936 more" in render.full(header(cases[1]), cases[1])
    assert "TCP(1), ... 9996 more]" in render.one_line(header(cases[1]), cases[1])
    assert len(json.dumps(render.document(header(cases[0]), cases[0]))) < 1000


@wire.struct
class Timed(Message):
    """A body whose declaration gives a unit."""

    delay: Annotated[wire.U32, "ms"]


def test_a_unit_that_is_declared_shows() -> None:
    assert render.one_line(header(0xF01), Timed(250)).endswith("TIMED delay=250 ms")
    assert render.one_line(header(0xF01), Timed(0xFFFFFFFF)).endswith("delay=unknown (all ones)")


def values(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 (a type hint)
    """Values of a field that its declaration allows."""
    if get_origin(hint) is Annotated:
        kind = get_args(hint)[1]
        if isinstance(kind, wire.Tagged):
            others = st.builds(OtherArm, st.integers(100, 0xFFFFFFFF), st.binary(max_size=40))
            return st.one_of(others, *map(instances, kind.arms.values()))
        if isinstance(kind, xdr.FixedOpaque):
            return st.binary(min_size=kind.length, max_size=kind.length)
        kinds = {
            int: st.integers(0, 0xFFFF) | st.just(0xFFFFFFFF),
            bool: st.booleans(),
            str: st.text(),
            bytes: st.binary(),
        }
        return kinds[get_args(hint)[0]]
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=6).map(tuple)
    if issubclass(hint, Enum):
        return st.integers(0, 0xFFFFFFFF).map(hint) | st.sampled_from(hint)
    return instances(hint)


def instances(declared: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 (a declaration)
    """Messages or structures of a declaration."""
    hints = get_type_hints(declared, include_extras=True)
    return st.builds(declared, **{name: values(hints[name]) for name in declared.__dataclass_fields__})


DECLARED = [*wire.REQUESTS.values(), *wire.REPLIES.values(), *wire.POSTS.values()]


@given(st.sampled_from(DECLARED).flatmap(instances))
def test_any_message_renders(message: Message) -> None:
    words = header(message)
    line, text = render.one_line(words, message), render.full(words, message)
    assert line.isprintable()
    assert len(line) <= render.MAX_LINE
    assert all(part.isprintable() for part in text.split("\n"))
    assert len(text) <= render.MAX_FULL
    assert json.loads(json.dumps(render.document(words, message)))["name"] in line


def test_every_declaration_renders() -> None:
    for declared in DECLARED:
        if issubclass(declared, Reply):
            message = wire.refusal(declared, Error.UNDEFINED)
            assert "error=UNDEFINED(20)" in render.one_line(header(message), message)
            assert "error: UNDEFINED(20)" in render.full(header(message), message)


def test_names() -> None:
    assert render.message_name(0x30A) == "code 0x030a"
    assert render.wire_noun(AuthType) == "AUTH_TYPE"
    for (code, version), declared in {**wire.REQUESTS, **wire.POSTS}.items():
        if version == 1:
            assert render.message_name(code) == render.wire_noun(declared)
