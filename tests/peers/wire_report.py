"""Does tshark understand every byte of the control connections in a capture? Counted against the bytes themselves."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.dissection import Endpoint, Header, Segment, ShownPdu, dissect

__all__ = ["WireReport", "every_byte_dissected"]

LAST_FRAGMENT = 0x80000000
BUILTIN_GAPS = {0x603: 8}
"""Bytes at the end of a message that the built-in dissector leaves out: LOG_MESSAGE in its form of version 3."""
UNKNOWN_TO_TSHARK = frozenset({0x40B})
"""Messages that it knows by no name, and shows with their header alone: DATA_START_RECOVER_FILEHIST."""
SCSI_EXECUTE_CDB = 0x206
SCSI_BYTES = {0: ("cdb_len",), 1: ("datain_len", "sns_len")}
"""What of requests and replies it hands on, by length, to its dissector of SCSI, outside the message."""

Direction = tuple[int, Endpoint]


@dataclass
class WireReport:
    """What a capture holds, and all that tshark did not understand of it."""

    connections: int = 0
    pdus: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def every_byte_dissected(pcap: Path, ports: Sequence[int]) -> WireReport:
    """Compare the messages that tshark shows with those that the bytes of each connection hold."""
    directions: dict[Direction, list[Segment]] = defaultdict(list)
    for segment in dissect(pcap, ports):
        directions[segment.stream, segment.source].append(segment)
    report = WireReport(connections=len({stream for stream, _ in directions}))
    for (stream, source), segments in directions.items():
        where = f"connection {stream} from {source.host}:{source.port}"
        report.problems += [f"{where}: {problem}" for problem in _check(segments, report)]
    return report


def _check(segments: Sequence[Segment], report: WireReport) -> Iterator[str]:
    shown = [pdu for segment in segments for pdu in segment.pdus]
    for segment in segments:
        yield from (f"frame {segment.frame}: {problem}" for problem in _segment_problems(segment))
    for pdu in shown:
        yield from (f"frame {pdu.frame}: {problem}" for problem in _pdu_problems(pdu))
    stream, hole = _join(segments)
    if hole:
        yield hole
    sent, leftover = _split(stream)
    report.pdus += len(sent)
    report.codes.update(header.code for header in sent)
    if leftover:
        yield f"{leftover} bytes after the last whole message"
    if sent != [pdu.header for pdu in shown]:
        yield f"{len(sent)} messages were sent, tshark shows {len(shown)}: {_first_difference(sent, shown)}"


def _segment_problems(segment: Segment) -> Iterator[str]:
    """All but bytes of SCSI that are only counted."""
    holds_scsi = any(pdu.header and pdu.header.code == SCSI_EXECUTE_CDB for pdu in segment.pdus)
    return (problem for problem in segment.problems if not (holds_scsi and problem.startswith("data: ")))


def _pdu_problems(pdu: ShownPdu) -> Iterator[str]:
    code = pdu.header.code if pdu.header else 0
    if code in UNKNOWN_TO_TSHARK:
        return
    yield from pdu.experts
    if pdu.gaps and pdu.gaps != _known_gap(pdu, code):
        yield f"message {code:#x}: {pdu.gaps} bytes belong to no field"


def _known_gap(pdu: ShownPdu, code: int) -> int:
    if code != SCSI_EXECUTE_CDB or not pdu.header:
        return BUILTIN_GAPS.get(code, 0)
    lengths = [pdu.values(f"ndmp.execute_cdb.{name}") for name in SCSI_BYTES[pdu.header.message_type]]
    return sum(int(length) + -int(length) % 4 for shown in lengths for length in shown)


def _join(segments: Sequence[Segment]) -> tuple[bytes, str]:
    stream = b""
    for segment in segments:
        if segment.position != 1 + len(stream):
            return stream, f"frame {segment.frame}: starts at {segment.position}, expected {1 + len(stream)}"
        stream += segment.payload
    return stream, ""


def _split(stream: bytes) -> tuple[list[Header], int]:
    """Return the headers of the whole records in a stream (RFC 5531 section 11) and the count of bytes left over."""
    headers, start, at, record = [], 0, 0, b""
    while at + 4 <= len(stream):
        mark = int.from_bytes(stream[at : at + 4])
        at += 4 + mark % LAST_FRAGMENT
        if at > len(stream):
            break
        record += stream[at - mark % LAST_FRAGMENT : at]
        if mark & LAST_FRAGMENT:
            headers.append(_parse_header(record))
            start, record = at, b""
    return headers, len(stream) - start


def _parse_header(record: bytes) -> Header:
    sequence, _time, message_type, code, reply_sequence, error = struct.unpack(">6I", record[:24].ljust(24, b"\xff"))
    return Header(sequence, message_type, code, reply_sequence, error)


def _first_difference(sent: Sequence[Header], shown: Sequence[ShownPdu]) -> str:
    for index, header in enumerate(sent):
        if index >= len(shown) or shown[index].header != header:
            return f"message {index} is {header}"
    return "tshark shows more than was sent"
