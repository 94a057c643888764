"""What users, and those who put things into folders, cannot do to the service."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import struct
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from duplicator.xbsa import calls, session_state
from duplicator.xbsa.client import Service
from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.server import orders
from duplicator.xbsa.server.daemon import _all_listeners
from duplicator.xbsa.server.door import DataDoor
from duplicator.xbsa.server.folders import acting_as, clear, remove_stream
from duplicator.xbsa.server.processes import Child, child
from duplicator.xbsa.server.restoring import _until_through
from duplicator.xbsa.server.stream import LIBRARY, WORKER, Stream, StreamFault
from duplicator.xbsa.settings import Settings
from duplicator.xbsa.wire import (
    Attach,
    BeginObject,
    Begun,
    ClientStatus,
    DataHello,
    Fault,
    FindObjects,
    Go,
    History,
    StartBackup,
    StreamStarted,
    WireError,
    pack,
    unpack,
)
from tests.duplicator.processes import wait_until
from tests.duplicator.xbsa.fake_service import FakeService
from tests.duplicator.xbsa.steps import OK, begin, create, start
from tests.peers.requirements import lacking

TOKEN = "0123456789abcdef" * 4
ROOT = Path(__file__).parents[3]
WITH_TOKENS = (Attach, BeginObject, Begun, DataHello, Go, StreamStarted, orders.ReadOrder, orders.TakeObject)


@pytest.mark.parametrize("kind", [each for each in WITH_TOKENS if "token" in each.__dataclass_fields__])
def test_no_repr_shows_a_token(kind: Any) -> None:  # noqa: ANN401
    fields = dict.fromkeys(kind.__dataclass_fields__, TOKEN)
    assert repr(kind(**fields)).count(TOKEN) == len(fields) - 1


def descriptor(**given: object) -> bytes:
    """A BeginObject, written out."""
    fields = {"bsa_owner": "", "app_owner": "", "space": "", "path": "/x", "copy_type": 3, "object_type": 4}
    more = {"resource_type": "t", "description": "", "info": "", "estimated_size": 1}
    return json.dumps({"is": "BeginObject", "descriptor": fields | more | given}).encode() + b"\n"


# Names and limits in bytes of UTF-8, as a program in C has room for.
LIMITS = (("bsa_owner", 63), ("app_owner", 63), ("space", 1023), ("path", 1023), ("resource_type", 30))


@pytest.mark.parametrize(("name", "most"), [*LIMITS, ("description", 99)])
def test_texts_are_measured_in_bytes(name: str, most: int) -> None:
    """By the service too: a program may speak to it without the library."""
    two = "\u00e9" * (most // 2)
    for fits in (two, "x" * most):
        assert getattr(unpack(descriptor(**{name: fits}), BeginObject).descriptor, name) == fits
    for wrong in (two + "\u00e9", "x" * (most + 1), "a\0", "\ud800", "\udcff"):
        with pytest.raises(WireError, match=f"{name}: .* at most {most} bytes"):
            unpack(descriptor(**{name: wrong}), BeginObject)


@pytest.mark.parametrize("kind", [StartBackup, History])
def test_texts_of_requests(kind: type[object]) -> None:
    name = "host" if kind is StartBackup else "path"
    for wrong in ("x" * 2000, "a\0", "\ud800"):
        with pytest.raises(WireError, match="at most"):
            unpack(json.dumps({"is": kind.__name__, name: wrong}).encode(), kind)


def test_who_acts_as_a_user_has_no_other_group() -> None:
    if os.geteuid() != 0:
        lacking("acting as another user needs root")
    other = pwd.getpwnam("nobody")
    before = os.getgroups()
    os.setgroups([0, 12345])
    try:
        with acting_as(other.pw_uid):
            groups = set(os.getgroups())
            assert (os.geteuid(), os.getegid()) == (other.pw_uid, other.pw_gid)
        assert (os.geteuid(), os.getegid(), set(os.getgroups())) == (0, 0, {0, 12345})
    finally:
        os.setgroups(before)
    assert groups == set(os.getgrouplist("nobody", other.pw_gid))
    assert not groups & {0, 12345}


def test_what_a_user_puts_where_sockets_belong(tmp_path: Path) -> None:
    """Links are removed and not followed; a folder too."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    place = tmp_path / "place"
    place.mkdir()
    (place / "request" / "deep").mkdir(parents=True)
    (place / "stream-1").symlink_to(kept)
    (place / "stream-2").mkdir()
    (place / "stream-2" / "inside").symlink_to(kept)
    (place / "stream-3").touch()
    clear(place)
    assert list(place.iterdir()) == []
    assert list(kept.iterdir()) == [kept / "file"]
    clear(place)


