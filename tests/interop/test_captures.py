"""The captures in fixtures/: what we decode is what tshark shows, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from ndmp.connection import Event, PostReceived, ReplyReceived, RequestReceived
from tests.ndmp.captures import CAPTURES, PORT, conversations
from tests.ndmp.test_captures import followed
from tests.peers import Segment, ShownPdu, dissect
from tests.peers.dissection import Header

SHOWN = {
    "ndmp.addr.ip": "TcpEndpoint.ipv4",
    "ndmp.addr.tcp_port": "TcpEndpoint.port",
    "ndmp.addr_type": "LocalAddress TcpAddresses *.address_type *.address_types",
    "ndmp.auth.challenge": "AuthMd5Attributes.challenge",
    "ndmp.auth.digest": "AuthMd5.digest",
    "ndmp.auth.id": "AuthText.user AuthMd5.user",
    "ndmp.auth.password": "AuthText.password",
    "ndmp.auth_type": "AuthText AuthMd5 AuthMd5Attributes *.auth_type *.auth_types",
    "ndmp.bu.destination_dir": "RecoverName.destination_path",
    "ndmp.bu.new_name": "RecoverName.name",
    "ndmp.bu.operation": "DataGetStateReply.operation",
    "ndmp.bu.original_path": "RecoverName.original_path",
    "ndmp.bu.other_name": "RecoverName.other_name",
    "ndmp.bu.state.invalid": "DataGetStateReply.unsupported",
    "ndmp.butype.attr": "ButypeInfo.attributes",
    "ndmp.butype.env.name": "Pval.name",
    "ndmp.butype.env.value": "Pval.value",
    "ndmp.butype.name": "ButypeInfo.name *.butype",
    "ndmp.bytes_left_to_read": "MoverGetStateReply.bytes_left_to_read",
    "ndmp.connected": "NotifyConnectionStatus.reason",
    "ndmp.connected.reason": "NotifyConnectionStatus.text",
    "ndmp.count": "*.count",
    "ndmp.data": "TapeWrite.block TapeReadReply.block",
    "ndmp.data.bytes_processed": "DataGetStateReply.bytes_processed",
    "ndmp.data.est_bytes_remain": "DataGetStateReply.est_bytes_remain",
    "ndmp.data.est_time_remain": "DataGetStateReply.est_time_remain",
    "ndmp.data.halted": "DataGetStateReply.halt_reason",
    "ndmp.data.state": "DataGetStateReply.state",
    "ndmp.data.written": "MoverGetStateReply.bytes_moved",
    "ndmp.error": "*.error",
    "ndmp.execute_cdb.cdb_len": "ScsiExecuteCdb.cdb",
    "ndmp.execute_cdb.datain_len": "ScsiExecuteCdb.datain_len ScsiExecuteCdbReply.datain",
    "ndmp.execute_cdb.dataout_len": "ScsiExecuteCdb.dataout ScsiExecuteCdbReply.dataout_len",
    "ndmp.execute_cdb.flags": "ScsiExecuteCdb.flags",
    "ndmp.execute_cdb.sns_len": "ScsiExecuteCdbReply.sense",
    "ndmp.execute_cdb.status": "ScsiExecuteCdbReply.status",
    "ndmp.execute_cdb.timeout": "ScsiExecuteCdb.timeout",
    "ndmp.file": "UnixName.path",
    "ndmp.file.atime": "FileStat.atime",
    "ndmp.file.ctime": "FileStat.ctime",
    "ndmp.file.fattr": "FileStat.attributes",
    "ndmp.file.fh_info": "*.fh_info",
    "ndmp.file.fs_type": "UnixName FileStat.fs_type",
    "ndmp.file.group": "FileStat.group",
    "ndmp.file.invalid": "FileStat.unsupported",
    "ndmp.file.links": "FileStat.links",
    "ndmp.file.mtime": "FileStat.mtime",
    "ndmp.file.node": "*.node",
    "ndmp.file.owner": "FileStat.owner",
    "ndmp.file.parent": "FhDir.parent",
    "ndmp.file.size": "FileStat.size",
    "ndmp.file.type": "FileStat.file_type",
    "ndmp.fs.avail_size": "FsInfo.avail_size",
    "ndmp.fs.env.name": "Pval.name",
    "ndmp.fs.env.value": "Pval.value",
    "ndmp.fs.invalid": "FsInfo.unsupported",
    "ndmp.fs.logical_device": "FsInfo.logical_device",
    "ndmp.fs.physical_device": "FsInfo.physical_device",
    "ndmp.fs.status": "FsInfo.status",
    "ndmp.fs.total_inodes": "FsInfo.total_inodes",
    "ndmp.fs.total_size": "FsInfo.total_size",
    "ndmp.fs.type": "FsInfo.fs_type",
    "ndmp.fs.used_inodes": "FsInfo.used_inodes",
    "ndmp.fs.used_size": "FsInfo.used_size",
    "ndmp.halt": "MoverGetStateReply.halt_reason NotifyMoverHalted.reason NotifyDataHalted.reason",
    "ndmp.hostid": "ConfigGetHostInfoReply.hostid",
    "ndmp.hostname": "ConfigGetHostInfoReply.hostname",
    "ndmp.log.message": "LogMessage.entry",
    "ndmp.log.message.id": "LogMessage.message_id",
    "ndmp.log.type": "LogMessage.log_type",
    "ndmp.mover.mode": "MoverGetStateReply.mode MoverListen.mode",
    "ndmp.mover.pause": "MoverGetStateReply.pause_reason NotifyMoverPaused.reason",
    "ndmp.mover.state": "MoverGetStateReply.state",
    "ndmp.os.type": "ConfigGetHostInfoReply.os_type",
    "ndmp.os.version": "ConfigGetHostInfoReply.os_version",
    "ndmp.record.num": "MoverGetStateReply.record_num",
    "ndmp.record.size": "MoverGetStateReply.record_size MoverSetRecordSize.length",
    "ndmp.resid_count": "TapeMtioReply.resid_count",
    "ndmp.scsi.device": "ScsiOpen.device",
    "ndmp.scsi.model": "ScsiDeviceInfo.model",
    "ndmp.seek.position": "*.seek_position",
    "ndmp.server.product": "ConfigGetServerInfoReply.product",
    "ndmp.server.revision": "ConfigGetServerInfoReply.revision",
    "ndmp.server.vendor": "ConfigGetServerInfoReply.vendor",
    "ndmp.tape.attr": "DeviceCapability.attributes ScsiDeviceCapability.attributes",
    "ndmp.tape.cap.name": "Pval.name",
    "ndmp.tape.cap.value": "Pval.value",
    "ndmp.tape.device": "TapeOpen.device DeviceCapability.device ScsiDeviceCapability.device",
    "ndmp.tape.flags": "TapeGetStateReply.flags",
    "ndmp.tape.invalid": "TapeGetStateReply.unsupported",
    "ndmp.tape.model": "DeviceInfo.model",
    "ndmp.tape.mtio.op": "TapeMtio.operation",
    "ndmp.tape.open_mode": "TapeOpen.mode",
    "ndmp.tape.status.block_no": "TapeGetStateReply.blockno",
    "ndmp.tape.status.block_size": "TapeGetStateReply.block_size",
    "ndmp.tape.status.file_num": "TapeGetStateReply.file_num",
    "ndmp.tape.status.soft_errors": "TapeGetStateReply.soft_errors",
    "ndmp.tape.status.space_remain": "TapeGetStateReply.space_remain",
    "ndmp.tape.status.total_space": "TapeGetStateReply.total_space",
    "ndmp.version": "ConnectOpen.protocol_version NotifyConnectionStatus.version",
    "ndmp.window.length": "MoverGetStateReply.window_length DataGetStateReply.read_length *.length",
    "ndmp.window.offset": "MoverGetStateReply.window_offset DataGetStateReply.read_offset *.offset",
}
"""Field of tshark: our fields with the same bytes; "*" is any message, a class alone is a discriminant."""

NOT_SHOWN = {"LogMessage.associated", "LogMessage.sequence"}
"""What tshark 4.0 leaves out of messages that it knows."""
UNKNOWN_TO_TSHARK = {0x40B}
"""DATA_START_RECOVER_FILEHIST."""
ARMS = {"LocalAddress": 0, "TcpAddresses": 1, "AuthText": 1, "AuthMd5": 2, "AuthMd5Attributes": 2, "UnixName": 0}
OF_HEADER = {"ndmp.error", "ndmp.version"}
"""Shown once more, first, for the header."""


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name.partition(".")[0])
def test_every_field_is_as_tshark_shows_it(capture: Path) -> None:
    segments = sorted(dissect(capture, [PORT]), key=lambda segment: segment.stream)
    streams = [list(found) for _, found in groupby(segments, key=lambda segment: segment.stream)]
    for conversation, stream in zip(conversations(capture), streams, strict=True):
        events = [event for event, _ in followed(conversation)]
        shown = [(segment, pdu) for segment in stream for pdu in segment.pdus]
        for side in "<>":
            ours = [event for event, sent in zip(events, conversation, strict=True) if sent.direction == side]
            theirs = [pdu for segment, pdu in shown if direction(segment) == side]
            for event, pdu in zip(ours, theirs, strict=True):
                assert header(event) == pdu.header
                assert differences(event, pdu) == {}, f"{capture.name}, frame {pdu.frame}, {event}"


def direction(segment: Segment) -> str:
    return "<" if segment.source.port == PORT else ">"


def header(event: Event) -> Header:
    """Ours as tshark's."""
    ours = event.header
    return Header(ours.sequence, ours.message_type, ours.code, ours.reply_sequence, ours.error)


