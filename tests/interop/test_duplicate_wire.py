"""A duplication as it looks on the wire: every byte is NDMP to a program that nobody here wrote."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import SECRET, USER
from tests.interop.sites import site_within
from tests.peers import Namespace, capture, dissect, every_byte_dissected, network_namespace
from tests.peers.dissection import Header

PORT = 10000
APPLIANCE, TAPE_SERVER = "127.0.0.2", "127.0.0.1"

# Draft 3.1 to 3.6, and docs/fse.md.
BOTH_SIDES = {
    0x900: "CONNECT_OPEN",
    0x901: "CONNECT_CLIENT_AUTH",
    0x103: "CONFIG_GET_AUTH_ATTR",
    0x108: "CONFIG_GET_SERVER_INFO",
    0x109: "CONFIG_GET_EXT_LIST",
    0x10A: "CONFIG_SET_EXT_LIST",
    0xA04: "MOVER_STOP",
    0xA05: "MOVER_SET_WINDOW",
    0xA08: "MOVER_SET_RECORD_SIZE",
    0x7FE00001: "FSE_GET_INFO",
}
APPLIANCE_ALONE = {
    0xA06: "MOVER_READ",
    0xA07: "MOVER_CLOSE",
    0xA09: "MOVER_CONNECT",
    0x7FE00002: "FSE_LIST_UNITS",
    0x7FE00004: "FSE_GET_IMAGE",
    0x7FE00005: "FSE_OPEN_READ",
    0x7FE00007: "FSE_CLOSE",
    0x7FE00008: "FSE_GET_STATE",
}
TAPE_SERVER_ALONE = {
    0x300: "TAPE_OPEN",
    0x301: "TAPE_CLOSE",
    0x303: "TAPE_MTIO",
    0x304: "TAPE_WRITE",
    0x305: "TAPE_READ",
    0xA00: "MOVER_GET_STATE",
    0xA01: "MOVER_LISTEN",
    0x7FE00010: "FSE_TAPE_DIGEST_START",
}
WITHOUT_REPLY = {0x902: "CONNECT_CLOSE"}
POSTS = {
    APPLIANCE: {0x502: "NOTIFY_CONNECTION_STATUS", 0x503: "NOTIFY_MOVER_HALTED", 0x504: "NOTIFY_MOVER_PAUSED"},
    TAPE_SERVER: {
        0x502: "NOTIFY_CONNECTION_STATUS",
        0x503: "NOTIFY_MOVER_HALTED",
        0x7FE00080: "FSE_NOTIFY_TAPE_DIGEST",
    },
}
REQUESTS = {
    APPLIANCE: BOTH_SIDES | APPLIANCE_ALONE | WITHOUT_REPLY,
    TAPE_SERVER: BOTH_SIDES | TAPE_SERVER_ALONE | WITHOUT_REPLY,
}


@pytest.fixture(scope="module")
def pcap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The control connections of a duplication with validation; the image has two fragments, one empty."""
    folder = tmp_path_factory.mktemp("wire")
    unit = folder / "unit"
    (unit / "parts").mkdir(parents=True)
    (unit / "parts" / "a").write_bytes(hashlib.shake_128(b"a").digest(300_000))
    (unit / "parts" / "b").touch()
    with network_namespace() as namespace, site_within(namespace, folder) as site:
        be_patient(namespace)
        appliance = site.serve("--lsu", f"lsu={unit}", listen=f"{APPLIANCE}:{PORT}")
        tape = site.serve("--tape", f"drive=virtual:{folder / 'ND0001'}", listen=f"{TAPE_SERVER}:{PORT}")
        with capture(namespace, folder / "lo.pcapng", [PORT]) as running:
            ended = site.duplicate("parts", source=appliance.url("lsu"), target=tape.url("drive"))
            assert ended.code == 0, ended.err
            yield running.stop()


def be_patient(namespace: Namespace) -> None:
    """Keep TCP from sending twice what a busy machine is slow to acknowledge: the report counts that as a problem."""
    route = "ip route change local {} dev lo table local proto kernel scope host src 127.0.0.1 rto_min 10s quickack 1"
    commands = [
        *(route.format(place) for place in ("127.0.0.0/8", "127.0.0.1")),
        "echo 0 > /proc/sys/net/ipv4/tcp_early_retrans",
    ]
    namespace.run(["sh", "-c", " && ".join(commands)])


def test_every_byte_is_dissected(pcap: Path) -> None:
    report = every_byte_dissected(pcap, [PORT])
    assert report.problems == []
    # For each host, one session to look and one to move; the tape server's second one validates.
    assert report.connections == 4
    assert report.pdus == report.codes.total() > 200


Directions = dict[tuple[str, int, bool], list[Header]]


def by_direction(pcap: Path) -> Directions:
    """Headers in their order, by host, connection and whether the host sent them (else the application)."""
    segments = dissect(pcap, [PORT])
    hosts = {segment.stream: segment.source.host for segment in segments if segment.source.port == PORT}
    found: Directions = defaultdict(list)
    for segment in segments:
        for pdu in segment.pdus:
            assert pdu.header is not None
            found[hosts[segment.stream], segment.stream, segment.source.port == PORT].append(pdu.header)
    return found


def test_sequence_numbers_run_from_1_in_each_direction(pcap: Path) -> None:
    directions = by_direction(pcap)
    assert len(directions) == 8
    for where, headers in directions.items():
        assert [header.sequence for header in headers] == [*range(1, len(headers) + 1)], where


@pytest.mark.parametrize("host", [APPLIANCE, TAPE_SERVER])
def test_the_messages_of_each_side(pcap: Path, host: str) -> None:
    """Every request of the application has one reply, which names it and has no error."""
    sent, answered, posted = Counter[int](), Counter[int](), set[int]()
    for (where, stream, from_host), headers in by_direction(pcap).items():
        if where != host:
            continue
        if from_host:
            posted.update(header.code for header in headers if header.message_type == 0)
            answered.update(header.code for header in headers if header.message_type == 1)
            continue
        sent.update(header.code for header in headers)
        requests = {header.sequence: header.code for header in headers}
        replies = [header for header in by_direction(pcap)[host, stream, True] if header.message_type == 1]
        assert all(requests[reply.reply_sequence] == reply.code for reply in replies)
        assert {reply.error for reply in replies} == {0}
    named = REQUESTS[host]
    assert {named.get(code, hex(code)) for code in sent} == set(named.values())
    assert answered == Counter({code: count for code, count in sent.items() if code not in WITHOUT_REPLY})
    assert posted == set(POSTS[host])


def test_the_secret_is_not_on_the_wire(pcap: Path) -> None:
    content = pcap.read_bytes()
    assert USER.encode() in content
    assert SECRET.encode() not in content
