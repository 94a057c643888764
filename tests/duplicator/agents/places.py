"""Two hosts, and two configurations: that of the process with the tape server's password, and that of the agent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from duplicator.catalog import Catalog, Copy
from tests.duplicator.processes import SECRET, USER, Ended, Host, Running, Site, wait_until

__all__ = ["TAPE_SECRET", "Place", "peers_of"]

TAPE_SECRET = "another-secret-of-the-tests"


class Place:
    """``options``: for both hosts; ``tls``: the part of both configurations that says whom to trust."""

    def __init__(self, site: Site, *options: str, tls: str = "") -> None:
        self.site = site
        self.folder = site.folder
        self._tls = tls
        self.unit = self.folder / "unit"
        self.unit.mkdir()
        self.appliance = site.serve("--lsu", f"lsu={self.unit}", *options)
        self.tape_password = site.secret_file("tape-password", TAPE_SECRET)
        login = ["--user", USER, "--password-file", self.tape_password]
        drive = f"drive=virtual:{self.folder / 'ND0001'}?capacity=64G&sync=no"
        self.tape = site.serve("--tape", drive, *options, login=login)
        self.reader = self.write("reader.toml", self._host("appliance", self.appliance, site.password))

    def write(self, name: str, text: str) -> Path:
        """A configuration."""
        path = self.folder / name
        path.write_text(self._tls + text)
        return path

    def _host(self, name: str, host: Host, password: Path | None) -> str:
        secret = f'password_file = "{password}"\n' if password else ""
        tls = "tls = true\n" if host.url("").startswith("ndmps") else ""
        return f'[hosts.{name}]\naddress = "127.0.0.1"\nport = {host.port}\nuser = "{USER}"\n{tls}{secret}'

    def writer(self, *, reader: bool = True, tape_port: int | None = None) -> Path:
        """The configuration of the process that runs the job; it knows of the appliance, and not its password."""
        words = [sys.executable, "-m", "duplicator.cli.main", "agent", "--config", str(self.reader)]
        agents = f'[agents.writer]\nhosts = ["tapehost"]\n[agents.reader]\nhosts = ["appliance"]\ncommand = {words}\n'
        without = '[agents.writer]\nhosts = ["tapehost"]\n'
        tape = self._host("tapehost", self.tape, self.tape_password)
        if tape_port is not None:
            tape = tape.replace(f"port = {self.tape.port}", f"port = {tape_port}")
        return self.write(
            "writer.toml",
            f'[catalog]\nurl = "{self.site.catalog}"\n'
            + self._host("appliance", self.appliance, None)
            + tape
            + (agents if reader else without)
            + '[storage.disk.lsu]\nhost = "appliance"\n[drives.d1]\nhost = "tapehost"\ndevice = "drive"\n'
            + '[pools.p]\n[storage.tape.t]\ndrives = ["d1"]\npool = "p"\n',
        )

    def start(self, config: Path, image: str) -> Running:
        """Start the job."""
        return self.site.start_module("tests.duplicator.agents.coordinator", config, image)

    def copy(self, image: str, config: Path | None = None) -> Ended:
        """Run the job."""
        return self.start(config or self.writer(), image).end()

    def only_copy(self) -> Copy:
        """The copy in the catalog."""
        with Catalog(self.site.catalog) as catalog:
            (copy,) = catalog.copies()
        return copy

    def agent_of(self, running: Running) -> int:
        """The process of the agent that a job has started last."""
        wait_until(lambda: bool(children(running.process.pid)), "the job has an agent")
        return children(running.process.pid)[-1]

    def has_secret(self, pid: int, secret: str = SECRET) -> bool:
        """Whether a process has a password in its environment."""
        return secret.encode() in Path(f"/proc/{pid}/environ").read_bytes()

    def wait_until_data_flows(self) -> None:
        """Wait until much more than labels is on the tape."""
        data = self.folder / "ND0001.data"
        wait_until(lambda: data.exists() and data.stat().st_size > (8 << 20), "data flows")


def children(pid: int) -> list[int]:
    """The processes that a process has started, by their number."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (thread / "children").read_text().split())
    return sorted(found)


def peers_of(pid: int) -> set[int]:
    """The ports to which a process has TCP connections."""
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(os.readlink(descriptor))
        except FileNotFoundError:
            continue
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in held and row[3] == "01"}
