"""Records, headers and bodies as bytes: how they may come, and what becomes of bad ones (draft 2.6 to 2.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MAY, MUST, SHOULD, Check, Level, Step, rows
from duplicator.conformance.deviation import Deviation, Hang, HungUp
from duplicator.conformance.expectation import ANY_ANSWER, ANY_ERROR, Errors
from duplicator.conformance.requests import CORE
from duplicator.conformance.situations import LOGGED_IN, NEW
from duplicator.conformance.steps import ask, same_session_answers
from ndmp.enums import Error
from ndmp.messages.config import ConfigGetHostInfo, ConfigGetServerInfo
from ndmp.records import LAST_FRAGMENT
from ndmp.wire import encode

__all__ = ["CHECKS"]

E: Final = Error
SERVER_INFO: Final = ConfigGetServerInfo.wire_code
HOST_INFO: Final = ConfigGetHostInfo.wire_code


def _fragment(part: bytes, *, last: bool = False) -> bytes:
    return ((LAST_FRAGMENT if last else 0) | len(part)).to_bytes(4, "big") + part


def _fragments(parts: Sequence[bytes]) -> bytes:
    return b"".join(_fragment(part, last=index == len(parts) - 1) for index, part in enumerate(parts))


def _cut(*sizes: int) -> Step:
    """A request whose record comes in fragments of these sizes, the rest in the last one."""

    async def step(bench: Bench) -> None:
        header = bench.session.header(SERVER_INFO)
        rest, parts = header.encode(), []
        for size in sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        note = f"in {len(parts) + 1} fragments"
        sequence = await bench.session.send_record(header, b"", wire=_fragments([*parts, rest]), note=note)
        bench.judge(await bench.session.answer_to(sequence), (E.NO_ERR,), {})

    return step


async def _byte_by_byte(bench: Bench) -> None:
    """A record whose bytes come one at a time."""
    header = bench.session.header(SERVER_INFO)
    wire = _fragments([header.encode()])
    sequence = await bench.session.send_record(header, b"", wire=wire[:1], note="a byte at a time")
    for at in range(1, len(wire)):
        await bench.session.send_bytes(wire[at : at + 1], "the next byte")
    bench.judge(await bench.session.answer_to(sequence), (E.NO_ERR,), {})


def _pipelined(count: int) -> Step:
    """Requests in one segment, all of which are answered, in whatever order."""

    async def step(bench: Bench) -> None:
        session, wire, sent = bench.session, b"", []
        for code in (SERVER_INFO, HOST_INFO) * (count // 2):
            header = session.header(code)
            sent.append(header)
            wire += _fragments([header.encode()])
        for header in sent[:-1]:
            await session.send_record(header, b"", wire=b"", note="in one segment with the others")
        await session.send_record(sent[-1], b"", wire=wire, note="in one segment with the others")
        for header in sent:
            bench.judge(await session.answer_to(header.sequence), (E.NO_ERR,), {})

    return step


async def _in_order(bench: Bench) -> None:
    """Replies to requests that were not waited for come in the order of the requests."""
    first = await bench.session.send(ConfigGetHostInfo())
    second = await bench.session.send(ConfigGetServerInfo())
    answers = [await bench.session.answer_to(sequence) for sequence in (first, second)]
    order = [bench.session.arrived.index(answer.entry) for answer in answers]
    if order != sorted(order):
        raise Deviation("replies in order", "the second first", sent=answers[1].sent, answer=answers[1].entry)


def _record(
    code: int, body: bytes = b"", errors: Errors = ANY_ERROR, *, note: str = "", wire: bytes | None = None, **words: int
) -> Step:
    """A record made by hand, and its answer."""

    async def step(bench: Bench) -> None:
        header = bench.session.header(code, **words)
        sequence = await bench.session.send_record(header, body, note=note, wire=wire)
        bench.judge(await bench.session.answer_to(sequence), errors, {})

    return step


def _unanswered(code: int, body: bytes = b"", **words: int) -> Step:
    """A record that nobody has to answer; whether somebody does is not looked at."""

    async def step(bench: Bench) -> None:
        await bench.session.send_record(bench.session.header(code, **words), body)

    return step


def _bytes(wire: bytes, note: str, *, times: int = 1) -> Step:
    async def step(bench: Bench) -> None:
        for _ in range(times):
            await bench.session.send_bytes(wire, note)

    return step


async def _not_answered_twice(bench: Bench) -> None:
    """Nothing came but the answer to what was asked."""
    if bench.session.strays:
        raise Deviation("nothing", bench.session.strays[0].line, answer=bench.session.strays[0])


async def _end_output(bench: Bench) -> None:
    bench.session.end_output()


async def _hangs_up_or_waits(bench: Bench) -> None:
    """After what cannot be followed the host may end the session; it lives on for others."""
    try:
        await bench.session.wait(
            lambda: bench.session.is_closed, "an end", deadline=min(1.0, bench.target.deadline / 2)
        )
    except (Hang, HungUp):
        bench.session.has_hung = True
    await bench.dial("after")
    await bench.ask(ConfigGetServerInfo(), session=bench.sessions["after"])


_FRAMES = rows(
    "framing",
    Check("reply", "2.7", MUST, "a reply carries the sequence of its request", NEW, (ask(ConfigGetServerInfo()),)),
    Check("fragments.2", "2.6", MUST, "a record in two fragments", NEW, (_cut(12),)),
    Check("fragments.odd", "2.6", MUST, "a record cut within words", NEW, (_cut(1, 2, 3, 5),)),
    Check("fragments.24", "2.6", MUST, "a record in fragments of one byte", NEW, (_cut(*[1] * 23),)),
    Check("fragments.empty", "2.6", SHOULD, "an empty fragment within a record", NEW, (_cut(8, 0),)),
    Check("fragments.empty-last", "2.6", SHOULD, "an empty fragment that ends a record", NEW, (_cut(24),)),
    Check("fragments.empty-first", "2.6", SHOULD, "an empty fragment that begins a record", NEW, (_cut(0),)),
    Check("slowly", "2.6", MUST, "a record that comes a byte at a time", NEW, (_byte_by_byte,)),
    Check("pipelined", "2.6", MUST, "two requests in one segment are both answered", LOGGED_IN, (_pipelined(2),)),
    Check("pipelined.50", "2.6", MUST, "fifty requests in one segment are all answered", LOGGED_IN, (_pipelined(50),)),
    Check(
        "pipelined.order",
        "2.6",
        MAY,
        "requests that were not waited for are answered in order",
        LOGGED_IN,
        (_in_order,),
        note="A host may work on them at the same time.",
    ),
)

_SHORT = _fragments([bytes(20)])

_HEADERS = rows(
    "header",
    Check(
        "short",
        "2.6",
        MUST,
        "a record that is shorter than a header is discarded, and the session goes on",
        NEW,
        (_bytes(_SHORT, "a record of 20 bytes"), same_session_answers, _not_answered_twice),
    ),
    Check(
        "empty",
        "2.6",
        MUST,
        "an empty record is discarded, and the session goes on",
        NEW,
        (_bytes(_fragments([b""]), "an empty record"), same_session_answers, _not_answered_twice),
    ),
    Check(
        "short.many",
        "2.6",
        SHOULD,
        "a run of malformed records may end the session, and nothing more",
        NEW,
        (_bytes(_SHORT, "a record of 20 bytes", times=32), _hangs_up_or_waits),
    ),
    Check(
        "endless",
        "2.6",
        SHOULD,
        "a fragment that announces 2 GiB ends the session at most",
        NEW,
        (_bytes(b"\xff\xff\xff\xff" + bytes(64), "a last fragment of 2 GiB begins"), _hangs_up_or_waits),
    ),
    Check(
        "endless.fragments",
        "2.6",
        SHOULD,
        "fragments without a last one end the session at most",
        NEW,
        (_bytes(_fragment(bytes(8192)), "a fragment of 8 KiB, not the last", times=64), _hangs_up_or_waits),
    ),
    Check(
        "noise",
        "2.6",
        SHOULD,
        "what is no NDMP at all ends the session at most",
        NEW,
        (_bytes(b"GET / HTTP/1.1\r\nHost: ndmp\r\n\r\n", "an HTTP request"), _hangs_up_or_waits),
    ),
    Check(
        "half",
        "2.6",
        SHOULD,
        "half a record and the end of the connection harm nobody else",
        NEW,
        (_bytes(b"\x80\0\0\x18" + bytes(10), "half a record"), _end_output, _hangs_up_or_waits),
    ),
    Check(
        "sequence.0",
        "2.7",
        MUST,
        "a request with sequence 0 is answered",
        NEW,
        (_record(SERVER_INFO, errors=ANY_ANSWER, sequence=0),),
        note="With SEQUENCE_NUM or as any other: the draft leaves it open.",
    ),
    Check(
        "sequence.jump",
        "2.7",
        MUST,
        "a request whose sequence is too high is answered",
        NEW,
        (_record(SERVER_INFO, errors=ANY_ANSWER, sequence=1000), same_session_answers),
        note="With SEQUENCE_NUM or as any other: the draft leaves it open.",
    ),
    Check(
        "sequence.repeat",
        "2.7",
        MUST,
        "a request whose sequence was used is answered",
        NEW,
        (ask(ConfigGetServerInfo()), _record(SERVER_INFO, errors=ANY_ANSWER, sequence=1)),
        note="With SEQUENCE_NUM or as any other: the draft leaves it open.",
    ),
    Check(
        "stray-reply",
        "2.6",
        SHOULD,
        "a reply that the host has not asked for is passed over",
        NEW,
        (_unanswered(SERVER_INFO, message_type=1, reply_sequence=7), same_session_answers),
    ),
    Check(
        "type",
        "2.6",
        SHOULD,
        "a message of unknown type does not end the session",
        NEW,
        (_unanswered(SERVER_INFO, message_type=7), same_session_answers),
    ),
    Check(
        "error",
        "2.7",
        MAY,
        "a request whose header has an error is answered",
        NEW,
        (_record(SERVER_INFO, errors=ANY_ANSWER, error=9),),
    ),
    Check(
        "reply-sequence",
        "2.7",
        MAY,
        "a request whose header has a reply sequence is answered",
        NEW,
        (_record(SERVER_INFO, errors=ANY_ANSWER, reply_sequence=9),),
    ),
)

_UNKNOWN: Final = {
    "0x101": (0x101, MUST, "an unused number of CONFIG"),
    "0x203": (0x203, MUST, "SCSI_SET_TARGET, which v4 took away"),
    "0x205": (0x205, MUST, "SCSI_RESET_BUS, which v4 took away"),
    "0x306": (0x306, MUST, "an unused number of TAPE"),
    "0x904": (0x904, MUST, "an unused number of CONNECT"),
    "0xb00": (0xB00, MUST, "an interface that is not there"),
    "0x502": (0x502, SHOULD, "a notification, which only hosts send"),
    "0x80001": (0x00080001, MUST, "a class of the reserved range"),
    "0x7fed0000": (0x7FED0000, MUST, "a proprietary class that nobody has"),
    "0x7ff0ffff": (0x7FF0FFFF, MUST, "an unused number of the test class"),
}

_CODES = rows(
    "unknown",
    *(
        Check(
            name,
            "2.5.3, 2.8",
            level,
            f"{title} ({code:#x}) is refused as NOT_SUPPORTED, and the session goes on",
            LOGGED_IN,
            (_record(code, errors=ANY_ERROR if level is SHOULD else (E.NOT_SUPPORTED,)), same_session_answers),
        )
        for name, (code, level, title) in _UNKNOWN.items()
    ),
    Check(
        "early",
        "2.6",
        MUST,
        "an unknown message is answered before login too",
        NEW,
        (_record(0xB00, errors=(E.NOT_SUPPORTED, E.NOT_AUTHORIZED)), same_session_answers),
    ),
)


def _truncations() -> list[Check]:
    """Every request that has a body, without the last word of it."""
    with_body = {name: encode(request) for name, request in CORE.items() if encode(request)}
    return [
        Check(
            f"short.{name}",
            "2.6",
            MUST,
            f"{name} whose body is cut short is answered with an error",
            LOGGED_IN,
            (_record(CORE[name].wire_code, body[:-4], note="the body is cut short"), same_session_answers),
        )
        for name, body in with_body.items()
        if len(body) >= 4
    ]


def _odd(name: str, level: Level, title: str, code: int, body: str, *, errors: Errors = ANY_ERROR) -> Check:
    step = _record(code, bytes.fromhex(body), errors, note=title)
    return Check(name, "2.6", level, title, LOGGED_IN, (step, same_session_answers))


_BODIES = rows(
    "body",
    *_truncations(),
    _odd(
        "string.long", MUST, "a string that is longer than the record is refused", 0x300, "7fffffff 61626364 00000000"
    ),
    _odd("string.4g", MUST, "a string of 4 GiB is refused", 0x300, "ffffffff 61626364 00000000"),
    _odd("array.long", MUST, "an array of 4 Gi elements is refused", 0x109, "ffffffff 00000001 00000001"),
    _odd("union", MUST, "an arm that is not declared is refused", 0x103, "0000ffff"),
    _odd(
        "padding",
        MUST,
        "a string whose padding is not zero is answered",
        0x300,
        "00000001 61ffffff 00000000",
        errors=ANY_ANSWER,
    ),
    _odd("trailing", MUST, "bytes after the body are no reason for silence", 0x108, "00000000", errors=ANY_ANSWER),
    _odd("text.binary", MUST, "a name that is no UTF-8 is refused", 0x300, "00000003 ff80fe00 00000000"),
    _odd("text.empty", MUST, "an empty name is refused", 0x300, "00000000 00000000"),
    _odd("text.nul", MUST, "a name with a NUL in it is refused", 0x300, "00000004 61006200 00000000"),
)

CHECKS: Final[tuple[Check, ...]] = (*_FRAMES, *_HEADERS, *_CODES, *_BODIES)
