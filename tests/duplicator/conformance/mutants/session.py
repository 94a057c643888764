"""Sessions that are broken in one way each: greeting, login, framing."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

from typing import Any

from ndmp.connection import Connection, Header
from ndmp.enums import (
    ConnectionReason,
    Error,
)
from ndmp.errors import RemoteProtocolError
from ndmp.messages.connect import AuthMd5, ConnectOpenReply
from ndmp.messages.notify import (
    NotifyConnectionStatus,
)
from ndmp.records import RecordReader
from ndmp.services import connect as connect_service
from ndmp.services.config import ConfigService
from ndmp.services.connect import ConnectService
from ndmp.services.session import Session
from ndmp.states import ConnectionEvent
from tests.duplicator.conformance.mutation import (
    Method,
    Mutant,
    Patch,
    allows,
    around,
    both,
    changes,
    forgets,
    instead,
    replaced,
    yes,
)

__all__ = ["SESSION"]

OK = Error.NO_ERR


def _greet(version: int, text: str) -> Patch:
    greeting = NotifyConnectionStatus(ConnectionReason.CONNECTED, version, text)
    return replaced(Session, "greet", lambda session: session._outbox.post(greeting))


def _sends_as_post_zero(true: Method) -> Method:
    """Notifications do not count."""

    def send(connection: Connection, message: Any, *, now: int) -> bytes:
        wire = true(connection, message, now=now)
        connection._sequence -= 1
        return wire

    return send


def _with_body(true: Method) -> Method:
    """A header that has an error is followed by zeros."""

    def send(connection: Connection, to: Header, error: Error, *, now: int) -> bytes:
        wire = true(connection, to, error, now=now)
        return (int.from_bytes(wire[:4], "big") + 4).to_bytes(4, "big") + wire[4:] + bytes(4)

    return send


def _unanswered(code: int) -> Patch:
    """Messages with an unknown code, or an undecodable body, are swallowed."""

    def make(true: Method) -> Method:
        def refuse(session: Session, header: Header, error: Error) -> None:
            if error != Error(code):
                true(session, header, error)

        return refuse

    return around(Session, "_refuse_by_header", make)


def _hangs_up_on_short_records(true: Method) -> Method:
    def next_record(reader: RecordReader) -> bytes | None:
        record: bytes | None = true(reader)
        if record is not None and len(record) < 24:
            raise RemoteProtocolError("too short")
        return record

    return next_record


def _a_fragment_is_a_record(true: Method) -> Method:
    def next_record(reader: RecordReader) -> bytes | None:
        fragment = reader._next_fragment() if reader._at != len(reader._input) else None
        reader._record = bytearray()
        return fragment

    return next_record


def _only_the_first(true: Method) -> Method:
    """Of several records in one segment the first is read."""

    def push(session: Session, chunk: bytes) -> None:
        length = 4 + (int.from_bytes(chunk[:4], "big") & 0x7FFFFFFF) if len(chunk) > 4 else len(chunk)
        true(session, chunk[:length])

    return push


_KNOWN: dict[bytes, bytes] = {}


def _any_challenge(true: Method) -> Method:
    """A digest counts for each challenge that was ever given."""

    def proves(service: ConnectService, request: Any, challenge: bytes | None) -> bool:
        if not isinstance(request.proof, AuthMd5):
            return bool(true(service, request, challenge))
        return any(true(service, request, each) for each in _KNOWN.values())

    return proves


def _remembers(true: Method) -> Method:
    def new(service: ConnectService) -> bytes:
        challenge: bytes = true(service)
        return _KNOWN.setdefault(challenge, challenge)

    return new


def _constant_challenge(service: Any) -> bytes:
    service._challenge = bytes(range(64))
    return bytes(range(64))


def _own_challenges(true: Method) -> Method:
    """An older challenge of the same session counts too."""

    def new(service: Any) -> bytes:
        before, challenge = service._challenge, true(service)
        service._challenge = before or challenge
        return bytes(challenge)

    return new


SESSION = (
    Mutant("greets with a text", _greet(4, "Hello"), ("connect.greeting",)),
    Mutant("greets with version 3", _greet(3, ""), ("connect.greeting",)),
    Mutant("accepts any version", yes(ConnectService, "_open", ConnectOpenReply(OK)), ("connect.open",)),
    Mutant(
        "names another error for a version",
        instead(ConnectService, "_open", {Error.ILLEGAL_ARGS: Error.NOT_SUPPORTED}),
        ("connect.open",),
    ),
    Mutant(
        "accepts CONNECT_OPEN late",
        allows(
            connect_service,
            "CONNECTION",
            connect_service.ConnectionState.AUTHORIZED,
            ConnectionEvent.OPEN,
            connect_service.ConnectionState.AUTHORIZED,
        ),
        ("connect.open",),
    ),
    Mutant("lets strangers in", forgets(Session, "_audit_stranger"), ("early",)),
    Mutant(
        "tells strangers its name",
        changes(ConfigService, "_server_info", vendor="V", product="P"),
        ("early.CONFIG_GET_SERVER_INFO",),
    ),
    Mutant(
        "gives the same challenge again",
        replaced(ConnectService, "new_challenge", _constant_challenge),
        ("auth",),
    ),
    Mutant(
        "accepts an outdated challenge", around(ConnectService, "new_challenge", _own_challenges), ("login.outdated",)
    ),
    Mutant(
        "accepts a replayed digest",
        both(
            around(ConnectService, "new_challenge", _remembers),
            around(ConnectService, "_proves", _any_challenge),
        ),
        ("login.replayed",),
    ),
    Mutant("accepts any password", replaced(connect_service, "digests_equal", lambda one, other: True), ("login",)),
    Mutant(
        "does not count notifications", around(Connection, "send_post", _sends_as_post_zero), ("mover.abort", "conduct")
    ),
    Mutant("sends a body after an error", around(Connection, "send_error", _with_body), ("unknown", "conduct")),
    Mutant("swallows unknown messages", _unanswered(Error.NOT_SUPPORTED), ("unknown.0xb00",)),
    Mutant("swallows what does not decode", _unanswered(Error.XDR_DECODE), ("body.short.TAPE_OPEN",)),
    Mutant(
        "hangs up on a short record",
        around(RecordReader, "next_record", _hangs_up_on_short_records),
        ("header.short",),
    ),
    Mutant("takes a fragment for a record", around(RecordReader, "next_record", _a_fragment_is_a_record), ("framing",)),
    Mutant("reads one record of a segment", around(Session, "push", _only_the_first), ("framing.pipelined",)),
)
