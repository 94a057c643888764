"""The Lua dissector and the report built on it, on captures written by hand from docs/fse.md and the draft."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.peers import dissect, every_byte_dissected, require_peer

PORT = 10000
TIME = "67000000"

GREETING = f"8000002c 00000001 {TIME} 00000000 00000502 00000000 00000000 00000000 00000004 00000005 48656c6c 6f000000"
OPEN = f"8000001c 00000001 {TIME} 00000000 00000900 00000000 00000000 00000004"
OPENED = f"8000001c 00000002 {TIME} 00000001 00000900 00000001 00000000 00000000"
SELECT = f"80000024 00000002 {TIME} 00000000 00000109 00000000 00000000 00000001 00007fe0 00000001"
MOTION = f"80000020 00000003 {TIME} 00000000 00000303 00000000 00000000 00000004 00000001"


def request(code: str, body: str, *, sequence: int = 2) -> str:
    """A request with an extension's code; its record mark counted here, all else as given."""
    return _record(f"{sequence:08x} {TIME} 00000000 {code} 00000000 00000000 {body}")


def reply(code: str, body: str, *, error: str = "00000000") -> str:
    """The reply to request 2."""
    return _record(f"00000002 {TIME} 00000001 {code} 00000002 {error} {body}")


def _record(words: str) -> str:
    return f"{0x80000000 + len(bytes.fromhex(words)):08x} {words}"


def capture_of(tmp_path: Path, segments: Sequence[str], *, port: int = PORT) -> Path:
    """A capture with one connection; each segment is '<' or '>' (from or to the server) and hex."""
    lines = []
    for segment in segments:
        payload = bytes.fromhex(segment[1:])
        lines.append("I" if segment[0] == "<" else "O")
        lines += [f"{at:06x} {payload[at : at + 16].hex(' ')}" for at in range(0, len(payload), 16)]
        lines.append("")
    text, pcap = tmp_path / "hex.txt", tmp_path / "made.pcap"
    text.write_text("\n".join(lines) + "\n")
    addresses = ["-4", "127.0.0.2,127.0.0.1", "-T", f"{port},45000"]
    subprocess.run([require_peer("text2pcap"), "-q", "-D", *addresses, text, pcap], check=True, timeout=30)
    return pcap


UNIT = "00000003 6c737500"  # "lsu"
IMAGE = "00000004 64622d31"  # "db-1"

EXTENSION_MESSAGES = [
    (request("7fe00001", ""), {"code": "0x7fe00001"}),
    (
        reply("7fe00001", "00000000 00000005 00000002 00000002 00000001"),
        {"body_error": "0x00000000", "features": "0x00000005", "features.write": "0", "algorithm": "2 1"},
    ),
    (request("7fe00002", ""), {}),
    (
        reply("7fe00002", f"00000000 00000002 {UNIT} 0000000000000010 0000000000000008 00000001"
              "00000000 0000000100000000 0000000000000000 00000000"),
        {"units": "2", "total": "16 4294967296", "free": "8 0", "writable": "1 0"},
    ),
    (request("7fe00003", f"{UNIT} {IMAGE} 000003e8"), {"unit": "lsu", "after": "db-1", "limit": "1000"}),
    (
        reply("7fe00003", f"00000000 00000001 {IMAGE} 0000000067000000 0000000000000200 00000003 00000001"),
        {"images": "1", "name": "db-1", "modified": "1728053248", "size": "512", "fragments": "3", "more": "1"},
    ),
    (request("7fe00004", f"{UNIT} {IMAGE}"), {"unit": "lsu", "image": "db-1"}),
    (
        reply("7fe00004", "00000000 0000000067000000 00000002 00000002 66310000 0000000000000001"
              "00000002 66320000 0000000000000002"),
        {"modified": "1728053248", "fragments": "2", "name": "f1 f2", "size": "1 2"},
    ),
    (request("7fe00005", f"{UNIT} {IMAGE} 00000001 00000002"), {"fragment": "1", "algorithm": "2"}),
    (reply("7fe00005", "00000000 ffffffffffffffff"), {"size": "18446744073709551615"}),
    (
        request("7fe00006", f"{UNIT} {IMAGE} 00000000 {IMAGE} 0000000000000400 00000001"),
        {"image": "db-1", "name": "db-1", "size": "1024", "algorithm": "1"},
    ),
    (reply("7fe00006", "7fe00002"), {"body_error": "0x7fe00002"}),
    (request("7fe00007", "00000001"), {"disposition": "1"}),
    (reply("7fe00007", "00000002"), {"body_error": "0x00000002"}),
    (request("7fe00008", ""), {}),
    (
        reply("7fe00008", "00000000 0000000000000400 0000000000000300 00000001 00000002"
              "00000008 0001020304050607"),
        {"size": "1024", "bytes_moved": "768", "changed": "1", "digest": "00:01:02:03:04:05:06:07"},
    ),
    (request("7fe00009", f"{UNIT} {IMAGE} 00000002"), {"unit": "lsu", "image": "db-1", "fragments": "2"}),
    (request("7fe0000a", f"{UNIT} {IMAGE}"), {"unit": "lsu", "image": "db-1"}),
    (
        request("7fe00010", "00000002 0000000000000400 00010000"),
        {"algorithm": "2", "size": "1024", "record_size": "65536"},
    ),
    (reply("7fe00011", "00000000 00000001 0000000000000200"), {"state": "1", "bytes_done": "512"}),
    (request("7fe00012", ""), {}),
    (request("7fe00013", "000000123456789a 00002800"), {"size": "78187493530", "record_size": "10240"}),
    (reply("7fe00013", "00000013"), {"body_error": "0x00000013"}),
    (
        request("7fe00080", "00000000 0000000000000400 0000000000000002 00000001 00000002 00000002 abcd0000"),
        {"body_error": "0x00000000", "size": "1024", "records": "2", "padding_clean": "1", "digest": "ab:cd"},
    ),
    (request("7ff00000", "00000002 68690000"), {"text": "hi"}),
    (request("7ff00000", "00000002 68690000 0000ffff"), {"text": "hi", "number": "65535"}),
    (reply("7ff00000", "00000000 00000002 68690000 00000007"), {"body_error": "0x00000000", "number": "7"}),
    (reply("7fe00001", "", error="00000001"), {"error": "0x00000001"}),
]  # fmt: skip


