"""Dialogues between two ndmjobs, followed by our two ends: what they said is what ours would have sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ndmp.auth import md5_digest
from ndmp.connection import Connection, Header, PostReceived, ReplyReceived, RequestReceived
from ndmp.enums import Error
from ndmp.messages.config import ConfigGetAuthAttrReply
from ndmp.messages.connect import AuthMd5, AuthMd5Attributes, ConnectClientAuth

FIXTURES = Path(__file__).parents[2] / "fixtures"
Dialogue = list[tuple[str, bytes]]


def dialogues() -> dict[str, Dialogue]:
    """Every recorded connection, by file and command."""
    found: dict[str, Dialogue] = {}
    for path in sorted(FIXTURES.glob("ndmjob_*.hex")):
        for line in path.read_text().splitlines():
            direction, _, rest = line.partition(" ")
            if direction == "#":
                records = found[f"{path.stem}: {rest}"] = []
            else:
                records.append((direction, bytes.fromhex(rest)))
    return found


DIALOGUES = dialogues()


def test_there_are_dialogues() -> None:
    assert sum(len(dialogue) for dialogue in DIALOGUES.values()) > 200


@pytest.mark.parametrize("name", DIALOGUES)
def test_every_record_is_understood_and_sent_alike(name: str) -> None:
    """Each end also decodes what the other said, and sends the same bytes with the same sequence number."""
    application, host = Connection(), Connection()
    for direction, record in DIALOGUES[name]:
        (event,) = (application if direction == "<" else host).receive(record)
        now = event.header.time_stamp
        match event:
            case RequestReceived(_, message):
                sent = application.send_request(message, now=now)[1]
            case PostReceived(_, message):
                sent = host.send_post(message, now=now)
            case ReplyReceived(header, None):
                sent = host.send_error(_request_of(header), header.error, now=now)
            case ReplyReceived(header, message):
                sent = host.send_reply(_request_of(header), message, now=now)
            case _:
                pytest.fail(f"not understood: {record.hex(' ', 4)}")
        assert sent == record


def _request_of(reply: Header) -> Header:
    """As much of the request's header as an answer repeats."""
    return replace(reply, sequence=reply.reply_sequence)


@pytest.mark.parametrize("name", DIALOGUES)
def test_ndmjob_computes_the_digest_as_we_do(name: str) -> None:
    host, application = Connection(), Connection()
    challenge, digests = b"", []
    for direction, record in DIALOGUES[name]:
        if direction == "<":
            (event,) = application.receive(record)
            match event:
                case ReplyReceived(_, ConfigGetAuthAttrReply(Error.NO_ERR, AuthMd5Attributes(given))):
                    challenge = given
            continue
        (event,) = host.receive(record)
        application.send_request(event.message, now=0)
        match event:
            case RequestReceived(_, ConnectClientAuth(AuthMd5("ndmp", digest))):
                digests.append((digest, md5_digest(b"ndmp", challenge)))
    assert len(digests) == 1
    assert digests[0][0] == digests[0][1]
