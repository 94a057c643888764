"""Whatever an application and a data path do, in any order: answers that decode, one post a halt, all released."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ndmp.backends import MoverCounters, MoverEvent, MoverHalted, MoverPaused, MoverStarted, TapeDigestDone
from ndmp.connection import PostReceived, ReplyReceived
from ndmp.enums import Error, MoverHaltReason, MoverPauseReason, MoverState
from ndmp.errors import RemoteProtocolError
from ndmp.messages.mover import MoverGetState
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.services.profile import NDMJOB, STRICT, Profile
from ndmp.types import TcpAddress
from ndmp.wire import Request
from tests.ndmp.driver import LOGIN, SITUATIONS, Driver
from tests.ndmp.fakes import MARK
from tests.ndmp.test_session_table import REQUEST

Step = Request[Any] | MoverEvent | TapeDigestDone
EVENTS: list[MoverEvent | TapeDigestDone] = [
    MoverStarted(TcpAddress("127.0.0.9", 9)),
    MoverPaused(MoverPauseReason.EOM),
    MoverPaused(MoverPauseReason.SEEK, 512),
    MoverHalted(MoverHaltReason.CONNECT_CLOSED),
    MoverHalted(MoverHaltReason.MEDIA_ERROR, "worn"),
    TapeDigestDone(Error.FSE_ABORTED, 3, 1, b"", padding_clean=True),
]
STEPS = st.sampled_from([*REQUEST.values(), *EVENTS, *[step for steps in SITUATIONS.values() for step in steps]])


def do(driver: Driver, step: Step) -> None:
    if isinstance(step, Request):
        first, *others = driver.events(step)
        assert isinstance(first, ReplyReceived)
        assert all(isinstance(other, PostReceived) for other in others)
        assert first.header.error or first.message
        assert (first.message.error if first.message else first.header.error) != Error.UNDEFINED
    elif isinstance(step, TapeDigestDone):
        if driver.movers.digests and not driver.movers.digests[-1].has_ended:
            driver.happen(step)
    elif driver.movers.made:
        mover = driver.movers.made[-1]
        mover.progress = MoverCounters(bytes_moved=mover.progress.bytes_moved + 512)
        if mover.mode == 0 and driver.tape.taken and driver.ask(MoverGetState()).state == MoverState.ACTIVE:
            driver.tape.write_records(memoryview(b"moved"), 5)
        driver.happen(step)


def entered(driver: Driver, before: MoverState, posts: int) -> None:
    """A state that is announced was announced, and nothing else."""
    after = driver.ask(MoverGetState()).state
    told = [type(post) for post in driver.posts[posts:] if isinstance(post, NotifyMoverHalted | NotifyMoverPaused)]
    halted, paused = (after == state != before for state in (MoverState.HALTED, MoverState.PAUSED))
    assert told == [NotifyMoverHalted] * halted + [NotifyMoverPaused] * paused


@given(st.lists(STEPS, max_size=40), st.sampled_from([STRICT, NDMJOB]))
def test_any_order_of_requests_and_events(steps: list[Step], profile: Profile) -> None:
    driver = Driver(profile=profile).go(LOGIN)
    for step in steps:
        before, posts = driver.ask(MoverGetState()).state, len(driver.posts)
        do(driver, step)
        entered(driver, before, posts)
    for digest in driver.movers.digests:
        digest.report(TapeDigestDone(Error.NO_ERR, 1, 1, b"", padding_clean=True))
    driver.settle()
    driver.session.shut_down()
    assert not driver.tape.taken
    assert driver.unit.written == {}
    assert not driver.tape.tape or driver.tape.tape[-1] is MARK


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_from_an_application(chunks: list[bytes]) -> None:
    driver = Driver()
    try:
        for chunk in chunks:
            driver.exchange(chunk)
    except RemoteProtocolError:
        pass
    driver.session.shut_down()