def test_a_folder_too_deep_to_remove(tmp_path: Path) -> None:
    """It does not end the daemon; whoever made it may remove it."""
    at = tmp_path / "stream-1"
    at.mkdir()
    opened = os.open(at, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=opened)
        below = os.open("d", os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        opened = below
    os.close(opened)
    try:
        remove_stream(at)
    finally:
        # Who cleans up behind the tests could not either.
        subprocess.run(("rm", "-rf", str(at)), check=True)


def test_one_user_keeps_nobody_else_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    for each in (bad, good):
        each.mkdir()
    (bad / "request").touch()
    listeners = _all_listeners({bad: os.geteuid(), good: os.geteuid()})
    try:
        assert list(listeners) == [good]
        assert "is not served" in caplog.text
    finally:
        for listener in listeners.values():
            listener.close()


def test_processes_take_no_code_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "platform.py").write_text("print('planted')")
    monkeypatch.chdir(tmp_path)

    async def said() -> bytes:
        async with child("child", "platform") as started:
            assert started.process.stdout is not None
            return await started.process.stdout.readline()

    assert asyncio.run(said()).startswith(b"Linux")


def test_files_that_ride_on_a_hello_are_closed(tmp_path: Path) -> None:
    place = orders.Place(str(tmp_path), os.geteuid(), os.geteuid(), None, None, start=20, idle=20)
    line = json.dumps({"is": "DataHello", "token": TOKEN, "shared_memory": False}).encode() + b"\n"

    def knock(content: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as stream, open("/dev/null", "rb") as file:
            stream.connect(str(tmp_path / "data"))
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("@i", file.fileno()))
            stream.sendmsg([content], [rights])
            stream.recv(1)

    async def story() -> None:
        door = DataDoor(place)
        admitted = asyncio.ensure_future(door.admit(TOKEN))
        await asyncio.to_thread(knock, b"none\n")  # until it is turned away
        knocking = asyncio.ensure_future(asyncio.to_thread(knock, line))
        stream, _ = await admitted
        stream.close()
        door.close()
        await knocking

    before = _nulls()
    asyncio.run(story())
    assert _nulls() == before


def test_who_is_refused_before_the_request_hears_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = threading.Event()

    def refuse(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as stream:
            stream.sendall(pack(Fault(ReturnCode.AUTHENTICATION_FAILURE, 0, "not you")))
        closed.set()

    def late_pack(message: object) -> bytes:
        assert closed.wait(30)
        return pack(message)

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "request"))
    listener.listen()
    threading.Thread(target=refuse, args=(listener,)).start()
    monkeypatch.setattr("duplicator.xbsa.client.pack", late_pack)
    with pytest.raises(CallError, match="not you") as refused:
        Service(Settings(tmp_path), lambda _: None).find(FindObjects())
    assert refused.value.code == ReturnCode.AUTHENTICATION_FAILURE


def _nulls() -> int:
    """How often this process has /dev/null open."""
    return [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()].count("/dev/null")


def test_a_library_that_floods_its_manager() -> None:
    """Who is not waited for says little; the memory of the manager is not its to fill."""

    async def story() -> None:
        nothing = cast("Any", SimpleNamespace())
        stream = Stream(nothing, progress=nothing, link=nothing, job=nothing, worker=cast("Child", nothing))
        waiting = asyncio.ensure_future(stream.event(WORKER))
        for _ in range(100):
            await stream._heard.put((LIBRARY, ClientStatus(0, 0)))
        await asyncio.sleep(0)
        assert not waiting.done()
        await stream._heard.put((LIBRARY, ClientStatus(0, 0)))
        with pytest.raises(StreamFault, match="not allowed now"):
            await waiting

    asyncio.run(story())


def test_an_interrupt_in_terminate_ends_the_session(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = begin()
    create(handle)
    transaction = session_state.session(handle).transaction
    assert transaction.backup is not None

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transaction.backup, "abort", interrupted)
    with pytest.raises(KeyboardInterrupt):
        calls.BSATerminate(handle)
    assert session_state.current() is None
    wait_until(lambda: not service.objects, "nothing is kept")
    assert calls.BSATerminate(start()) == OK


def test_an_application_that_has_all_and_says_nothing() -> None:
    """Nothing flows any more that would have a deadline of its own: that of an application counts."""
    came = [orders.Moved(1), orders.Sent(5), ClientStatus(0, 5)]
    limits: list[float | None] = []

    async def event(*, seconds: float | None) -> object:
        limits.append(seconds)
        return came.pop(0)

    async def moved(count: int) -> None:
        assert count == 1

    stream = SimpleNamespace(
        event=event, job=SimpleNamespace(moved=moved), order=SimpleNamespace(place=SimpleNamespace(idle=20.0))
    )
    assert asyncio.run(_until_through(cast("Any", stream))) == (ClientStatus(0, 5), 5)
    assert limits == [None, None, 20.0]
