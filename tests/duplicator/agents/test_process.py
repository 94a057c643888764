"""The agent as a process: what it says to a client written by hand, and what becomes of agents that are none."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from duplicator.agents.remote import RemoteSource
from duplicator.agents.starting import AgentProcess, agent_process
from duplicator.agents.wire import SourceName
from duplicator.catalog.processes import identity
from duplicator.config import AgentSpec
from duplicator.plan import Deadlines, Step
from duplicator.status import JobError, Status
from ndmp.enums import MoverState
from tests.duplicator.config.texts import SMALL, config_of
from tests.duplicator.processes import DEADLINE

SOURCE = {"host": "nobody", "unit": "u", "image": "i", "wanted": None, "deadlines": {}, "is_tls_required": False}
ADDRESS = {"endpoints": [{"ipv4": 2130706433, "port": 9}]}
PREPARE = {"index": 0, "size": 1}
BEGIN = {"address": ADDRESS, "record_bytes": 512}
HELLO = {"versions": [1, 7], "agent": "a", "silence": 30}
# What is asked, and what is answered: a result, or code and text of an error.
DIALOGUE: list[tuple[str, object, object]] = [
    ("describe", SOURCE, (-32602, "hello comes first")),
    ("hello", {**HELLO, "versions": [7]}, (-32602, "versions (7,) are asked for, (1,) are spoken here")),
    ("hello", {**HELLO, "silence": 0}, (-32602, "silence: Input should be greater than or equal to 0.1")),
    ("hello", HELLO, {"version": 1, "silence": 120.0}),
    ("begin", BEGIN, (-32602, "no image is open")),
    ("prepare", PREPARE, (-32602, "no image is open")),
    (
        "prepare",
        {**PREPARE, "index": "x"},
        (-32602, "index: Input should be a valid integer, unable to parse string as an integer"),
    ),
    ("send", None, (-32602, "no image is open")),
    ("finish", None, (-32602, "no image is open")),
    ("close", {"failed": True}, None),
    ("close", {"failed": False}, None),
    ("reboot", None, (-32601, "there is no 'reboot' here")),
]


def start(*options: str, **streams: int) -> subprocess.Popen[bytes]:
    """An agent; its three streams are pipes unless told."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-m", "duplicator.cli.main", *options]
    return subprocess.Popen(command, **pipes)  # type: ignore[call-overload,no-any-return]


def ask(process: subprocess.Popen[bytes], number: int, method: str, params: object) -> Any:  # noqa: ANN401
    """Its answer to a request; signs of life are passed over."""
    request = {"jsonrpc": "2.0", "method": method, "params": params, "id": number}
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    while "id" not in (answer := json.loads(process.stdout.readline())):
        assert answer == {"jsonrpc": "2.0", "method": "alive", "params": None}
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", number)
    return answer


def test_a_dialogue(tmp_path: Path) -> None:
    config = tmp_path / "ndmpdup.toml"
    config.touch()
    with start("-v", "agent", "--config", str(config)) as process:
        for number, (method, params, expected) in enumerate(DIALOGUE):
            answer = ask(process, number, method, params)
            if isinstance(expected, tuple):
                assert (answer["error"]["code"], answer["error"]["message"]) == expected
            elif isinstance(expected, dict):
                assert {**answer["result"], **expected} == answer["result"]
            else:
                assert answer["result"] is None
        refused = ask(process, 99, "describe", SOURCE)["error"]
        assert refused["code"] == -32000
        reason = f"host 'nobody' is not in its configuration ({config}): add [hosts.nobody] with its user"
        assert refused["data"] == {"status": 2006, "step": "prepare", "reason": reason, "is_stream_broken": False}
        # Nothing but the protocol is on its standard output, and it ends with its standard input.
        out, err = process.communicate(timeout=DEADLINE)
        assert not [line for line in out.splitlines() if json.loads(line)["method"] != "alive"]
        assert process.returncode == 0
        assert b"the agent ends: it ended the connection" in err


def test_what_is_printed_does_not_reach_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "ndmpdup.toml").touch()
    code = """
        import sys
        from duplicator.agents import served
        from duplicator.cli.main import main
        def software():
            print("a library prints")
            return "x"
        served._software = software
        main()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), "agent", "--config", str(tmp_path / "ndmpdup.toml")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        assert ask(process, 1, "hello", HELLO)["result"]["software"] == "x"
        _, err = process.communicate(timeout=DEADLINE)
        assert b"a library prints" in err


def test_people_are_told_who_starts_it() -> None:
    for streams in ({"stdin": subprocess.DEVNULL}, {"stdout": subprocess.DEVNULL}):
        with start("agent", **streams) as process:
            _, err = process.communicate(timeout=DEADLINE)
            assert process.returncode == 2
            assert b"an agent is started by another ndmpdup" in err


class Record:
    """A SideRecorder that keeps nothing."""

    def step(self, step: Step, text: str) -> None:
        """See SideRecorder."""

    def note(self, text: str) -> None:
        """See SideRecorder."""

    def told(self, text: str) -> None:
        """See SideRecorder."""

    def mover(self, role: str, state: MoverState) -> None:
        """See SideRecorder."""


HANGS = "import threading; threading.Event().wait()"
ANSWER = """
import json, sys, threading
def answer(**what):
    number = json.loads(sys.stdin.readline()).get("id")
    print(json.dumps({"jsonrpc": "2.0", "id": number, **what}), flush=True)
