"""Who connects to whom, on which port: the tables of docs/network.md, as the kernel and tshark see them."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.certificates import Authority
from tests.duplicator.processes import Host, Site, wait_until
from tests.interop.sites import site_within
from tests.peers import Namespace, capture, require_peer

APPLIANCE, TAPE_SERVER = "127.0.0.2", "127.0.0.1"
CONTROL = {(APPLIANCE, 10000), (TAPE_SERVER, 10000)}
TAPE_PORT, APPLIANCE_PORT = 30100, 30200
ESTABLISHED, LISTENING = "01", "0A"


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    folder = tmp_path / "unit"
    folder.mkdir()
    (folder / "image").write_bytes(hashlib.shake_128(b"image").digest(300_000))
    return folder


def serve_appliance(site: Site, unit: Path, *options: str, listen: str | None = f"{APPLIANCE}:10000") -> Host:
    return site.serve("--lsu", f"lsu={unit}", "--data-port", str(APPLIANCE_PORT), *options, listen=listen)


def serve_tape(site: Site, *options: str, listen: str | None = f"{TAPE_SERVER}:10000") -> Host:
    drive = f"drive=virtual:{site.folder / 'ND0001'}?capacity=64G&sync=no"
    return site.serve("--tape", drive, "--data-port", str(TAPE_PORT), *options, listen=listen)


def connections(pid: int) -> set[tuple[int, int, str]]:
    """Own port, other port and state of each IPv4 connection and listener of a process."""
    held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        (int(row[1].rpartition(":")[2], 16), int(row[2].rpartition(":")[2], 16), row[3])
        for row in rows
        if f"socket:[{row[9]}]" in held
    }


def dialled(pcap: Path) -> set[tuple[str, int]]:
    """Where connections were made to."""
    first = "tcp.flags.syn==1 && tcp.flags.ack==0"
    words = [require_peer("tshark"), "-n", "-r", str(pcap), "-Y", first, "-T", "fields", "-e", "ip.dst"]
    shown = subprocess.run([*words, "-e", "tcp.dstport"], check=True, capture_output=True, text=True, timeout=60)
    return {(host, int(port)) for host, port in (line.split() for line in shown.stdout.splitlines())}


def test_each_mode_dials_what_the_table_says(namespace: Namespace, site: Site, unit: Path) -> None:
    appliance, tape = serve_appliance(site, unit), serve_tape(site)
    ports = [10000, TAPE_PORT, APPLIANCE_PORT]

    def dialled_by(*words: str | Path) -> set[tuple[str, int]]:
        with capture(namespace, site.folder / "lo.pcapng", ports) as running:
            ended = site.run(*words)
            assert ended.code == 0, ended.err
            return dialled(running.stop())

    both = ("--from-password-file", site.password, "--to-password-file", site.password)
    places = ("--from", appliance.url("lsu"), "--to", tape.url("drive"))
    to_tape, to_appliance = (TAPE_SERVER, TAPE_PORT), (APPLIANCE, APPLIANCE_PORT)
    assert dialled_by("duplicate", "image", *places, *both) == CONTROL | {to_tape}
    copy = site.ask("copies")["copies"][0]["copy"]
    tape_alone = {(TAPE_SERVER, 10000)}
    assert dialled_by("verify", copy, "--password-file", site.password) == tape_alone
    assert dialled_by("restore", copy, "--to", site.folder / "back", *both[:2]) == tape_alone | {to_tape}
    (unit / "image").unlink()
    assert dialled_by("restore", copy, "--to", appliance.url("lsu"), *both) == CONTROL | {to_appliance}


def test_data_flows_between_the_hosts_alone(site: Site, unit: Path) -> None:
    (unit / "big").touch()
    with (unit / "big").open("r+b") as big:
        big.truncate(8 << 30)
    appliance, tape = serve_appliance(site, unit), serve_tape(site)
    running = site.start_duplicate("big", source=appliance.url("lsu"), target=tape.url("drive"))

    def flows() -> bool:
        return any(own == TAPE_PORT and state == ESTABLISHED for own, _, state in connections(tape.pid))

    wait_until(flows, "data flows")
    assert [other for _, other, state in connections(appliance.pid) if state == ESTABLISHED and other == TAPE_PORT]
    application = connections(running.process.pid)
    assert {other for _, other, _ in application} == {10000}
    assert LISTENING not in {state for _, _, state in application}
    listening = {own for own, _, state in connections(tape.pid) if state == LISTENING}
    assert listening == {10000}  # nobody else is awaited
    running.process.kill()
    tape.wait_until_idle()


def test_where_a_host_listens_unless_told(site: Site, unit: Path) -> None:
    authority = Authority(site.folder)
    shown = authority.issue("host")
    plain, secure = (
        site.serve("--lsu", f"lsu={unit}", *options, listen=None) for options in ((), shown.serve_options())
    )
    assert (plain.address, secure.address) == ("127.0.0.1:10000", "127.0.0.1:30000")
    for scheme, options in (("ndmp", ()), ("ndmps", ("--tls-ca", str(authority.path)))):
        url = f"{scheme}://backup@127.0.0.1/lsu"
        ended = site.run("images", url, "--password-file", site.password, *options)
        assert ended.code == 0, ended.err
    for host in (plain, secure):
        assert "warning" not in host.log


def test_a_host_that_others_can_reach(site: Site, unit: Path) -> None:
    """It warns that nothing is encrypted, and takes no password as text."""
    shown = Authority(site.folder).issue("host")
    plain = serve_appliance(site, unit, listen="0.0.0.0:10000")
    plain.wait_for("warning: others can reach this host, and nothing is encrypted")
    secure = serve_appliance(site, unit, *shown.serve_options(), listen="0.0.0.0:30000")
    cases = [(plain, (), ["md5"]), (secure, ("--tls-ca", str(shown.path)), ["md5", "text"])]
    for host, options, logins in cases:
        url = host.url("").replace("0.0.0.0", "127.0.0.1")
        assert site.ask("probe", url, "--password-file", site.password, *options)["logins"] == logins
    assert "warning" not in secure.log


def test_offered_and_bound_addresses(site: Site, unit: Path) -> None:
    """Control by IPv6; data at an IPv4 address that is told, on a listener elsewhere."""
    appliance = serve_appliance(site, unit, listen="[::1]:10000")
    tape = serve_tape(site, listen="[::1]:10001")
    ended = site.duplicate("image", source=appliance.url("lsu"), target=tape.url("drive"))
    assert ended.code == 1
    assert "it has no address and port to listen on" in ended.err
    assert tape.stop().code == 0

    tape = serve_tape(site, "--data-address", "127.0.0.7=0.0.0.0", listen="[::1]:10001")
    ended = site.duplicate("image", source=appliance.url("lsu"), target=tape.url("drive"))
    assert ended.code == 0, ended.err


def test_peers_that_are_not_expected(site: Site, unit: Path) -> None:
    appliance = serve_appliance(site, unit, "--data-peer", "192.0.2.0/24")
    tape = serve_tape(site)
    options = ("--connect-timeout", "2")
    ended = site.duplicate("image", source=appliance.url("lsu"), target=tape.url("drive"), options=options)
    # Neither does the appliance let this machine in, through which the data would have to go then.
    assert (ended.code, ended.document["jobs"][0]["status"]) == (1, 41)
    assert f"direct: this way is not open: appliance (host {APPLIANCE} port 10000)" in ended.err
    assert f"it does not reach {TAPE_SERVER} port {TAPE_PORT}" in ended.err
