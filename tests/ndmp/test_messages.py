"""Every declared message against bytes written by hand: field order of draft 3 and 4, or docs/fse.md."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from ndmp import wire
from ndmp.enums import (
    AddressType,
    AuthType,
    CdbFlag,
    ConnectionReason,
    DigestAlgorithm,
    Error,
    FileDisposition,
    FseFeature,
    LogAssociation,
    LogType,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeAttribute,
    TapeDigestState,
    TapeFlag,
    TapeOpenMode,
    TapeOperation,
    TapeUnsupported,
)
from ndmp.errors import XdrError
from ndmp.messages import config as c
from ndmp.messages import connect as n
from ndmp.messages import data as d
from ndmp.messages import echo as e
from ndmp.messages import filehist as h
from ndmp.messages import mover as m
from ndmp.messages import notify as p
from ndmp.messages import scsi as s
from ndmp.messages import snapshot as x
from ndmp.messages import tape as t
from ndmp.messages.extensions import fse as f
from ndmp.wire import Message, OtherArm, Post, Reply, decode, encode
from tests.ndmp.unserved import UNSERVED_ROWS, UNSERVED_STRANGERS

OK, ERR = Error.NO_ERR, Error.ILLEGAL_STATE
ONES = 0xFFFFFFFFFFFFFFFF
LSU = "00000003 6c737500"
IMG = "00000004 64622d31"

ROWS: list[tuple[Any, str]] = [
    # 3.1 CONNECT
    (n.ConnectOpen(4), "00000004"),
    (n.ConnectOpenReply(Error.ILLEGAL_ARGS), "00000009"),
    (n.ConnectClientAuth(n.AuthNone()), "00000000"),
    (n.ConnectClientAuth(n.AuthText("ndmp", "abc")), "00000001 00000004 6e646d70 00000003 61626300"),
    (
        n.ConnectClientAuth(n.AuthMd5("ndmp", bytes(range(16)))),
        "00000002 00000004 6e646d70 00010203 04050607 08090a0b 0c0d0e0f",
    ),
    (n.ConnectClientAuthReply(Error.NOT_AUTHORIZED), "00000004"),
    (n.ConnectClose(), ""),
    (n.ConnectCloseReply(OK), "00000000"),
    (n.ConnectServerAuth(n.AuthNoneAttributes()), "00000000"),
    (n.ConnectServerAuth(n.AuthTextAttributes()), "00000001"),
    (n.ConnectServerAuth(n.AuthMd5Attributes(b"\xcc" * 64)), "00000002" + "cc" * 64),
    (n.ConnectServerAuthReply(Error.NOT_SUPPORTED, n.AuthNone()), "00000001 00000000"),
    (n.ConnectServerAuthReply(OK, n.AuthText("h", "")), "00000000 00000001 00000001 68000000 00000000"),
    # 3.2 CONFIG
    (c.ConfigGetHostInfo(), ""),
    (
        c.ConfigGetHostInfoReply(OK, "host", "Linux", "6", ""),
        "00000000 00000004 686f7374 00000005 4c696e75 78000000 00000001 36000000 00000000",
    ),
    (c.ConfigGetConnectionType(), ""),
    (
        c.ConfigGetConnectionTypeReply(OK, (AddressType.TCP, AddressType.FC, AddressType.IPC)),
        "00000000 00000003 00000001 00000002 00000003",
    ),
    (c.ConfigGetAuthAttr(AuthType.MD5), "00000002"),
    (c.ConfigGetAuthAttrReply(Error.ILLEGAL_ARGS, n.AuthNoneAttributes()), "00000009 00000000"),
    (c.ConfigGetAuthAttrReply(OK, n.AuthTextAttributes()), "00000000 00000001"),
    (c.ConfigGetAuthAttrReply(OK, n.AuthMd5Attributes(bytes(range(64)))), "00000000 00000002" + bytes(range(64)).hex()),
    (c.ConfigGetTapeInfo(), ""),
    (
        c.ConfigGetTapeInfoReply(
            OK,
            (
                c.DeviceInfo(
                    "LTO",
                    (
                        c.DeviceCapability("t0", TapeAttribute.REWIND | TapeAttribute.RAW, (c.Pval("A", "1"),)),
                        c.DeviceCapability("t1", TapeAttribute.UNLOAD, ()),
                    ),
                ),
                c.DeviceInfo("", ()),
            ),
        ),
        (
            "00000000 00000002  00000003 4c544f00 00000002"
            " 00000002 74300000 00000005 00000001 00000001 41000000 00000001 31000000"
            " 00000002 74310000 00000002 00000000"
            "  00000000 00000000"
        ),
    ),
    (c.ConfigGetServerInfo(), ""),
    (
        c.ConfigGetServerInfoReply(OK, "v", "p", "", (AuthType.MD5, AuthType.TEXT)),
        "00000000 00000001 76000000 00000001 70000000 00000000 00000002 00000002 00000001",
    ),
    (c.ConfigSetExtList(()), "00000000"),
    (
        c.ConfigSetExtList((c.ClassVersion(0x7FF0, 2), c.ClassVersion(0x2050, 1))),
        "00000002 00007ff0 00000002 00002050 00000001",
    ),
    (c.ConfigSetExtListReply(Error.EXT_DUPL_CLASSES), "0000001d"),
    (c.ConfigGetExtList(), ""),
    (
        c.ConfigGetExtListReply(OK, (c.ClassVersions(0x7FE0, (1,)), c.ClassVersions(0x7FF0, (1, 2)))),
        "00000000 00000002 00007fe0 00000001 00000001 00007ff0 00000002 00000001 00000002",
    ),
    # 3.4 TAPE
    (t.TapeOpen("t0", TapeOpenMode.RAW), "00000002 74300000 00000002"),
    (t.TapeOpenReply(Error.DEVICE_BUSY), "00000002"),
    (t.TapeClose(), ""),
    (t.TapeCloseReply(Error.DEV_NOT_OPEN), "00000006"),
    (t.TapeGetState(), ""),
    (
        t.TapeGetStateReply(
            TapeUnsupported.TOTAL_SPACE | TapeUnsupported.SPACE_REMAIN,
            OK,
            TapeFlag.NOREWIND | TapeFlag.WR_PROT,
            file_num=1,
            soft_errors=2,
            block_size=3,
            blockno=4,
            total_space=ONES,
            space_remain=0x0000000100000002,
        ),
        "00000030 00000000 00000018 00000001 00000002 00000003 00000004 ffffffffffffffff 00000001 00000002",
    ),
    (t.TapeMtio(TapeOperation.TUR, 0xFFFFFFFF), "00000007 ffffffff"),
    (t.TapeMtioReply(OK, 99), "00000000 00000063"),
    (t.TapeWrite(b"\xff\x00\x01\x02\x03"), "00000005 ff000102 03000000"),
    (t.TapeWriteReply(Error.EOM, 0), "0000000d 00000000"),
    (t.TapeRead(10240), "00002800"),
    (t.TapeReadReply(OK, b"abcd"), "00000000 00000004 61626364"),
    (
        t.TapeExecuteCdb(CdbFlag.DATA_OUT, 5000, 36, bytes(6), b"x"),
        "00000002 00001388 00000024 00000006 00000000 00000000 00000001 78000000",
    ),
    (
        t.TapeExecuteCdbReply(OK, 2, 0, b"", b"\x70\x00\x05"),
        "00000000 00000002 00000000 00000000 00000003 70000500",
    ),
    # 3.6 MOVER
    (m.MoverGetState(), ""),
    (
        m.MoverGetStateReply(
            OK,
            MoverMode.WRITE,
            MoverState.PAUSED,
            MoverPauseReason.EOW,
            MoverHaltReason.MEDIA_ERROR,
            record_size=0x10000,
            record_num=7,
            bytes_moved=8,
            seek_position=9,
            bytes_left_to_read=10,
            window_offset=11,
            window_length=ONES,
            address=m.LocalAddress(),
        ),
        (
            "00000000 00000001 00000003 00000005 00000005 00010000 00000007"
            " 0000000000000008 0000000000000009 000000000000000a 000000000000000b ffffffffffffffff 00000000"
        ),
    ),
    (m.MoverListen(MoverMode.READ, AddressType.TCP), "00000000 00000001"),
    (
        m.MoverListenReply(OK, m.TcpAddresses((m.TcpEndpoint(0x7F000001, 10000, (c.Pval("k", ""),)),))),
        "00000000 00000001 00000001 7f000001 00002710 00000001 00000001 6b000000 00000000",
    ),
    (m.MoverContinue(), ""),
    (m.MoverContinueReply(Error.PRECONDITION), "0000001a"),
    (m.MoverAbort(), ""),
    (m.MoverAbortReply(ERR), "00000013"),
    (m.MoverStop(), ""),
    (m.MoverStopReply(ERR), "00000013"),
    (m.MoverSetWindow(1 << 32, ONES), "0000000100000000 ffffffffffffffff"),
    (m.MoverSetWindowReply(ERR), "00000013"),
    (m.MoverRead(3, 4), "0000000000000003 0000000000000004"),
    (m.MoverReadReply(Error.READ_IN_PROGRESS), "00000019"),
    (m.MoverClose(), ""),
    (m.MoverCloseReply(ERR), "00000013"),
    (m.MoverSetRecordSize(65536), "00010000"),
    (m.MoverSetRecordSizeReply(ERR), "00000013"),
    (
        m.MoverConnect(MoverMode.WRITE, m.TcpAddresses((m.TcpEndpoint(0x0A000001, 1), m.TcpEndpoint(0x0A000002, 2)))),
        "00000001 00000001 00000002 0a000001 00000001 00000000 0a000002 00000002 00000000",
    ),
    (m.MoverConnect(MoverMode.READ, m.IpcAddress(b"/s")), "00000000 00000003 00000002 2f730000"),
    (m.MoverConnect(MoverMode.READ, m.LocalAddress()), "00000000 00000000"),
    (m.MoverConnectReply(Error.CONNECT), "00000017"),
    # 4 posts
    (p.NotifyConnectionStatus(ConnectionReason.CONNECTED, 4, "Hello"), "00000000 00000004 00000005 48656c6c 6f000000"),
    (p.NotifyMoverHalted(MoverHaltReason.CONNECT_CLOSED), "00000001"),
    (p.NotifyMoverPaused(MoverPauseReason.SEEK, 1 << 40), "00000003 0000010000000000"),
    (
        p.LogMessage(LogType.WARNING, 5, "hm", LogAssociation.VALID, 6),
        "00000003 00000005 00000002 686d0000 00000001 00000006",
    ),
    # appendix B: the test extension
    (e.TestEcho("hi"), "00000002 68690000"),
    (e.TestEchoReply(OK, "hi"), "00000000 00000002 68690000"),
    (e.TestEcho2("hi", 0xFFFF), "00000002 68690000 0000ffff"),
    (e.TestEcho2Reply(OK, "", 1), "00000000 00000000 00000001"),
    # docs/fse.md section 3
    (f.FseGetInfo(), ""),
    (
        f.FseGetInfoReply(
            OK,
            FseFeature.FILES_READ | FseFeature.TAPE_DIGEST,
            (DigestAlgorithm.XXH3_128, DigestAlgorithm.SHA256),
        ),
        "00000000 00000005 00000002 00000002 00000001",
    ),
    (f.FseListUnits(), ""),
    (
        f.FseListUnitsReply(OK, (f.FseUnit("lsu", 16, 8, True), f.FseUnit("", 1 << 32, 0, False))),
        (
            f"00000000 00000002 {LSU} 0000000000000010 0000000000000008 00000001"
            " 00000000 0000000100000000 0000000000000000 00000000"
        ),
    ),
    (f.FseListImages("lsu", "db-1", 1000), f"{LSU} {IMG} 000003e8"),
    (
        f.FseListImagesReply(OK, (f.FseImage("db-1", 0x67000000, 512, 3),), True),
        f"00000000 00000001 {IMG} 0000000067000000 0000000000000200 00000003 00000001",
    ),
    (f.FseGetImage("lsu", "db-1"), f"{LSU} {IMG}"),
    (
        f.FseGetImageReply(OK, 0x67000000, (f.FseFragment("f1", 1), f.FseFragment("", 2))),
        "00000000 0000000067000000 00000002 00000002 66310000 0000000000000001 00000000 0000000000000002",
    ),
    (f.FseOpenRead("lsu", "db-1", 1, DigestAlgorithm.XXH3_128), f"{LSU} {IMG} 00000001 00000002"),
    (f.FseOpenReadReply(OK, ONES), "00000000 ffffffffffffffff"),
    (
        f.FseOpenWrite("lsu", "db-1", 1, "f1", 512, DigestAlgorithm.SHA256),
        f"{LSU} {IMG} 00000001 00000002 66310000 0000000000000200 00000001",
    ),
    (f.FseOpenWriteReply(Error.FSE_NO_SPACE), "7fe00002"),
    (f.FseClose(FileDisposition.DISCARD), "00000001"),
    (f.FseCloseReply(OK), "00000000"),
    (f.FseGetState(), ""),
    (
        f.FseGetStateReply(OK, 512, 511, True, DigestAlgorithm.XXH3_128, bytes(16)),
        "00000000 0000000000000200 00000000000001ff 00000001 00000002 00000010" + "00" * 16,
    ),
    (f.FseCommitImage("lsu", "db-1", 2), f"{LSU} {IMG} 00000002"),
    (f.FseCommitImageReply(Error.FSE_IMAGE_EXISTS), "7fe00001"),
    (f.FseDiscardImage("lsu", "db-1"), f"{LSU} {IMG}"),
    (f.FseDiscardImageReply(OK), "00000000"),
    (f.FseRemoveImage("lsu", "db-1"), f"{LSU} {IMG}"),
    (f.FseRemoveImageReply(Error.DEVICE_BUSY), "00000002"),
    (f.FseTapeDigestStart(DigestAlgorithm.SHA256, 512, 10240), "00000001 0000000000000200 00002800"),
    (f.FseTapeDigestStartReply(Error.FSE_ALGORITHM), "7fe00003"),
    (f.FseTapeDigestGetState(), ""),
    (f.FseTapeDigestGetStateReply(OK, TapeDigestState.DONE, 512), "00000000 00000002 0000000000000200"),
    (f.FseTapeDigestAbort(), ""),
    (f.FseTapeDigestAbortReply(ERR), "00000013"),
    (f.FseTapeDigestContinue(0x123456789A, 10240), "000000123456789a 00002800"),
    (f.FseTapeDigestContinueReply(ERR), "00000013"),
    (
        f.FseNotifyTapeDigest(OK, 512, 1, True, DigestAlgorithm.XXH3_128, b"\xab" * 16),
        "00000000 0000000000000200 0000000000000001 00000001 00000002 00000010" + "ab" * 16,
    ),
    *UNSERVED_ROWS,
]

STRANGERS: list[tuple[Any, str]] = [
    (n.ConnectClientAuth(OtherArm(7, b"\1\2\3\4")), "00000007 01020304"),
    (n.ConnectServerAuth(OtherArm(0xFFFFFFFF, b"")), "ffffffff"),
    (m.MoverListenReply(OK, OtherArm(2, bytes(8))), "00000000 00000002 0000000000000000"),
    (c.ConfigGetAuthAttr(AuthType(0x77)), "00000077"),
    (t.TapeMtio(TapeOperation(99), 1), "00000063 00000001"),
    (t.TapeOpenReply(Error(0x20500203)), "20500203"),
    (p.NotifyMoverHalted(MoverHaltReason(0xFFFFFFFF)), "ffffffff"),
    (t.TapeExecuteCdb(CdbFlag(0x80000004), 0, 0, b"", b""), "80000004 00000000 00000000 00000000 00000000"),
    (e.TestEcho("\udcff\udc80a"), "00000003 ff806100"),
    (e.TestEcho("\u00e4"), "00000002 c3a40000"),
    (e.TestEcho("a\0b"), "00000003 61006200"),
    *UNSERVED_STRANGERS,
]
"""Numbers, arms and strings without a meaning here: kept as they are."""


def names(rows: list[tuple[Any, str]]) -> list[str]:
    return [f"{index}-{type(message).__name__}" for index, (message, _) in enumerate(rows)]


@pytest.mark.parametrize(("message", "words"), ROWS + STRANGERS, ids=names(ROWS + STRANGERS))
def test_bytes_and_object(message: Message, words: str) -> None:
    body = bytes.fromhex(words)
    assert encode(message) == body
    assert decode(type(message), body) == message


@pytest.mark.parametrize(("message", "words"), ROWS, ids=names(ROWS))
def test_no_part_of_a_body_and_nothing_after_it(message: Message, words: str) -> None:
    body = bytes.fromhex(words)
    for length in range(len(body)):
        with pytest.raises(XdrError):
            decode(type(message), body[:length])
    for more in (b"\0", b"\0\0\0\0", b"\0\0\0\1"):
        with pytest.raises(XdrError):
            decode(type(message), body + more)


def test_every_declared_message_has_a_row() -> None:
    declared = {*wire.REQUESTS.values(), *wire.REPLIES.values(), *wire.POSTS.values()}
    assert {type(message) for message, _ in ROWS} == declared


def test_every_request_has_a_reply() -> None:
    assert wire.REQUESTS.keys() == wire.REPLIES.keys()


def test_codes_are_those_of_the_draft() -> None:
    for code, declared in (
        (0x900, n.ConnectOpen),
        (0x901, n.ConnectClientAuth),
        (0x902, n.ConnectClose),
        (0x903, n.ConnectServerAuth),
        (0x100, c.ConfigGetHostInfo),
        (0x102, c.ConfigGetConnectionType),
        (0x103, c.ConfigGetAuthAttr),
        (0x104, c.ConfigGetButypeInfo),
        (0x105, c.ConfigGetFsInfo),
        (0x106, c.ConfigGetTapeInfo),
        (0x107, c.ConfigGetScsiInfo),
        (0x108, c.ConfigGetServerInfo),
        (0x109, c.ConfigSetExtList),
        (0x10A, c.ConfigGetExtList),
        (0x200, s.ScsiOpen),
        (0x201, s.ScsiClose),
        (0x202, s.ScsiGetState),
        (0x204, s.ScsiResetDevice),
        (0x206, s.ScsiExecuteCdb),
        (0x300, t.TapeOpen),
        (0x301, t.TapeClose),
        (0x302, t.TapeGetState),
        (0x303, t.TapeMtio),
        (0x304, t.TapeWrite),
        (0x305, t.TapeRead),
        (0x307, t.TapeExecuteCdb),
        (0x400, d.DataGetState),
        (0x401, d.DataStartBackup),
        (0x402, d.DataStartRecover),
        (0x403, d.DataAbort),
        (0x404, d.DataGetEnv),
        (0x407, d.DataStop),
        (0x409, d.DataListen),
        (0x40A, d.DataConnect),
        (0x40B, d.DataStartRecoverFilehist),
        (0xA00, m.MoverGetState),
        (0xA01, m.MoverListen),
        (0xA02, m.MoverContinue),
        (0xA03, m.MoverAbort),
        (0xA04, m.MoverStop),
        (0xA05, m.MoverSetWindow),
        (0xA06, m.MoverRead),
        (0xA07, m.MoverClose),
        (0xA08, m.MoverSetRecordSize),
        (0xA09, m.MoverConnect),
        (0x20500100, x.SnapshotCreate),
        (0x20500101, x.SnapshotDelete),
        (0x7FF00000, e.TestEcho),
        (0x7FE00001, f.FseGetInfo),
        (0x7FE00002, f.FseListUnits),
        (0x7FE00003, f.FseListImages),
        (0x7FE00004, f.FseGetImage),
        (0x7FE00005, f.FseOpenRead),
        (0x7FE00006, f.FseOpenWrite),
        (0x7FE00007, f.FseClose),
        (0x7FE00008, f.FseGetState),
        (0x7FE00009, f.FseCommitImage),
        (0x7FE0000A, f.FseDiscardImage),
        (0x7FE0000B, f.FseRemoveImage),
        (0x7FE00010, f.FseTapeDigestStart),
        (0x7FE00011, f.FseTapeDigestGetState),
        (0x7FE00012, f.FseTapeDigestAbort),
        (0x7FE00013, f.FseTapeDigestContinue),
    ):
        assert wire.REQUESTS[code, 1] is declared
        assert wire.REPLIES[code, 1].__name__ == declared.__name__ + "Reply"
    assert wire.REQUESTS[0x7FF00000, 2] is e.TestEcho2
    assert {code: declared.__name__ for (code, _), declared in wire.POSTS.items()} == {
        0x501: "NotifyDataHalted",
        0x502: "NotifyConnectionStatus",
        0x503: "NotifyMoverHalted",
        0x504: "NotifyMoverPaused",
        0x505: "NotifyDataRead",
        0x602: "LogFile",
        0x603: "LogMessage",
        0x703: "FhAddFile",
        0x704: "FhAddDir",
        0x705: "FhAddNode",
        0x7FE00080: "FseNotifyTapeDigest",
    }


MALFORMED = [
    (e.TestEcho, "00000001 61000001", "padding of a string"),
    (e.TestEcho, "00000003 616263ff", "one byte of padding"),
    (t.TapeWrite, "00000002 ffff0100", "padding of an opaque"),
    (f.FseListImagesReply, "00000000 00000000 00000002", "a bool of 2"),
    (n.ConnectOpen, "00010000", "a u_short of 17 bits"),
    (e.TestEcho, "00010000" + "61" * 0x10000, "a string over its limit"),
    (c.ConfigGetConnectionTypeReply, "00000000 00010000" + "00000001" * 0x10000, "an array over its limit"),
    (e.TestEcho, "ffffffff", "a string of 4 GiB"),
    (t.TapeWrite, "fffffffc 00000000", "an opaque of 4 GiB"),
    (t.TapeWrite, "01000001" + "00" * 64, "an opaque over its limit"),
    (c.ConfigGetConnectionTypeReply, "00000000 ffffffff 00000001", "an array of 4 thousand million numbers"),
    (c.ConfigGetTapeInfoReply, "00000000 0000ffff 00000000", "an array of structures that are not there"),
    (f.FseGetImageReply, "00000000 0000000067000000 ffffffff", "an array of fragments that are not there"),
    (h.FhAddFile, "0000ffff 00000000", "a file history that is not there"),
    (h.FhAddDir, "00000001 00000001 00000000 00000001 61000001" + "00" * 16, "padding of a name in an array"),
    (d.DataStartBackup, "00000001 61000000 00000001 ffffffff", "a variable's name of 4 GiB"),
]


@pytest.mark.parametrize(("declared", "words", "why"), MALFORMED, ids=[row[2] for row in MALFORMED])
def test_malformed_is_refused_before_memory_is_taken(declared: type[Message], words: str, why: str) -> None:
    body = bytes.fromhex(words)
    with pytest.raises(XdrError):
        decode(declared, b"\xff")  # what is made once for each class is made now
    tracemalloc.start()
    try:
        with pytest.raises(XdrError):
            decode(declared, body)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(body) + 100_000, why
    finally:
        tracemalloc.stop()


def test_flags_and_numbers_of_strangers_are_not_remembered() -> None:
    tracemalloc.start()
    try:
        for number in range(0x1000, 0x3000):
            decode(t.TapeExecuteCdb, number.to_bytes(4, "big") + bytes(16))
            decode(t.TapeOpenReply, number.to_bytes(4, "big"))
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "message",
    [
        n.ConnectOpen(0x10000),
        n.ConnectOpen(-1),
        m.MoverSetWindow(1 << 64, 0),
        m.MoverSetRecordSize(1 << 32),
        t.TapeWrite("text"),
        e.TestEcho("a" * 0x10000),
        e.TestEcho("\ud800"),
        n.ConnectClientAuth(n.AuthMd5("u", bytes(15))),
        n.ConnectClientAuth("no arm"),
        n.ConnectOpen(None),
        object(),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_does_not_fit_does_not_encode(message: object) -> None:
    with pytest.raises(XdrError):
        encode(message)


def test_a_refusal_is_zero_or_empty_after_its_error() -> None:
    for declared, words in (
        (t.TapeGetStateReply, "00000000 00000006" + "00" * 36),
        (m.MoverGetStateReply, "00000006" + "00" * 68),
        (m.MoverListenReply, "00000006 00000000"),
        (d.DataGetStateReply, "00000000 00000006" + "00" * 52),
        (s.ScsiExecuteCdbReply, "00000006" + "00" * 16),
        (c.ConfigGetAuthAttrReply, "00000006 00000000"),
        (t.TapeReadReply, "00000006 00000000"),
    ):
        assert encode(wire.refusal(declared, Error.DEV_NOT_OPEN)) == bytes.fromhex(words)


def test_every_reply_can_refuse() -> None:
    for declared in wire.REPLIES.values():
        refusal = wire.refusal(declared, Error.IO)
        assert isinstance(refusal, Reply)
        assert decode(declared, encode(refusal)).error == Error.IO


def test_strangers_have_names_in_hex_and_passwords_stay_hidden() -> None:
    assert Error(0x20500203).name == "UNKNOWN_0x20500203"
    assert Error(0x20500203) == Error(0x20500203) == 0x20500203
    assert "sesame" not in repr(n.ConnectClientAuth(n.AuthText("user", "sesame")))


def test_a_code_is_declared_once() -> None:
    with pytest.raises(TypeError, match="0x503"):

        @wire.post(0x503)
        class Another(Post):
            """Takes a number that is in use."""
