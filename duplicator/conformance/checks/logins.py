"""Logins that fail (draft 2.11.3, 3.1.2, 3.2.4). Last, and few: good hosts answer each later than the one before."""

from __future__ import annotations

from typing import Any, Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, Check, Step, rows
from duplicator.conformance.expectation import ANY_ERROR, Errors
from duplicator.conformance.needs import MD5, TEXT
from duplicator.conformance.situations import NEW
from duplicator.conformance.steps import ask
from ndmp.auth import md5_digest
from ndmp.enums import Error
from ndmp.messages.config import ConfigGetHostInfo
from ndmp.messages.connect import AuthMd5, AuthNone, AuthText, ConnectClientAuth, ConnectOpen
from ndmp.messages.data import DataGetState
from ndmp.messages.mover import MoverGetState
from ndmp.wire import Request

__all__ = ["CHECKS"]

E: Final = Error
REFUSED: Final[Errors] = (E.NOT_AUTHORIZED,)


def _needs_login(bench: Bench) -> Request[Any]:
    """What is open to no stranger, of a service that the host has."""
    facts = bench.facts
    return MoverGetState() if facts.has_tape else DataGetState() if facts.has_data else ConfigGetHostInfo()


async def _fail(bench: Bench, request: Request[Any]) -> None:
    """A login fails, and the session stays without rights."""
    await bench.ask(request, REFUSED, deadline=bench.target.login_deadline)
    await bench.ask(_needs_login(bench), REFUSED)


async def _wrong_password(bench: Bench) -> None:
    await _fail(bench, ConnectClientAuth(AuthText(bench.target.place.url.user, "not-the-password")))


async def _stranger(bench: Bench) -> None:
    digest = md5_digest(bench.target.place.secret.reveal().encode(), await bench.challenge())
    await _fail(bench, ConnectClientAuth(AuthMd5("no-such-user", digest)))


async def _outdated(bench: Bench) -> None:
    """The digest of a challenge that a newer one has replaced."""
    old = await bench.challenge()
    await bench.challenge()
    digest = md5_digest(bench.target.place.secret.reveal().encode(), old)
    await _fail(bench, ConnectClientAuth(AuthMd5(bench.target.place.url.user, digest)))


async def _replayed(bench: Bench) -> None:
    """The proof by which another session has logged in, without a challenge of this one."""
    other = await bench.dial("other")
    digest = md5_digest(bench.target.place.secret.reveal().encode(), await bench.challenge(session=other))
    proof = ConnectClientAuth(AuthMd5(bench.target.place.url.user, digest))
    await bench.ask(proof, session=other, deadline=bench.target.login_deadline)
    other.is_logged_in = True
    await _fail(bench, proof)


def _unknown_kind(kind: int) -> Step:
    """A way to log in that nobody has."""

    async def step(bench: Bench) -> None:
        header = bench.session.header(ConnectClientAuth.wire_code)
        sequence = await bench.session.send_record(header, kind.to_bytes(4, "big"), note=f"login of kind {kind}")
        answer = await bench.session.answer_to(sequence)
        bench.judge(answer, ANY_ERROR, {})

    return step


async def _none(bench: Bench) -> None:
    """Login without proof, where that is not offered."""
    if 0 in bench.facts.auth_types:
        await bench.ask(ConnectClientAuth(AuthNone()))
    else:
        errors = (E.ILLEGAL_ARGS, E.NOT_AUTHORIZED)
        await bench.ask(ConnectClientAuth(AuthNone()), errors)


CHECKS: Final[tuple[Check, ...]] = rows(
    "login",
    Check("kind", "3.1.2", MUST, "an unknown way to log in is refused", NEW, (ask(ConnectOpen(4)), _unknown_kind(99))),
    Check("none", "3.1.2", MUST, "a login without proof is refused unless it is offered", NEW, (_none,)),
    Check("outdated", "3.2.4", MUST, "of two challenges only the newer one counts", NEW, (_outdated,), (MD5,)),
    Check("replayed", "3.1.2, 3.2.4", MUST, "a digest of another session is refused", NEW, (_replayed,), (MD5,)),
    Check("password", "3.1.2", MUST, "a wrong password is refused", NEW, (_wrong_password,), (TEXT,)),
    Check("stranger", "3.1.2", MUST, "an unknown user is refused", NEW, (_stranger,), (MD5,)),
)