def differences(event: Event, pdu: ShownPdu) -> dict[str, object]:
    """By field: what tshark shows and what we have, or that only one of us has it."""
    assert isinstance(event, RequestReceived | ReplyReceived | PostReceived)
    if event.message is None or event.header.code in UNKNOWN_TO_TSHARK:
        return {}
    ours, missed = list(leaves(event.message)), {name for name, _ in leaves(event.message)} - NOT_SHOWN
    found: dict[str, object] = {}
    for field in {name for name, _ in pdu.fields} & set(SHOWN):
        same = {name for name, _ in ours if names(name) & set(SHOWN[field].split())}
        mine = [value for name, value in ours if name in same]
        expected = [len(value) if field.endswith("_len") and isinstance(value, bytes) else value for value in mine]
        values = [number_or_text(field, shown) for shown in pdu.values(field)][field in OF_HEADER :]
        missed -= same
        if values != expected:
            found[field] = (values, expected)
    return found | dict.fromkeys(missed, "not shown")


def names(leaf: str) -> set[str]:
    return {leaf, "*." + leaf.partition(".")[2]}


def leaves(message: object) -> Iterator[tuple[str, Any]]:
    """The values in a message in wire order, each with class and name of its field."""
    kind = type(message).__name__
    if kind in ARMS:
        yield kind, ARMS[kind]
    for field in dataclasses.fields(message):  # type: ignore[arg-type]
        value = getattr(message, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(item):
                yield from leaves(item)
            else:
                yield f"{kind}.{field.name}", item


def number_or_text(field: str, shown: str) -> object:
    """What tshark shows as the value that we would have."""
    if field.endswith("time") and shown.endswith("UTC"):
        return int(datetime.strptime(shown, "%b %d, %Y %H:%M:%S.000000000 UTC").replace(tzinfo=UTC).timestamp())
    if field == "ndmp.data.est_time_remain":
        return int(shown.partition(".")[0])
    if field == "ndmp.addr.ip":
        return int.from_bytes(bytes(map(int, shown.split("."))), "big")
    if field in {"ndmp.data", "ndmp.auth.challenge", "ndmp.auth.digest"}:
        return bytes.fromhex(shown.replace(":", ""))
    return int(shown, 0) if field not in TEXTS else shown


TEXTS = {
    *("ndmp.auth.id", "ndmp.auth.password", "ndmp.connected.reason", "ndmp.file", "ndmp.hostid", "ndmp.hostname"),
    *("ndmp.bu.destination_dir", "ndmp.bu.new_name", "ndmp.bu.original_path", "ndmp.bu.other_name"),
    *("ndmp.butype.env.name", "ndmp.butype.env.value", "ndmp.butype.name", "ndmp.fs.env.name", "ndmp.fs.env.value"),
    *("ndmp.fs.logical_device", "ndmp.fs.physical_device", "ndmp.fs.status", "ndmp.fs.type", "ndmp.log.message"),
    *("ndmp.os.type", "ndmp.os.version", "ndmp.scsi.device", "ndmp.scsi.model", "ndmp.tape.cap.name"),
    *("ndmp.server.product", "ndmp.server.revision", "ndmp.server.vendor", "ndmp.tape.cap.value"),
    *("ndmp.tape.device", "ndmp.tape.model"),
}
