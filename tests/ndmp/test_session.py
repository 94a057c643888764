"""A session from the first byte: version, login, extensions, what ends it, and what is not understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ndmp.auth import md5_digest
from ndmp.backends import Host, MoverCounters, MoverPaused
from ndmp.enums import AuthType, ConnectionReason, DigestAlgorithm, Error, MoverPauseReason, TapeOpenMode
from ndmp.errors import RemoteProtocolError
from ndmp.messages import config as c
from ndmp.messages import connect as n
from ndmp.messages import echo as e
from ndmp.messages import notify as p
from ndmp.messages.extensions import fse as f
from ndmp.messages.tape import TapeClose, TapeGetState, TapeMtio, TapeOpen, TapeWrite
from ndmp.services.session import OTHERS_FIRST
from ndmp.wire import OtherArm, Request
from tests.ndmp.driver import LOGIN, SITUATIONS, Driver
from tests.ndmp.fakes import MARK, MemoryTape, ScriptedMovers, host
from tests.ndmp.hexes import TIME, post, reply, request


def test_first_words_byte_by_byte() -> None:
    driver = Driver()
    session = Driver().session
    session.greet()
    assert session.take_output() == post(2, 0x502, "00000000 00000004 00000000"), "the second post of this session"
    assert driver.posts == [p.NotifyConnectionStatus(ConnectionReason.CONNECTED, 4, "")]
    for sent, answer in (
        (request(1, 0x900, "00000004"), reply(2, 0x900, 1, "00000000")),
        (request(2, 0x300, "00000001 74000000 00000001"), reply(3, 0x300, 2, "00000004")),
        (request(3, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"), reply(4, 0x901, 3, "00000000")),
        (request(4, 0x302), reply(5, 0x302, 4, "00000000 00000006" + "00" * 36)),
        (request(5, 0x777), reply(6, 0x777, 5, error=1)),
        (request(6, 0x300, "00000001"), reply(7, 0x300, 6, error=18)),
        (request(7, 0x302, "00000000"), reply(8, 0x302, 7, error=18)),
        (post(8, 0x504, "00000001 0000000000000000"), reply(9, 0x504, 8, error=1)),
        (reply(9, 0x302, 1, "00000000"), b""),
        (reply(10, 0x302, 1, error=9), b""),
        (request(1000, 0x103, "00000001"), reply(10, 0x103, 1000, "00000000 00000001")),
    ):
        for task in driver.session.receive(sent):
            task.run()
        assert driver.session.take_output() == answer, sent.hex(" ", 4)


def test_before_login_nothing_is_told_about_codes() -> None:
    driver = Driver()
    for sent in (request(1, 0x777), request(2, 0x400), request(3, 0x300, "00")):
        for task in driver.session.receive(sent):
            task.run()
        assert driver.session.take_output()[-4:] == bytes.fromhex("00000004")


@pytest.mark.parametrize("version", [0, 2, 3, 5, 0xFFFF])
def test_only_version_4(version: int) -> None:
    driver = Driver()
    assert driver.error(n.ConnectOpen(version)) == Error.ILLEGAL_ARGS
    driver.go(n.ConnectOpen(4), n.ConnectOpen(4))
    assert driver.error(n.ConnectOpen(version)) == Error.ILLEGAL_ARGS
    driver.go(LOGIN)
    assert driver.error(n.ConnectOpen(4)) == Error.ILLEGAL_STATE


def md5_login(driver: Driver, secret: bytes, user: str = "ndmp") -> n.ConnectClientAuth:
    challenge = driver.ask(c.ConfigGetAuthAttr(AuthType.MD5)).attributes.challenge
    return n.ConnectClientAuth(n.AuthMd5(user, md5_digest(secret, challenge)))


def test_a_challenge_is_fresh_and_serves_once() -> None:
    driver = Driver()
    first, second = md5_login(driver, b"sesame"), md5_login(driver, b"sesame")
    assert first != second
    assert driver.error(first) == Error.NOT_AUTHORIZED, "only the newest challenge holds"
    assert driver.error(second) == Error.NOT_AUTHORIZED, "it was used up by the failure"
    third = md5_login(driver, b"sesame")
    assert driver.error(third) == Error.NO_ERR
    assert driver.error(third) == Error.NOT_AUTHORIZED
    driver.ask(c.ConfigGetHostInfo())


@pytest.mark.parametrize(
    "proof",
    [
        n.AuthText("ndmp", "wrong"),
        n.AuthText("ndmp", ""),
        n.AuthText("ndmp", "sesam"),
        n.AuthText("ndmp", "sesame\0"),
        n.AuthText("who", "sesame"),
        n.AuthText("who", "nobody"),
        n.AuthText("", ""),
        n.AuthText("locked", ""),
        n.AuthText("ndmp", "\udcff"),
        n.AuthMd5("ndmp", bytes(16)),
    ],
    ids=lambda proof: repr(proof.user),
)
def test_wrong_logins(proof: n.AuthText | n.AuthMd5) -> None:
    driver = Driver()
    assert driver.error(n.ConnectClientAuth(proof)) == Error.NOT_AUTHORIZED
    assert driver.error(c.ConfigGetHostInfo()) == Error.NOT_AUTHORIZED
    driver.go(LOGIN)


@pytest.mark.parametrize(
    ("user", "secret"), [("who", b"nobody"), ("locked", b""), ("locked", b"nobody"), ("ndmp", b"x")]
)
def test_wrong_digests(user: str, secret: bytes) -> None:
    driver = Driver()
    assert driver.error(md5_login(driver, secret, user)) == Error.NOT_AUTHORIZED


def test_a_refused_login_does_not_tell_who_is_known() -> None:
    names = {"known": "6e646d70", "unknown": "6e6f626f", "locked": "6c6f636b"}  # all but the last of one length
    tries = {name: f"00000001 00000004 {letters} 00000001 78000000" for name, letters in names.items()}
    tries |= {f"{name}-md5": f"00000002 00000004 {letters} {'00' * 16}" for name, letters in names.items()}
    heard = {}
    for name, words in tries.items():
        driver = Driver()
        driver.ask(c.ConfigGetAuthAttr(AuthType.MD5))
        for task in driver.session.receive(request(7, 0x901, words)):
            assert task.login
            task.run()
        heard[name] = driver.session.take_output()
        assert driver.session.failed_logins == 1, name
        assert not driver.session.is_logged_in
    assert set(heard.values()) == {reply(3, 0x901, 7, "00000004")}


def test_what_is_no_guess_is_no_failed_login() -> None:
    driver = Driver()
    driver.error(n.ConnectClientAuth(n.AuthNone()))
    driver.go(LOGIN)
    assert driver.session.failed_logins == 0


def test_ways_to_log_in_that_are_not_offered() -> None:
    driver = Driver()
    assert driver.error(n.ConnectClientAuth(n.AuthNone())) == Error.ILLEGAL_ARGS
    assert driver.error(n.ConnectClientAuth(OtherArm(5, bytes(4)))) == Error.ILLEGAL_ARGS


def test_the_product_is_named_after_login() -> None:
    driver = Driver()
    types = (AuthType.MD5, AuthType.TEXT)
    assert driver.ask(c.ConfigGetServerInfo()) == c.ConfigGetServerInfoReply(Error.NO_ERR, "", "", "", types)
    driver.go(LOGIN)
    told = driver.ask(c.ConfigGetServerInfo())
    assert told == c.ConfigGetServerInfoReply(Error.NO_ERR, "ndmpdup", "ndmpdup host", "1", types)


def test_strangers_send_small_records() -> None:
    largest = 64 * 1024
    start = (0x80000000 + largest).to_bytes(4, "big")
    with pytest.raises(RemoteProtocolError, match="65537 bytes or more, 65536 allowed"):
        list(Driver().session.receive((0x80000000 + largest + 1).to_bytes(4, "big")))
    driver = Driver()
    assert list(driver.session.receive(start)) == []
    assert driver.session.held_bytes == 4
    large = post(1, 0x304, f"{100_000:08x}" + "41" * 100_000)
    login = request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000")
    driver = Driver()
    for task in driver.session.receive(login + large):
        task.run()
    assert driver.session.take_output().endswith(reply(3, 0x304, 1, "00000006 00000000")), "the same chunk, logged in"


def test_requests_after_the_last_one_are_not_answered() -> None:
    driver = Driver().go(LOGIN)
    driver.session.take_output()
    for task in driver.session.receive(request(8, 0x902) + request(9, 0x100) + bytes.fromhex("ffffffff")):
        task.run()
    assert driver.session.is_closed
    assert driver.session.take_output() == b""


def test_a_session_answers_so_many_in_a_row() -> None:
    driver = Driver().go(LOGIN)
    driver.session.push(b"".join(request(number, 0x777) for number in range(5)))
    answers = [driver.session.answer(2), driver.session.take_output().count(bytes.fromhex("00000777"))]
    assert answers == [OTHERS_FIRST, 2]
    answers = [driver.session.answer(4), driver.session.take_output().count(bytes.fromhex("00000777"))]
    assert answers == [None, 3]


def test_close_is_not_answered() -> None:
    for steps in ((), (LOGIN,)):
        driver = Driver().go(*steps)
        assert not driver.session.is_closed
        assert driver.events(n.ConnectClose()) == []
        assert driver.session.is_closed


def test_farewell() -> None:
    driver = Driver()
    driver.session.farewell("the end")
    driver.settle()
    assert driver.posts[-1] == p.NotifyConnectionStatus(ConnectionReason.SHUTDOWN, 0, "the end")


# -- extensions ------------------------------------------------------------------------------------------------------

GET = c.ConfigGetExtList()


def choose(*choices: tuple[int, int]) -> c.ConfigSetExtList:
    return c.ConfigSetExtList(tuple(c.ClassVersion(*choice) for choice in choices))


def test_the_list_of_extensions() -> None:
    told = Driver().go(LOGIN).ask(GET)
    assert told.classes == (c.ClassVersions(0x7FE0, (1,)), c.ClassVersions(0x7FF0, (1, 2)))


STORIES: list[tuple[str, list[tuple[Request, int]]]] = [
    ("set before get", [(choose((0x7FF0, 1)), 26), (GET, 0), (choose((0x7FF0, 1)), 0)]),
    ("get twice", [(GET, 0), (GET, 0), (choose(), 0)]),
    ("a failed choice may be mended", [(GET, 0), (choose((0x2050, 1)), 27), (choose((0x7FF0, 3)), 28), (choose(), 0)]),
    ("a class twice", [(GET, 0), (choose((0x7FF0, 1), (0x7FF0, 2)), 29), (choose((0x7FF0, 1), (0x7FF0, 1)), 29)]),
    ("settled by a choice", [(GET, 0), (choose((0x7FF0, 2)), 0), (GET, 30), (choose(), 30)]),
    ("settled by use", [(GET, 0), (e.TestEcho(""), 0), (GET, 30), (choose((0x7FF0, 2)), 30)]),
    ("settled by use before get", [(e.TestEcho(""), 0), (choose((0x7FF0, 2)), 30)]),
    ("not settled by a class that is unknown", [(GET, 0), (choose((0x7FF1, 1)), 27), (GET, 0)]),
    ("default version", [(e.TestEcho("a"), 0), (e.TestEcho2("a", 1), 18)]),
    ("version 2", [(GET, 0), (choose((0x7FF0, 2)), 0), (e.TestEcho2("a", 1), 0), (e.TestEcho("a"), 18)]),
    ("left out", [(GET, 0), (choose((0x7FF0, 1)), 0), (f.FseGetInfo(), 1), (e.TestEcho(""), 0)]),
    ("none at all", [(GET, 0), (choose(), 0), (f.FseGetInfo(), 1), (e.TestEcho(""), 1)]),
]


@pytest.mark.parametrize(("story", "steps"), STORIES, ids=[story for story, _ in STORIES])
def test_choosing_extensions(story: str, steps: list[tuple[Request, int]]) -> None:
    driver = Driver().go(LOGIN)
    assert [driver.error(step) for step, _ in steps] == [error for _, error in steps]


def test_echo() -> None:
    driver = Driver().go(LOGIN, GET, choose((0x7FF0, 2)))
    assert driver.ask(e.TestEcho2("\u00e4", 7)) == e.TestEcho2Reply(Error.NO_ERR, "\u00e4", 7)
    assert Driver().go(LOGIN).ask(e.TestEcho("a")) == e.TestEchoReply(Error.NO_ERR, "a")


def test_an_extension_message_before_login_settles_nothing() -> None:
    driver = Driver()
    assert driver.error(e.TestEcho("")) == Error.NOT_AUTHORIZED
    driver.go(LOGIN, GET, choose((0x7FF0, 2)))


# -- hosts that lack something ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lacks", "refused", "answered"),
    [
        ({"tapes": None}, [TapeOpen("t", TapeOpenMode.READ), TapeGetState(), c.ConfigGetTapeInfo()], f.FseGetInfo()),
        ({"files": None}, [f.FseListUnits(), f.FseGetState()], f.FseGetInfo()),
        ({"movers": None}, [f.FseTapeDigestGetState()], f.FseListUnits()),
        ({"movers": None, "tapes": None, "files": None}, [f.FseGetInfo()], c.ConfigGetHostInfo()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_services_that_a_host_lacks(lacks: dict[str, None], refused: list[Request], answered: Request) -> None:
    driver = Driver(replace(host()[0], **lacks)).go(LOGIN)
    assert [driver.error(each) for each in refused] == [Error.NOT_SUPPORTED] * len(refused)
    driver.ask(answered)


# -- backends that fail ----------------------------------------------------------------------------------------------


class Buggy(MemoryTape):
    """A tape whose maker forgot something."""

    def rewind(self) -> None:
        raise ZeroDivisionError


def test_a_bug_in_a_backend_is_one_refusal() -> None:
    driver = Driver(Host("h", tapes={"t": Buggy()})).go(LOGIN, TapeOpen("t", TapeOpenMode.RDWR))
    assert driver.error(TapeMtio(4, 1)) == Error.UNDEFINED
    driver.go(TapeWrite(b"x"))


def test_an_answer_that_does_not_fit_the_wire_is_one_refusal() -> None:
    driver = Driver().go(LOGIN)
    driver.unit.free = -1
    assert driver.error(f.FseListUnits()) == Error.XDR_ENCODE
    driver.unit.free = 1
    assert driver.ask(f.FseListUnits()).units[0].free == 1


def test_a_notification_that_does_not_fit_the_wire_is_left_out() -> None:
    """The session goes on, and its sequence numbers have no gap."""
    driver = Driver().go(*SITUATIONS["active"])
    before = driver.reply(c.ConfigGetHostInfo()).header.sequence
    assert driver.happen(MoverPaused(MoverPauseReason.SEEK, -1)) == []
    assert driver.reply(c.ConfigGetHostInfo()).header.sequence == before + 1


def test_a_last_word_that_does_not_fit_the_wire_is_no_failure() -> None:
    driver = Driver().go(LOGIN)
    driver.session.farewell("x" * 0x10000)
    assert driver.session.take_output() == b""
    driver.session.farewell("x")
    assert driver.session.take_output().endswith(b"\0\0\0\x01x\0\0\0")


# -- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_end_releases_everything(situation: str) -> None:
    driver = Driver().go(*SITUATIONS[situation])
    for mover in driver.movers.made:
        mover.progress = MoverCounters(bytes_moved=512)
    driver.session.shut_down()
    assert not driver.tape.taken
    assert all("stop" in mover.asked for mover in driver.movers.made)
    assert all(digest.stopped for digest in driver.movers.digests)
    assert driver.unit.written == {}
    written = situation in ("listen", "active", "paused", "halted")
    assert driver.tape.tape == ([MARK] if written else []), "what a mover wrote ends with a filemark"
    assert driver.settle() == []


def test_the_end_removes_all_that_was_not_committed() -> None:
    driver = Driver().go(LOGIN)
    for image in ("a", "b", "c"):
        driver.go(f.FseOpenWrite("u", image, 0, "", 0, DigestAlgorithm.NONE), f.FseClose(0))
    driver.go(f.FseCommitImage("u", "b", 1), f.FseOpenWrite("u", "d", 0, "", 0, DigestAlgorithm.NONE))
    driver.unit.broken = True
    driver.session.shut_down()
    assert driver.unit.asked.count("close keep=False") == 1
    assert sorted(asked for asked in driver.unit.asked if asked.startswith("discard")) == [
        "discard a",
        "discard c",
        "discard d",
    ]
    assert sorted(driver.unit.shown) == ["b", "img"]


def broken_mark(driver: Driver) -> None:
    driver.tape.broken = ["mark"]


def broken_close(driver: Driver) -> None:
    driver.tape.broken = ["close"]


def broken_mover(driver: Driver) -> None:
    def stop() -> None:
        raise ZeroDivisionError

    driver.movers.made[0].stop = stop  # type: ignore[method-assign]


@pytest.mark.parametrize("spoil", [broken_mark, broken_close, broken_mover])
def test_what_fails_at_the_end_does_not_keep_the_rest(spoil: Callable[[Driver], None]) -> None:
    driver = Driver().go(*SITUATIONS["paused"][:-2])
    driver.go(*SITUATIONS["paused"][-2:])
    spoil(driver)
    driver.session.shut_down()
    assert not driver.tape.taken


def test_one_drive_for_one_session() -> None:
    shared = host()[0]
    first, second = Driver(shared).go(LOGIN), Driver(shared).go(LOGIN)
    first.go(TapeOpen("t", TapeOpenMode.READ))
    assert second.error(TapeOpen("t", TapeOpenMode.READ)) == Error.DEVICE_BUSY
    second.go(TapeOpen("t2", TapeOpenMode.READ), TapeClose())
    first.session.shut_down()
    second.go(TapeOpen("t", TapeOpenMode.READ))


def test_headers_carry_the_time_given() -> None:
    assert Driver().reply(n.ConnectOpen(4)).header.time_stamp == TIME


def test_movers_are_not_made_before_they_are_needed() -> None:
    movers = ScriptedMovers()
    Driver(Host("h", movers=movers)).go(LOGIN)
    assert movers.made == []
