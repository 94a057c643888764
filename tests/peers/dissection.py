"""What tshark shows of a capture: TCP segments, and the NDMP messages in them, built-in and extension alike."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.peers.requirements import require_peer

__all__ = ["LUA_DISSECTOR", "Endpoint", "Header", "Segment", "ShownPdu", "dissect"]

LUA_DISSECTOR = Path(__file__).parents[2] / "contrib" / "wireshark" / "ndmp_fse.lua"

FAULTS = frozenset(
    [
        *("data", "_ws.malformed", "_ws.short", "_ws.unreassembled"),
        *("tcp.analysis.retransmission", "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission"),
        *("tcp.analysis.lost_segment", "tcp.analysis.out_of_order"),
    ]
)
"""Names that tshark gives to what it could not dissect, or did not capture whole."""

HEADER_FIELDS = {
    "ndmp": ("sequence", "msg_type", "msg", "reply_sequence", "error"),
    "ndmp_fse": ("sequence", "type", "code", "reply_sequence", "error"),
}


class Endpoint(NamedTuple):
    """One end of a TCP connection."""

    host: str
    port: int


class Header(NamedTuple):
    """The header of an NDMP message, but for its time (draft 2.7)."""

    sequence: int
    message_type: int
    code: int
    reply_sequence: int
    error: int


@dataclass(frozen=True)
class ShownPdu:
    """A message as tshark shows it: every field in order, name and displayed value."""

    protocol: str
    frame: int
    header: Header | None
    fields: tuple[tuple[str, str], ...]
    experts: tuple[str, ...]
    gaps: int
    """Bytes of the message that belong to no field."""

    def values(self, name: str) -> list[str]:
        """Return what is shown for a field, once for every time it occurs."""
        return [shown for field, shown in self.fields if field == name]


@dataclass(frozen=True)
class Segment:
    """A TCP segment: its payload, and the messages that tshark shows as ending in it."""

    frame: int
    stream: int
    source: Endpoint
    position: int
    """Relative sequence number of the first payload byte; 1 is the first of the connection."""
    payload: bytes
    pdus: tuple[ShownPdu, ...]
    problems: tuple[str, ...]


def dissect(pcap: Path, ports: Sequence[int]) -> list[Segment]:
    """Return the segments with payload on the given NDMP ports, as tshark with our Lua dissector shows them."""
    listed = ",".join(map(str, ports))
    command = [
        *(require_peer("tshark"), "-r", str(pcap), "-n", "-T", "pdml"),
        *("-X", f"lua_script:{LUA_DISSECTOR}", "-o", f"ndmp_fse.ports:{listed}"),
        *("-Y", f"tcp.port in {{{listed}}} && tcp.len > 0"),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    # tshark cuts what it shows of UTF-8 names within a character.
    shown = ElementTree.fromstring(done.stdout.decode(errors="replace"))
    return [_segment(packet) for packet in shown.iter("packet")]


def _segment(packet: ElementTree.Element) -> Segment:
    protocols = list(packet.findall("proto"))
    tcp = next(proto for proto in protocols if proto.get("name") == "tcp")
    frame = int(_shown(packet, "frame.number"))
    return Segment(
        frame=frame,
        stream=int(_shown(tcp, "tcp.stream")),
        source=Endpoint(_shown(packet, "ip.src"), int(_shown(tcp, "tcp.srcport"))),
        position=int(_shown(tcp, "tcp.seq")),
        payload=bytes.fromhex(_field(tcp, "tcp.payload").get("value", "")),
        pdus=tuple(_pdu(proto, frame) for proto in protocols if proto.get("name") in HEADER_FIELDS),
        problems=tuple(_problems(packet)),
    )


def _problems(packet: ElementTree.Element) -> Iterator[str]:
    for item in packet.iter():
        name = item.get("name", "")
        if name in FAULTS or "Lua Error" in item.get("show", "") + item.get("showname", ""):
            yield f"{name}: {item.get('showname') or item.get('show')}"


def _pdu(proto: ElementTree.Element, frame: int) -> ShownPdu:
    fields = list(proto.iter("field"))
    return ShownPdu(
        protocol=proto.get("name", ""),
        frame=frame,
        header=_header(proto),
        fields=tuple((field.get("name", ""), field.get("show", "")) for field in fields),
        experts=tuple(field.get("show", "") for field in fields if field.get("name") == "_ws.expert.message"),
        gaps=_gaps(proto),
    )


def _header(proto: ElementTree.Element) -> Header | None:
    protocol = proto.get("name", "")
    found = [proto.find(f".//field[@name='{protocol}.{name}']") for name in HEADER_FIELDS[protocol]]
    words = [int(field.get("value", ""), 16) for field in found if field is not None]
    return Header(*words) if len(words) == len(found) else None


def _gaps(proto: ElementTree.Element) -> int:
    # A label over other fields accounts for nothing; it has no name of its own or no value.
    start, size = int(proto.get("pos", "0")), int(proto.get("size", "0"))
    missing = set(range(start, start + size))
    for field in proto.iter("field"):
        named = field.get("name", "") not in ("", "_ws.lua.text") and field.get("value")
        if named or field.find("field") is None:
            at = int(field.get("pos", "0"))
            missing.difference_update(range(at, at + int(field.get("size", "0"))))
    return len(missing)


def _field(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    found = parent.find(f".//field[@name='{name}']")
    if found is None:
        raise LookupError(f"tshark shows no {name}")
    return found


def _shown(parent: ElementTree.Element, name: str) -> str:
    return _field(parent, name).get("show", "")