welcome = {"version": 1, "silence": 30, "software": "s", "machine": "m", "process": 5}
"""
IMPOSTORS: list[tuple[str, Status, str]] = [
    ("import sys; sys.exit('bash: ndmpdup: command not found')", Status.CONNECTION_BROKEN, "agent far is lost: "),
    (
        "import sys; sys.exit('bash: ndmpdup: command not found')",
        Status.CONNECTION_BROKEN,
        "(exit code 1: bash: ndmpdup: command not found)",
    ),
    (
        "print('Welcome to far')",
        Status.CONNECTION_BROKEN,
        "what it says is not the protocol of agents: 'Welcome to far'",
    ),
    (HANGS, Status.CONNECTION_TIMED_OUT, "agent far does not answer within 2 s"),
    (f"{ANSWER}answer(result=welcome); {HANGS}", Status.CONNECTION_BROKEN, "it has given no sign of life for 1 s"),
    (
        f"{ANSWER}answer(result=welcome); answer(result=[1]); {HANGS}",
        Status.NDMP_FAILURE,
        "agent far (process 5 on m) does not serve 'describe'",
    ),
    (f"{ANSWER}answer(result=[]); {HANGS}", Status.NDMP_FAILURE, "agent far does not serve 'hello'"),
    (
        f"{ANSWER}answer(error={{'code': -32602, 'message': 'versions'}}); {HANGS}",
        Status.NDMP_FAILURE,
        "agent far does not serve 'hello': versions",
    ),
    (
        f"{ANSWER}answer(result=welcome); import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        Status.CONNECTION_BROKEN,
        "agent far (process 5 on m) is lost: it ended the connection (signal SIGKILL)",
    ),
]


def test_agents_that_are_none(tmp_path: Path) -> None:
    name = SourceName("h", "u", "i", None, Deadlines(), is_tls_required=False)
    for number, (code, status, words) in enumerate(IMPOSTORS):
        pid_file = tmp_path / str(number)
        script = f"import os, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\n{code}"
        agent = AgentProcess("far", (sys.executable, "-c", script), hello=2.0, silence=1.0)
        with pytest.raises(JobError) as caught:
            asyncio.run(RemoteSource(agent, name).describe(Record()))
        assert caught.value.status is status, code
        assert words in caught.value.reason, (code, caught.value.reason)
        assert identity(int(pid_file.read_text())) is None, code


def test_an_agent_that_cannot_be_started(tmp_path: Path) -> None:
    agent = AgentProcess("far", (str(tmp_path / "none"), "agent"))
    name = SourceName("h", "u", "i", None, Deadlines(), is_tls_required=False)
    with pytest.raises(JobError, match=r"agent far cannot be started: .*none: No such file") as caught:
        asyncio.run(RemoteSource(agent, name).describe(Record()))
    assert caught.value.status is Status.CONNECTION_BROKEN


def test_how_agents_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path, SMALL)
    command = ("ssh", "control2", "ndmpdup", "agent")
    assert agent_process(config, AgentSpec(name="a", command=command)).command == command
    here = agent_process(config, AgentSpec(name="b")).command
    assert here == (sys.executable, "-m", "duplicator.cli.main", "agent", "--config", str(tmp_path / "ndmpdup.toml"))

    # No password goes along.
    told = tmp_path / "told"
    monkeypatch.setenv("NDMPDUP_PASSWORD", "secret")
    monkeypatch.setenv("NDMPDUP_FROM_PASSWORD", "secret")
    monkeypatch.setenv("ANYTHING", "secret")
    script = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text('\\n'.join(os.environ))"
    name = SourceName("h", "u", "i", None, Deadlines(), is_tls_required=False)
    with pytest.raises(JobError):
        asyncio.run(RemoteSource(AgentProcess("b", (sys.executable, "-c", script)), name).describe(Record()))
    passed = set(told.read_text().split())
    assert "PATH" in passed
    assert "secret" not in [os.environ[variable] for variable in passed if variable in os.environ]