def test_every_extension_message_is_shown_field_by_field(tmp_path: Path) -> None:
    pcap = capture_of(tmp_path, ["<" + message for message, _ in EXTENSION_MESSAGES])
    shown = [pdu for segment in dissect(pcap, [PORT]) for pdu in segment.pdus]
    assert len(shown) == len(EXTENSION_MESSAGES)
    for pdu, (message, expected) in zip(shown, EXTENSION_MESSAGES, strict=True):
        found = {name: " ".join(pdu.values(f"ndmp_fse.{name}")) for name in expected}
        assert (found, pdu.experts, pdu.gaps) == (expected, (), 0), message


def _split_up(message: str, *sizes: int) -> list[str]:
    """The same bytes as several segments of a server; the last takes what is left."""
    text, parts = message.replace(" ", ""), []
    for size in sizes:
        parts.append("<" + text[: 2 * size])
        text = text[2 * size :]
    return [*parts, "<" + text]


def _fragmented(message: str, size: int) -> str:
    """The same record in two fragments, the first of ``size`` bytes (RFC 5531 section 11)."""
    body = bytes.fromhex(message)[4:]
    first, rest = body[:size], body[size:]
    return f"{len(first):08x} {first.hex()} {0x80000000 + len(rest):08x} {rest.hex()}"


UNITS = EXTENSION_MESSAGES[3][0]
CONVERSATIONS = {
    "one message a segment": (["<" + GREETING, ">" + OPEN, "<" + OPENED, ">" + SELECT], 4),
    "core, extension and core in one segment": ([">" + OPEN + request("7fe00001", "") + MOTION], 3),
    "the same after a core message": ([">" + OPEN, ">" + MOTION + request("7fe00001", "") + MOTION], 4),
    "extension first": ([">" + request("7fe00001", "", sequence=1) + SELECT + MOTION], 3),
    "one message over segments, the next in the last": (_split_up(UNITS + OPENED, 3, 47), 2),
    "a core message over segments": (_split_up(GREETING + UNITS, 1, 30, 10), 2),
    "an extension message in fragments": (["<" + _fragmented(UNITS, 10)], 1),
    "a core message in fragments": ([">" + _fragmented(MOTION, 26) + OPEN], 2),
}


@pytest.mark.parametrize("port", [PORT, 20001])
def test_messages_are_found_however_they_are_cut(tmp_path: Path, port: int) -> None:
    for name, (segments, messages) in CONVERSATIONS.items():
        report = every_byte_dissected(capture_of(tmp_path, segments, port=port), [port])
        assert (report.problems, report.pdus, report.connections) == ([], messages, 1), name


BROKEN = {
    "a string that ends outside": (request("7fe00004", "000000ff 6c737500"), "unit: the message ends inside it"),
    "a count without elements": (reply("7fe00002", "00000000 00000002"), "name: the message ends inside it"),
    "a huge count": (reply("7fe00002", "00000000 ffffffff"), "units: an implausible count"),
    "no body": (request("7fe00007", ""), "disposition: the message ends inside it"),
    "bytes left over": (request("7fe00007", "00000000 00000000"), "Bytes after the message"),
    "padding that is not zero": (request("7fe0000a", f"00000003 6c737501 {IMAGE}"), "Padding is not zero"),
    "neither request nor reply": (request("7fe00001", "").replace("00000000 7fe0", "00000002 7fe0"), "neither"),
    "shorter than a header": (_record("00000001 67000000"), "shorter than a header"),
    "a record of no bytes": ("80000000 00000000", "not a record mark"),
    "a record too long": ("81000001 00000000", "not a record mark"),
    "a message of nobody": (request("20500001", "00000000"), "Unknown message"),
    "a core message cut short": (request("00000303", "00000004"), "_ws.malformed"),
    "a core message too long": (request("00000303", "00000004 00000001 00000000"), "4 bytes belong to no field"),
    "the last message cut off": (OPEN[:-8], "bytes after the last whole message"),
}


def test_what_is_broken_is_reported(tmp_path: Path) -> None:
    for name, (message, problem) in BROKEN.items():
        report = every_byte_dissected(capture_of(tmp_path, [">" + message]), [PORT])
        assert any(problem in found for found in report.problems), (name, report.problems)
        assert not any("Lua" in found for found in report.problems), name


def test_a_stream_cut_anywhere_never_breaks_the_dissector(tmp_path: Path) -> None:
    whole = bytes.fromhex(UNITS)
    for length in range(28, len(whole), 4):
        message = whole[4:length]
        cut = f"{0x80000000 + len(message):08x} {message.hex()}"
        report = every_byte_dissected(capture_of(tmp_path, ["<" + cut]), [PORT])
        assert any("the message ends inside it" in found for found in report.problems), length
        assert not any("Lua" in found for found in report.problems), length
