"""One job whose read side runs in an agent's process and whose write side does not, on two hosts as processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState, JobState
from duplicator.catalog.processes import identity
from duplicator.config import load, password_found
from tests.duplicator.agents.places import TAPE_SECRET, Place, peers_of
from tests.duplicator.certificates import Authority
from tests.duplicator.processes import SECRET, Ended, Site, site_in, wait_until
from tests.duplicator.scene import BIG

IMAGE = hashlib.shake_128(b"image").digest(300_001)
PARTS = {"1": b"one" * 50_000, "2": b"", "3": IMAGE}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@pytest.fixture
def place(site: Site) -> Place:
    place = Place(site)
    (place.unit / "image").write_bytes(IMAGE)
    (place.unit / "parts").mkdir()
    for name, content in PARTS.items():
        (place.unit / "parts" / name).write_bytes(content)
    (place.unit / "big").write_bytes(b"the head of a large image")
    os.truncate(place.unit / "big", BIG)
    return place


def check_valid(place: Place, ended: Ended) -> None:
    """The job succeeded, and its copy comes back from the tape."""
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == {"status": 0, "reason": "", "validated": True}
    copy = place.only_copy()
    assert copy.state is CopyState.VALID
    back = place.folder / "back"
    restored = place.site.run("restore", copy.id, "--to", back, "--from-password-file", place.tape_password)
    assert restored.code == 0, restored.err


def check_clean(place: Place, agent: int) -> None:
    """The agent is gone, and both hosts are idle."""
    wait_until(lambda: identity(agent) is None, "the agent has ended")
    for host in (place.appliance, place.tape):
        host.wait_until_idle()


def check_not_valid(place: Place, state: JobState) -> None:
    """The only job came to no good end, and its copy counts for nothing."""
    with Catalog(place.site.catalog) as catalog:
        (job,) = catalog.jobs(limit=9)
        assert job.state is state
    copy = place.only_copy()
    assert copy.state in (CopyState.INCOMPLETE, CopyState.FAILED)
    assert not copy.fragments


def test_two_agents_run_one_job(place: Place) -> None:
    config = place.writer()
    # Nothing that the write side has opens the appliance.
    assert str(place.site.password) not in config.read_text()
    assert password_found(load(config), os.environ) == frozenset()
    assert not [value for value in os.environ.values() if SECRET in value or TAPE_SECRET in value]

    ended = place.copy("parts", config)
    check_valid(place, ended)
    back = place.folder / "back" / "parts"
    assert {part.name: part.read_bytes() for part in back.iterdir()} == PARTS
    assert "write side: agent writer; read side: agent reader" in ended.err
    for words in (
        "read side: session: the read side is run by agent reader (process",
        "agent reader: fragment 3 of image 'parts'",
        "agent reader: appliance tells: mover paused, EOF",
        "move data: tape server tells: mover halted, CONNECT_CLOSED",
    ):
        assert words in ended.err
    for secret in (SECRET, TAPE_SECRET):
        assert secret not in ended.err + ended.out


def test_each_process_speaks_with_its_own_host(place: Place) -> None:
    running = place.start(place.writer(), "big")
    place.wait_until_data_flows()
    agent, appliance, tape = place.agent_of(running), place.appliance.port, place.tape.port
    assert peers_of(running.process.pid) == {tape}
    assert peers_of(agent) == {appliance}
    for secret in (SECRET, TAPE_SECRET):
        assert not place.has_secret(agent, secret)

    os.kill(agent, signal.SIGKILL)
    ended = running.end()
    assert ended.code == 1
    document = json.loads(ended.out)
    assert (document["status"], document["validated"]) == (40, False)
    assert f"agent reader (process {agent} on {socket.gethostname()}) is lost" in document["reason"]
    assert "(signal SIGKILL)" in document["reason"]
    check_clean(place, agent)
    check_not_valid(place, JobState.FAILED)

    # The volume is as it was, and the next job needs nobody's help.
    assert place.copy("image").code == 0


def test_a_cancelled_job_waits_for_the_agent_to_clean_up(place: Place) -> None:
    running = place.start(place.writer(), "big")
    place.wait_until_data_flows()
    agent = place.agent_of(running)
    running.send(signal.SIGINT)
    ended = running.end()
    assert "agent reader: cleaning up: ending the transfer on the appliance done" in ended.err
    assert "agent reader: cleaning up: closing the image done" in ended.err
    check_clean(place, agent)
    check_not_valid(place, JobState.CANCELLED)


def test_an_agent_cleans_up_when_its_coordinator_is_killed(place: Place) -> None:
    running = place.start(place.writer(), "big")
    place.wait_until_data_flows()
    agent = place.agent_of(running)
    running.send(signal.SIGKILL)
    running.process.wait()
    check_clean(place, agent)


def test_an_agent_that_is_told_to_end_cleans_up(place: Place) -> None:
    running = place.start(place.writer(), "big")
    place.wait_until_data_flows()
    agent = place.agent_of(running)
    os.kill(agent, signal.SIGTERM)
    ended = running.end()
    assert json.loads(ended.out)["status"] == 40
    assert "is lost: it ended the connection (exit code 143" in ended.err
    check_clean(place, agent)
    check_not_valid(place, JobState.FAILED)


def test_the_appliance_dies(place: Place) -> None:
    running = place.start(place.writer(), "big")
    place.wait_until_data_flows()
    agent = place.agent_of(running)
    place.appliance.kill()
    ended = running.end()
    document = json.loads(ended.out)
    assert document["status"] == 40
    assert "agent reader" in document["reason"]
    assert f"appliance (host 127.0.0.1 port {place.appliance.port})" in document["reason"]
    wait_until(lambda: identity(agent) is None, "the agent has ended")
    place.tape.wait_until_idle()
    check_not_valid(place, JobState.FAILED)


def test_what_the_agent_finds_missing_is_told_before_a_tape_is_mounted(place: Place) -> None:
    ended = place.copy("nothing")
    document = json.loads(ended.out)
    assert document["status"] == 190
    assert document["reason"].startswith("agent reader (process ")
    assert "FILE_NOT_FOUND" in document["reason"]
    assert "write side" not in ended.err.partition("\n")[2]


@pytest.mark.parametrize("has_agent", [True, False])
def test_without_credentials_no_tape_is_mounted(place: Place, has_agent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tape:
        # An agent whose own configuration lacks the password, or no agent at all.
        place.reader.write_text(place.reader.read_text().replace("password_file", "# password_file"))
        ended = place.copy("image", place.writer(reader=has_agent, tape_port=tape.getsockname()[1]))
        assert ended.code != 0
        assert "2006" in ended.err
        if has_agent:
            assert "agent reader" in ended.err
            assert f"no password for backup@127.0.0.1:{place.appliance.port}: give a password file" in ended.err
        else:
            assert "no agent has credentials for host 'appliance' of the read side (asked: writer)" in ended.err
            assert "add it to 'hosts' or to 'credentials' of an agent" in ended.err
        tape.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has come
            tape.accept()


def test_with_tls_required(site: Site) -> None:
    authority = Authority(site.folder)
    shown = authority.issue("host", names="IP:127.0.0.1")
    tls = f'[tls]\nca = "{authority.path}"\nrequired = true\n'
    place = Place(site, *shown.serve_options(), tls=tls)
    (place.unit / "image").write_bytes(IMAGE)
    ended = place.copy("image")
    assert ended.code == 0, ended.err
    assert place.only_copy().state is CopyState.VALID
    assert "agent reader: appliance: the data connection is under TLS" in ended.err
