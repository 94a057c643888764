"""NDMPS through the command line: hosts and commands as processes, a private authority, and what is refused."""

from __future__ import annotations

import hashlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.duplicator.certificates import Authority
from tests.duplicator.processes import SECRET, Ended, Host, Site, site_in
from tests.peers.requirements import require_peer

IMAGE = hashlib.shake_128(b"image").digest(300_001)


class Place:
    """An appliance and a tape server, by turns plain and under TLS."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.authority = Authority(site.folder)
        self.shown = self.authority.issue("host", names="IP:127.0.0.1,DNS:localhost")
        self.unit = site.folder / "unit"
        self.unit.mkdir()
        (self.unit / "image").write_bytes(IMAGE)
        self._drive = f"drive=virtual:{site.folder / 'ND0001'}?capacity=1G&sync=no"

    @property
    def trust(self) -> tuple[str, ...]:
        return ("--tls-ca", str(self.authority.path))

    def appliance(self, *options: str) -> Host:
        return self.site.serve("--lsu", f"lsu={self.unit}", *options)

    def tape(self, *options: str) -> Host:
        return self.site.serve("--tape", self._drive, *options)

    def duplicate(self, appliance: Host, tape: Host, *options: str) -> Ended:
        source, target = appliance.url("lsu"), tape.url("drive")
        return self.site.duplicate("image", source=source, target=target, options=options)

    def steps(self, number: int = 1) -> str:
        """What is recorded of a job."""
        return self.site.run("jobs", str(number)).out


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with site_in(tmp_path) as site:
        yield Place(site)


def job_of(ended: Ended) -> dict[str, Any]:
    (job,) = ended.document["jobs"]
    return dict(job)


def test_all_jobs_with_tls_required(place: Place) -> None:
    site, tls = place.site, place.shown.serve_options()
    appliance, tape = place.appliance(*tls), place.tape(*tls)
    strict = (*place.trust, "--require-tls")
    ended = place.duplicate(appliance, tape, *strict)
    assert ended.code == 0, ended.err
    steps = place.steps()
    assert "the data connection is under TLS" in steps
    assert "not encrypted" not in steps

    copy, password = job_of(ended)["copy"], ("--password-file", site.password)
    assert site.verify([copy], tape.url("drive"), *strict).code == 0
    back = site.folder / "back"
    from_tape = ("--from-password-file", site.password)
    restored = site.run("restore", copy, "--to", back, *from_tape, *strict)  # from the URL in the catalog
    assert restored.code == 0, restored.err
    assert (back / "image").read_bytes() == IMAGE
    assert "the data connection is under TLS" in place.steps(3)
    (place.unit / "image").unlink()
    restored = site.run(
        "restore", copy, "--to", appliance.url("lsu"), *from_tape, "--to-password-file", site.password, *strict
    )
    assert restored.code == 0, restored.err
    assert (place.unit / "image").read_bytes() == IMAGE
    for command, url in (("images", appliance.url("lsu")), ("probe", tape.url(""))):
        assert site.run(command, url, *password, *strict).code == 0
    for host in (appliance, tape):
        assert SECRET not in host.stop().err


def test_the_record_tells_what_is_not_encrypted(place: Place) -> None:
    tls = place.shown.serve_options()
    appliance, tape = place.appliance(*tls), place.tape(*tls, "--data-tls", "off")
    ended = place.duplicate(appliance, tape, *place.trust)
    assert ended.code == 0, ended.err
    assert "the data connection is not encrypted" in place.steps()
    assert "under TLS" not in place.steps()


def test_a_data_connection_without_tls_is_refused(place: Place) -> None:
    tls = place.shown.serve_options()
    for listening, connecting, words in (
        ("off", "offer", "offers no data connection with it"),
        ("offer", "off", "it does not reach"),
        ("require", "off", "it does not reach"),
    ):
        appliance, tape = place.appliance(*tls, "--data-tls", connecting), place.tape(*tls, "--data-tls", listening)
        ended = place.duplicate(appliance, tape, *place.trust, "--require-tls")
        assert ended.code == 1
        job = job_of(ended)
        # Hosts that do not reach each other could send through this machine, which wants TLS of the appliance, too.
        assert words in ended.err
        assert "offers no data connection with it" in job["reason"], job
        assert job["status"] == 7625, job
        assert not job["validated"]
        tape.wait_until_idle()
        for host in (appliance, tape):
            assert host.stop().code == 0


def test_hosts_that_are_not_trusted(place: Place) -> None:
    site, password = place.site, ("--password-file", place.site.password)
    other = Authority(site.folder, "other")
    elsewhere = place.authority.issue("elsewhere", names="DNS:tape.example")
    secure, wrong = place.appliance(*place.shown.serve_options()), place.appliance(*elsewhere.serve_options())
    plain = place.appliance()
    closed = place.appliance(*place.shown.serve_options(), "--tls-client-ca", str(other.path))
    cases = [
        (secure.url("lsu"), ("--tls-ca", str(other.path)), "nobody we trust vouches for the host's certificate"),
        (secure.url("lsu"), (), "nobody we trust vouches for the host's certificate"),
        (wrong.url("lsu"), place.trust, "the host's certificate is for another name than 127.0.0.1"),
        (plain.url("lsu").replace("ndmp:", "ndmps:"), place.trust, "the host answers without TLS"),
        (closed.url("lsu"), place.trust, "it may demand another client certificate"),
    ]
    for url, options, words in cases:
        ended = site.run("images", url, *password, *options)
        assert (ended.code, ended.out) == (1, ""), ended.err
        assert ended.err.startswith("ndmpdup: status 7625 (no secure connection came about)"), ended.err
        assert words in ended.err
        assert "--tls-ca" in ended.err
        assert len(ended.err.splitlines()) == 1
    client = other.issue("client")
    assert site.run("images", closed.url("lsu"), *password, *place.trust, *client.serve_options()).code == 0


def test_a_plain_command_and_a_host_with_tls(place: Place) -> None:
    secure = place.appliance(*place.shown.serve_options())
    url = secure.url("lsu").replace("ndmps:", "ndmp:")
    ended = place.site.duplicate("image", source=url, target=url, options=("--connect-timeout", "1"))
    assert job_of(ended)["status"] == 54
    assert "does not greet within 1 s; it may expect TLS" in ended.err


def test_plain_urls_where_tls_is_required(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    site, password = place.site, ("--password-file", place.site.password)
    plain, secure = "ndmp://backup@127.0.0.1:1/x", "ndmps://backup@127.0.0.1:1/x"
    both = ("--from-password-file", site.password, "--to-password-file", site.password)
    commands = [
        ("probe", plain, *password),
        ("images", plain, *password),
        ("duplicate", "image", "--from", plain, "--to", secure, *both),
        ("duplicate", "image", "--from", secure, "--to", plain, *both),
    ]
    for words in commands:
        ended = site.run(*words, "--require-tls")
        assert ended.code == 2, ended.err
        assert ended.err == f"ndmpdup: TLS is required, and {plain} is not under TLS: write ndmps://\n"
    monkeypatch.setenv("NDMPDUP_REQUIRE_TLS", "1")
    assert site.run(*commands[0]).code == 2
    appliance, tape = place.appliance(), place.tape()
    monkeypatch.delenv("NDMPDUP_REQUIRE_TLS")
    copy = job_of(place.duplicate(appliance, tape))["copy"]
    for words in (("verify", copy, *password), ("restore", copy, "--to", site.folder / "x", *both[:2])):
        ended = site.run(*words, "--require-tls")
        assert ended.code == 2, ended.err
        assert "TLS is required, and ndmp://" in ended.err


def test_trust_from_the_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Authority(place.site.folder, "other")
    client = other.issue("client")
    closed = place.appliance(*place.shown.serve_options(), "--tls-client-ca", str(other.path))
    monkeypatch.setenv("NDMPDUP_TLS_CA", str(place.authority.path))
    monkeypatch.setenv("NDMPDUP_TLS_CERT", str(client.path))
    monkeypatch.setenv("NDMPDUP_TLS_KEY", str(client.key))
    ended = place.site.run("images", closed.url("lsu"), "--password-file", place.site.password)
    assert ended.code == 0, ended.err
    client.key.chmod(0o644)
    ended = place.site.run("images", closed.url("lsu"), "--password-file", place.site.password)
    assert (ended.code, ended.out) == (2, "")
    assert "chmod 600" in ended.err


def test_openssl_gets_the_greeting(place: Place) -> None:
    """The first record of a host under TLS, as another program receives it (draft 4.1.2)."""
    host = place.appliance(*place.shown.serve_options())
    words = [require_peer("openssl"), "s_client", "-connect", host.address, "-CAfile", str(place.authority.path)]
    words += ["-quiet", "-verify_return_error", "-verify_ip", "127.0.0.1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as client:
        try:
            assert client.stdout is not None
            head = client.stdout.read(4 + 24 + 8)
        finally:
            client.kill()
    assert head[0] == 0x80  # one fragment, the last
    assert head[4:8] == bytes.fromhex("00000001")  # the first message of the host
    assert head[12:36] == bytes.fromhex("00000000 00000502 00000000 00000000 00000000 00000004")


def test_a_stranger_on_the_tls_port_hears_nothing(place: Place) -> None:
    host = place.appliance(*place.shown.serve_options())
    with socket.create_connection(("127.0.0.1", host.port), timeout=20) as stranger:
        stranger.sendall(bytes(64))
        try:
            heard = stranger.recv(4096)
        except ConnectionResetError:
            heard = b""
    assert b"\x05\x02" not in heard
    assert len(heard) < 24
