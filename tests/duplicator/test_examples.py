"""The programs of examples/: they run, and what they show keeps the contracts."""

from __future__ import annotations

import asyncio
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndmp.aio.client import connect
from ndmp.aio.methods import ConfigMethods, TapeMethods
from ndmp.backends import TapeBackend
from ndmp.contracts import TapeContract
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError
from tests.peers.namespace import read_line

EXAMPLES = Path(__file__).parents[2] / "examples"


class TestExampleDrive(TapeContract):
    warns_within = None

    def tape(self) -> TapeBackend:
        made: TapeBackend = runpy.run_path(str(EXAMPLES / "tape_drive.py"))["Drive"]()
        return made

    test_early_warning_is_told_and_leaves_room = None  # type: ignore[assignment]  # a list never ends


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The example's host as a process of its own; it ends well when it is told to."""
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    command = [sys.executable, EXAMPLES / "host.py", "--port", "0", "--user", "me", "--password-file", password]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        try:
            address, _, port = read_line(process.stdout).rpartition(":")
            assert address == "127.0.0.1"
            yield int(port)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()


def test_a_client_uses_the_host(port: int) -> None:
    async def use() -> None:
        async with connect("127.0.0.1", port) as client:
            await client.login("me", "open sesame")
            (drive,) = await ConfigMethods(client).tapes()
            tape = TapeMethods(client)
            await tape.open(drive.devices[0].device, TapeOpenMode.RDWR)
            for block in (b"label", b"more"):
                await tape.write(block)
            await tape.move(TapeOperation.REW)
            assert [await tape.read(100), await tape.read(3)] == [b"label", b"mor"]
            with pytest.raises(ReplyError) as refused:
                await tape.read(100)
            assert refused.value.error == Error.EOF
            state = await tape.state()
            assert (state.file_num, state.blockno) == (0, 2)
            await tape.close()

    asyncio.run(asyncio.wait_for(use(), 30))


def test_a_stranger_is_kept_out(port: int) -> None:
    async def use() -> None:
        async with connect("127.0.0.1", port) as client:
            with pytest.raises(ReplyError) as refused:
                await client.login("me", "open")
            assert refused.value.error == Error.NOT_AUTHORIZED

    asyncio.run(asyncio.wait_for(use(), 30))


def test_there_is_no_host_without_a_password(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "host.py"), "--port", "0", "--user", "me"]
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for options in ([], ["--password-file", str(empty)]):
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert "password" in done.stderr
