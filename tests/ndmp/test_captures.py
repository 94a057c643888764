"""ndmjob talking to ndmjob, followed by our two ends: each record is understood, and ours would send the same bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from ndmp.connection import Connection, Event, Header, PostReceived, ReplyReceived, RequestReceived
from ndmp.enums import DataHaltReason, MoverPauseReason, MoverState
from ndmp.messages.data import DataGetStateReply
from ndmp.messages.filehist import FhAddFile, FhAddNode
from ndmp.messages.mover import MoverGetStateReply
from ndmp.messages.notify import NotifyDataHalted, NotifyMoverPaused
from ndmp.wire import Reply
from tests.ndmp.captures import CAPTURES, Sent, conversations

CONVERSATIONS = [
    pytest.param(conversation, id=f"{path.name.partition('.')[0]}-{number}")
    for path in CAPTURES
    for number, conversation in enumerate(conversations(path))
]
CORE = {
    *(0x100, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108),
    *(0x200, 0x206, 0x300, 0x301, 0x302, 0x303, 0x304, 0x305),
    *(0x400, 0x401, 0x402, 0x403, 0x404, 0x407, 0x409, 0x40A, 0x40B),
    *(0x501, 0x502, 0x503, 0x504, 0x505, 0x603, 0x703, 0x704, 0x705, 0x900, 0x901),
    *(0xA00, 0xA01, 0xA02, 0xA03, 0xA04, 0xA05, 0xA06, 0xA07, 0xA08),
}
"""What ndmjob says in these scenes. It never sends SCSI_CLOSE, CONNECT_CLOSE, LOG_FILE or anything of extensions."""


def events(capture: str) -> list[Event]:
    """What our application would learn from all the hosts of a capture."""
    (path,) = [path for path in CAPTURES if path.name == f"ndmjob_{capture}.pcap.gz"]
    return [event for conversation in conversations(path) for event, _ in followed(conversation)]


def followed(conversation: list[Sent]) -> list[tuple[Event, bytes]]:
    """Each record as the event it is to the other end, and as the bytes that our end would have sent."""
    application, host = Connection(), Connection()
    found = []
    for sent in conversation:
        (event,) = (application if sent.direction == "<" else host).receive(sent.wire)
        found.append((event, sent_alike(event, application, host)))
    return found


def sent_alike(event: Event, application: Connection, host: Connection) -> bytes:
    now = event.header.time_stamp
    match event:
        case RequestReceived(_, message):
            return application.send_request(message, now=now)[1]
        case PostReceived(_, message):
            return host.send_post(message, now=now)
        case ReplyReceived(header, None):
            return host.send_error(request_of(header), header.error, now=now)
        case ReplyReceived(header, Reply() as message):
            return host.send_reply(request_of(header), message, now=now)
    pytest.fail(f"not understood: {event}")


def request_of(reply: Header) -> Header:
    """As much of the request's header as an answer repeats."""
    return replace(reply, sequence=reply.reply_sequence)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_every_record_is_understood_and_sent_alike(conversation: list[Sent]) -> None:
    """No exception is listed: in these messages ndmjob's XDR and the draft's are the same, but for record marks."""
    for (_, ours), sent in zip(followed(conversation), conversation, strict=True):
        assert ours == (0x80000000 + len(sent.record)).to_bytes(4, "big") + sent.record


def test_ndmjob_cuts_long_records_into_fragments() -> None:
    """Our end sends them whole."""
    cut = [sent.fragments for path in CAPTURES for talk in conversations(path) for sent in talk if sent.fragments[1:]]
    assert {tuple(map(len, fragments)) for fragments in cut} == {(3996, 3996, 244)}


def test_the_captures_hold_what_is_said_of_them() -> None:
    codes = Counter(
        int.from_bytes(sent.record[12:16], "big")
        for path in CAPTURES
        for conversation in conversations(path)
        for sent in conversation
    )
    assert set(codes) == CORE
    assert sum(codes.values()) > 700


@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        ("backup_files", [(MoverState.ACTIVE, 20480), (MoverState.HALTED, 20480)]),
        ("two_tapes", [(MoverState.PAUSED, 143360), (MoverState.HALTED, 256000)]),
    ],
)
def test_movers_tell_how_far_they_are(capture: str, expected: list[tuple[MoverState, int]]) -> None:
    """20 KiB and 250 KiB of records of 10 KiB: the figures that ndmjob itself prints (fixtures/README.md)."""
    states = [e.message for e in events(capture) if isinstance(e, ReplyReceived)]
    found = {(s.state, s.bytes_moved) for s in states if isinstance(s, MoverGetStateReply)}
    assert found >= set(expected[1:])


def test_a_backup_tells_every_file() -> None:
    (added,) = [e.message for e in events("backup_files") if isinstance(e, PostReceived) and e.header.code == 0x703]
    assert isinstance(added, FhAddFile)
    names = [file.names[0] for file in added.files]
    assert [getattr(name, "path", None) for name in names] == ["/", "/a.txt", "/empty", "/sub dir", "/sub dir/b.bin"]
    assert [(file.stats[0].size, file.node, file.fh_info) for file in added.files] == [
        *((0, 2, 0), (6, 3, 512), (0, 4, 1536), (0, 5, 2048), (15360, 6, 2560)),
    ]


def test_ndmjob_says_the_size_where_links_belong() -> None:
    """Our bytes say "l1" of every file; the number of links on the wire is the size (ndmjob's fault)."""
    nodes = [e.message for e in events("backup_nodes") if isinstance(e, PostReceived) and e.header.code == 0x705]
    stats = [node.stats[0] for post in nodes if isinstance(post, FhAddNode) for node in post.nodes]
    assert [(stat.size, stat.links) for stat in stats] == [(0, 0), (6, 6), (0, 0), (0, 0), (15360, 15360)]


def test_the_last_posts_of_a_restore() -> None:
    posts = [e.message for e in events("restore") if isinstance(e, PostReceived)]
    assert NotifyMoverPaused(MoverPauseReason.SEEK, 20480) in posts
    assert NotifyDataHalted(DataHaltReason.SUCCESSFUL) in posts


def test_data_states_count_bytes() -> None:
    states = [e.message for e in events("backup_files") if isinstance(e, ReplyReceived)]
    assert max(s.bytes_processed for s in states if isinstance(s, DataGetStateReply)) == 19456
