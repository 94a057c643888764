"""One control connection to the host under test, on which anything can be sent and nothing that comes is lost."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import ndmp.messages  # noqa: F401  (fills the registries)
from duplicator.conformance.closing import close_writer
from duplicator.conformance.conduct import Conduct, Rule
from duplicator.conformance.deviation import Hang, HungUp
from duplicator.conformance.transcript import Direction, Entry, Transcript
from ndmp.connection import Header
from ndmp.enums import Error, MessageType
from ndmp.errors import RemoteProtocolError, XdrError
from ndmp.records import RecordReader, frame
from ndmp.wire import POSTS, REPLIES, Message, Post, Reply, Request, decode, encode

__all__ = ["Answer", "Session"]

_MAX_RECORD: Final = 4 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_HEADER: Final = 24


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply: its error, wherever it was said, and its body if there is one."""

    error: Error
    body: Reply | None
    in_header: bool
    sent: Entry
    entry: Entry


class Session:
    """A connection; ``name`` stands in transcripts. ``extensions``: class to version, decides how replies decode."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        name: str,
        transcript: Transcript,
        conduct: Conduct,
        deadline: float,
    ) -> None:
        self.name = name
        self.transcript = transcript
        self.deadline = deadline
        self.is_closed = False
        """The host has ended the connection."""
        self.has_hung = False
        self.is_logged_in = False
        self.extensions: dict[int, int] = {}
        self.used: set[int] = set()
        """Interfaces of which something was asked: the upper half of message codes."""
        self.posts: list[tuple[Post, Entry]] = []
        self.strays: list[Entry] = []
        """Replies that nobody asked for, and what is neither reply nor notification."""
        self.arrived: list[Entry] = []
        """All that came, in order."""
        self.sequence = 0
        self._reader, self._writer = reader, writer
        self._conduct = conduct
        self._records = RecordReader(_MAX_RECORD)
        self._due = 1
        self._is_plain = True
        """Nothing but whole records was sent."""
        self._asked: dict[int, Entry] = {}
        self._answers: dict[int, Answer] = {}

    @classmethod
    async def dial(
        cls,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        name: str,
        transcript: Transcript,
        conduct: Conduct,
        deadline: float,
    ) -> Session:
        """A new connection; OSError or TimeoutError when there is nobody."""
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=_CHUNK)
        return cls(reader, writer, name=name, transcript=transcript, conduct=conduct, deadline=deadline)

    @property
    def local_host(self) -> str:
        """Our address on this connection: one that the host can reach."""
        return str(self._writer.get_extra_info("sockname")[0])

    # -- sending -------------------------------------------------------------------------------------------------

    def header(self, code: int, **words: int) -> Header:
        """The header of the next request; ``words`` replace what is usual in it."""
        self.sequence += 1
        usual = {"sequence": self.sequence, "message_type": 0, "reply_sequence": 0, "error": 0, **words}
        return Header(
            usual["sequence"],
            int(time.time()),
            MessageType(usual["message_type"]),
            code,
            usual["reply_sequence"],
            Error(usual["error"]),
        )

    async def send(self, request: Request[Any]) -> int:
        """Send a request; its sequence number."""
        header = self.header(request.wire_code)
        return await self.send_record(header, encode(request), message=request)

    async def send_record(
        self, header: Header, body: bytes, *, message: Message | None = None, wire: bytes | None = None, note: str = ""
    ) -> int:
        """Send a record made by hand; ``wire``: how it is framed, if not in one fragment. Its sequence number."""
        record = header.encode() + body
        entry = self.transcript.add(Direction.SENT, self.name, header=header, message=message, raw=record, note=note)
        self._asked[header.sequence] = entry
        self._answers.pop(header.sequence, None)
        self.used.add(header.code >> 8)
        await self._write(frame(record) if wire is None else wire)
        return header.sequence

    async def send_bytes(self, wire: bytes, note: str) -> Entry:
        """Send bytes as they are; whatever is answered to them is not held against the host."""
        self._is_plain = False
        entry = self.transcript.add(Direction.SENT, self.name, raw=wire, note=note)
        await self._write(wire)
        return entry

    async def _write(self, wire: bytes) -> None:
        if self._writer.is_closing():
            return
        with suppress(OSError):  # that nobody is there shows when nothing comes
            self._writer.write(wire)
            async with asyncio.timeout(self.deadline):
                await self._writer.drain()

    def end_output(self) -> None:
        """Say that nothing more will come."""
        with suppress(OSError):
            self._writer.write_eof()

    # -- receiving -----------------------------------------------------------------------------------------------

    async def ask(self, request: Request[Any], *, deadline: float | None = None) -> Answer:
        """A request and its answer; Hang, HungUp."""
        return await self.answer_to(await self.send(request), deadline=deadline)

    async def answer_to(self, sequence: int, *, deadline: float | None = None) -> Answer:
        """The answer to what was sent with this number; Hang, HungUp."""
        sent = self._asked.get(sequence)
        await self.wait(lambda: sequence in self._answers, "an answer", sent=sent, deadline=deadline)
        return self._answers[sequence]

    def is_answered(self, sequence: int) -> bool:
        """Whether the answer is here."""
        return sequence in self._answers

    async def wait(
        self,
        holds: Callable[[], bool],
        expected: str,
        *,
        sent: Entry | None = None,
        deadline: float | None = None,
    ) -> None:
        """Take in what comes until something holds; Hang, HungUp."""
        seconds = deadline or self.deadline
        end = time.monotonic() + seconds
        while not holds():
            if self.is_closed:
                raise HungUp(expected, "the host hung up", sent=sent, answer=self._last())
            try:
                async with asyncio.timeout(max(end - time.monotonic(), 0.001)):
                    await self._take()
            except TimeoutError:
                self.has_hung = True
                raise Hang(expected, f"nothing within {seconds:g} s", sent=sent, answer=self._last()) from None

    async def closes(self, *, deadline: float | None = None) -> bool:
        """Whether the host ends the connection within the deadline."""
        try:
            await self.wait(lambda: self.is_closed, "the end of the connection", deadline=deadline)
        except Hang:
            self.has_hung = False
            return False
        return True

    def _last(self) -> Entry | None:
        return self.arrived[-1] if self.arrived else None

    async def _take(self) -> None:
        try:
            chunk = await self._reader.read(_CHUNK)
        except OSError:
            chunk = b""
        if not chunk:
            self.is_closed = True
            self.transcript.add(Direction.NOTE, self.name, note="the host ends the connection")
            return
        try:
            for record in self._records.feed(chunk):
                self._understand(record)
        except RemoteProtocolError as error:
            self.is_closed = True
            self.transcript.add(Direction.NOTE, self.name, raw=chunk[:64], note=str(error))

    # -- understanding -------------------------------------------------------------------------------------------

    def _understand(self, record: bytes) -> None:
        if len(record) < _HEADER:
            entry = self.transcript.add(Direction.CAME, self.name, raw=record, note="shorter than a header")
            self._conduct.breaks(Rule.DECODES, "a record that is shorter than a header", entry)
            return
        header = Header.decode(record)
        message, note = self._body(header, record[_HEADER:])
        entry = self.transcript.add(Direction.CAME, self.name, header=header, message=message, raw=record, note=note)
        self.arrived.append(entry)
        self._conduct.look_at(entry, expected_sequence=self._due)
        self._due = header.sequence + 1 if header.sequence != self._due else self._due + 1
        if note:
            self._conduct.breaks(Rule.DECODES, note, entry)
        self._sort(header, message, entry)

    def _sort(self, header: Header, message: Message | None, entry: Entry) -> None:
        if header.message_type == MessageType.REPLY:
            sent = self._asked.get(header.reply_sequence)
            if sent is None or header.reply_sequence in self._answers:
                self.strays.append(entry)
                if self._is_plain:
                    self._conduct.breaks(
                        Rule.SOLICITED, f"a reply to {header.reply_sequence}, which nobody awaits", entry
                    )
                return
            body = message if isinstance(message, Reply) else None
            error = header.error or (body.error if body else Error.NO_ERR)
            self._answers[header.reply_sequence] = Answer(error, body, bool(header.error), sent, entry)
        elif isinstance(message, Post):
            self.posts.append((message, entry))
        else:
            self.strays.append(entry)
            self._conduct.breaks(Rule.KNOWN, f"a notification of code {header.code:#x}", entry)

    def _body(self, header: Header, body: bytes) -> tuple[Message | None, str]:
        """The message, or None and why there is none."""
        code = header.code
        key = code, self.extensions.get(code >> 16, 1) if code >> 16 else 1
        if header.message_type == MessageType.REPLY:
            sent = self._asked.get(header.reply_sequence)
            if sent is not None and sent.header is not None and sent.header.code != code:
                return None, f"the code is {code:#x}, that of the request {sent.header.code:#x}"
            if header.error or (not body and code == 0x902):
                return None, ""
            declared: type[Message] | None = REPLIES.get(key)
        else:
            declared = POSTS.get(key)
        if declared is None:
            return None, "a message of this code is not declared" if body else ""
        try:
            return decode(declared, body), ""
        except XdrError as error:
            return None, str(error)

    # -- the end -------------------------------------------------------------------------------------------------

    async def hang_up(self) -> None:
        """Close the socket without a word."""
        await close_writer(self._writer)

    def abort(self) -> None:
        """Drop the connection as a crash would: by a reset."""
        self._writer.transport.abort()
