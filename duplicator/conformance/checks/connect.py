"""Greeting, version, what is refused before login, and the end (draft 2.11.2, 2.11.3, 3.1, 4.1.2)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MAY, MUST, SHOULD, Check, Need, rows
from duplicator.conformance.deviation import Deviation, Hang
from duplicator.conformance.expectation import SOME, at_least
from duplicator.conformance.needs import DATA, DATA_LISTEN, SCSI, TAPE
from duplicator.conformance.requests import CORE
from duplicator.conformance.requests import DATA as DATA_REQUESTS
from duplicator.conformance.requests import MOVER as MOVER_REQUESTS
from duplicator.conformance.requests import SCSI as SCSI_REQUESTS
from duplicator.conformance.requests import TAPE as TAPE_REQUESTS
from duplicator.conformance.situations import LOGGED_IN, NEW
from duplicator.conformance.steps import ask, log_in, post
from ndmp.auth import md5_digest
from ndmp.enums import AuthType, ConnectionReason, Error
from ndmp.messages.config import ConfigGetAuthAttr, ConfigGetHostInfo, ConfigGetServerInfo
from ndmp.messages.connect import (
    AuthMd5,
    AuthText,
    AuthTextAttributes,
    ConnectClientAuth,
    ConnectClose,
    ConnectOpen,
    ConnectServerAuth,
)
from ndmp.messages.notify import NotifyConnectionStatus

__all__ = ["CHECKS"]

E: Final = Error


async def _first_words(bench: Bench) -> None:
    """The greeting has come before anything was sent."""
    first = bench.session.arrived[0]
    if not isinstance(first.message, NotifyConnectionStatus) or bench.session.sequence:
        raise Deviation("NOTIFY_CONNECTION_STATUS", first.line, answer=first)


async def _greeting_sequence(bench: Bench) -> None:
    first = bench.session.arrived[0]
    if first.header is None or first.header.sequence != 1:
        raise Deviation("sequence 1", first.line, answer=first)


async def _no_reply_to_close(bench: Bench) -> None:
    sequence = await bench.session.send(ConnectClose())
    await bench.session.closes(deadline=min(bench.target.deadline, 2.0))
    if bench.session.is_answered(sequence):
        answer = await bench.session.answer_to(sequence)
        raise Deviation("no reply", answer.entry.line, sent=answer.sent, answer=answer.entry)


async def _closed_after_close(bench: Bench) -> None:
    await bench.session.send(ConnectClose())
    if not await bench.session.closes():
        raise Deviation("the end of the connection", f"nothing within {bench.target.deadline:g} s")


async def _nothing_after_close(bench: Bench) -> None:
    """What follows a close in the same breath is not answered."""
    await bench.session.send(ConnectClose())
    sequence = await bench.session.send(ConfigGetServerInfo())
    await bench.session.closes(deadline=min(bench.target.deadline, 2.0))
    if bench.session.is_answered(sequence):
        answer = await bench.session.answer_to(sequence)
        raise Deviation("no answer after CONNECT_CLOSE", answer.entry.line, sent=answer.sent, answer=answer.entry)


async def _stays_open(bench: Bench) -> None:
    """Nobody ends the connection while nothing is said."""
    try:
        await bench.session.wait(lambda: bench.session.is_closed, "no end", deadline=min(1.0, bench.target.deadline))
    except Hang:
        bench.session.has_hung = False
        return
    raise Deviation("a connection that stays", "the host hung up")


async def _log_in_again(bench: Bench) -> None:
    proof = AuthText(bench.target.place.url.user, bench.target.place.secret.reveal())
    if AuthType.MD5 in bench.facts.auth_types:
        challenge = await bench.challenge()
        digest = md5_digest(bench.target.place.secret.reveal().encode(), challenge)
        await bench.ask(ConnectClientAuth(AuthMd5(proof.user, digest)))
    else:
        await bench.ask(ConnectClientAuth(proof))


_WELCOME = rows(
    "connect",
    Check("greeting.first", "2.11.2", MUST, "the host speaks first, NOTIFY_CONNECTION_STATUS", NEW, (_first_words,)),
    Check("greeting.sequence", "2.7", MUST, "the greeting has sequence 1", NEW, (_greeting_sequence,)),
    Check(
        "greeting.reason",
        "4.1.2",
        MUST,
        "the greeting says CONNECTED",
        NEW,
        (post(NotifyConnectionStatus, reason=ConnectionReason.CONNECTED),),
    ),
    Check(
        "greeting.version",
        "4.1.2",
        MUST,
        "the greeting tells the highest version spoken, 4 at least",
        NEW,
        (post(NotifyConnectionStatus, version=at_least(4)),),
    ),
    Check(
        "greeting.text",
        "4.1.2",
        MUST,
        "a greeting that says CONNECTED has no text",
        NEW,
        (post(NotifyConnectionStatus, text=""),),
    ),
    Check("open", "3.1.1", MUST, "version 4 is accepted", NEW, (ask(ConnectOpen(4)),)),
    Check("open.99", "3.1.1", MUST, "version 99 is refused", NEW, (ask(ConnectOpen(99), E.ILLEGAL_ARGS),)),
    Check("open.0", "3.1.1", MUST, "version 0 is refused", NEW, (ask(ConnectOpen(0), E.ILLEGAL_ARGS),)),
    Check(
        "open.retry",
        "2.11.2",
        MUST,
        "after a version that is refused, another is accepted",
        NEW,
        (ask(ConnectOpen(99), E.ILLEGAL_ARGS), ask(ConnectOpen(4))),
    ),
    Check(
        "open.late",
        "3.1.1",
        MUST,
        "CONNECT_OPEN is refused once something else was said",
        LOGGED_IN,
        (ask(ConnectOpen(4), E.ILLEGAL_STATE),),
        note="Hosts that let DMAs repeat the version in use deviate from the text, and do no harm.",
    ),
    Check(
        "open.omitted",
        "2.11.2",
        MUST,
        "who agrees with the greeted version need not send CONNECT_OPEN",
        NEW,
        (ask(ConfigGetServerInfo()),),
    ),
    Check("login", "3.1.2", MUST, "a login by the best way offered", NEW, (log_in,)),
    Check(
        "login.twice",
        "3.1.2",
        MAY,
        "a session that is logged in can log in again",
        LOGGED_IN,
        (_log_in_again,),
        note="The draft says nothing of it.",
    ),
    Check("close", "3.1.3", SHOULD, "CONNECT_CLOSE ends the connection", LOGGED_IN, (_closed_after_close,)),
    Check(
        "close.reply",
        "2.6",
        SHOULD,
        "CONNECT_CLOSE has no reply",
        LOGGED_IN,
        (_no_reply_to_close,),
        note="The draft has no reply for it; a host that sends one does no harm.",
    ),
    Check("close.early", "2.11.3", MUST, "CONNECT_CLOSE is possible before login", NEW, (_closed_after_close,)),
    Check("close.after", "3.1.3", MAY, "nothing is answered after CONNECT_CLOSE", LOGGED_IN, (_nothing_after_close,)),
    Check(
        "stays",
        "2.11.2",
        SHOULD,
        "the host does not end a connection by itself",
        LOGGED_IN,
        (_stays_open, ask(ConfigGetHostInfo())),
    ),
    Check(
        "server-auth",
        "3.1.4",
        MUST,
        "CONNECT_SERVER_AUTH is answered, or NOT_SUPPORTED",
        LOGGED_IN,
        (ask(ConnectServerAuth(AuthTextAttributes()), E.NO_ERR, E.NOT_SUPPORTED, E.ILLEGAL_ARGS, E.NOT_AUTHORIZED),),
        note="The request is optional.",
    ),
)


_OPTIONAL: Final = (
    "CONNECT_SERVER_AUTH",
    "SCSI_GET_STATE",
    "SCSI_RESET_DEVICE",
    "TAPE_EXECUTE_CDB",
    "DATA_START_RECOVER_FILEHIST",
)


def _refusals(name: str) -> tuple[Error, ...]:
    """A host that lacks an optional message may say that instead."""
    return (E.NOT_AUTHORIZED, E.NOT_SUPPORTED) if name in _OPTIONAL else (E.NOT_AUTHORIZED,)


def _need(name: str) -> tuple[Need, ...]:
    if name in TAPE_REQUESTS or name in MOVER_REQUESTS:
        return (TAPE,)
    if name == "DATA_LISTEN":
        return (DATA, DATA_LISTEN)
    return (SCSI,) if name in SCSI_REQUESTS else (DATA,) if name in DATA_REQUESTS else ()


_BEFORE_LOGIN = rows(
    "early",
    *(
        Check(
            name,
            "2.11.3",
            MUST,
            f"{name} is refused before login",
            NEW,
            (ask(ConnectOpen(4)), ask(request, *_refusals(name))),
            _need(name),
        )
        for name, request in CORE.items()
    ),
    Check(
        "CONFIG_GET_SERVER_INFO",
        "3.2.2",
        MUST,
        "CONFIG_GET_SERVER_INFO is answered before login, with the ways to log in",
        NEW,
        (ask(ConfigGetServerInfo(), auth_types=SOME),),
    ),
    Check(
        "CONFIG_GET_SERVER_INFO.names",
        "3.2.2",
        SHOULD,
        "vendor, product and revision are not told before login",
        NEW,
        (ask(ConfigGetServerInfo(), vendor="", product="", revision=""),),
    ),
    Check(
        "CONFIG_GET_AUTH_ATTR",
        "3.2.4",
        MUST,
        "CONFIG_GET_AUTH_ATTR is answered before login",
        NEW,
        (
            ask(ConfigGetServerInfo()),
            ask(lambda bench: ConfigGetAuthAttr((*bench.facts.auth_types, AuthType.TEXT)[0])),
        ),
    ),
)

CHECKS: Final[tuple[Check, ...]] = (*_WELCOME, *_BEFORE_LOGIN)
