"""A PostgreSQL cluster of the tests' own: reached by a socket in a folder of its own, by nothing else."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from tests.peers.requirements import lacking, require_peer

__all__ = ["Cluster", "postgresql_cluster"]

_USER: Final = "catalog"
_SETTINGS: Final = {
    "listen_addresses": "",
    # Nothing here outlives the machine.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
}
_END_OTHERS: Final = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Cluster:
    """A running cluster, and its one database."""

    folder: Path
    _connection: psycopg.Connection

    def empty_database(self) -> str:
        """The SQLAlchemy URL of the database, once nobody uses it and nothing is in it any more."""
        self._connection.execute(_END_OTHERS)
        self._connection.execute("DROP SCHEMA public CASCADE")
        self._connection.execute("CREATE SCHEMA public")
        return f"postgresql://{_USER}@/postgres?host={quote(str(self.folder), safe='')}"

    def psql(self, sql: str) -> str:
        """What psql prints for these statements, without headings."""
        command = [require_peer("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        address = ["-h", str(self.folder), "-U", _USER, "-d", "postgres"]
        done = subprocess.run([*command, *address], input=sql, text=True, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def postgresql_cluster() -> Iterator[Cluster]:
    """Make a cluster and run it; skip the test where PostgreSQL is not installed."""
    initdb, server = require_peer("initdb"), require_peer("postgres")
    # Not in the folder of the test: the path of a socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="ndmpdup-pg-"))
    try:
        as_owner, environment = _become_owner(folder)
        making = [*as_owner, initdb, "-D", str(folder / "cluster"), "-U", _USER, "-A", "trust", "-E", "UTF8"]
        _run([*making, "--locale=C", "--no-sync", "--no-instructions"], environment)
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        running = [*as_owner, server, "-D", str(folder / "cluster"), "-k", str(folder), *settings]
        with _running(running, folder, environment), _administrator(folder) as connection:
            yield Cluster(folder, connection)
    finally:
        shutil.rmtree(folder)


def _administrator(folder: Path) -> psycopg.Connection:
    return psycopg.connect(host=str(folder), user=_USER, dbname="postgres", autocommit=True)


def _become_owner(folder: Path) -> tuple[list[str], Mapping[str, str]]:
    """What runs a program as the owner of the folder, until the tests die: PostgreSQL refuses to be root."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "LC_MESSAGES": "C"}
    until = [require_peer("setpriv"), "--pdeathsig", "QUIT"]
    if os.geteuid() != 0:
        return [*until, "--"], environment
    owner = next((each for each in pwd.getpwall() if each.pw_name in {"postgres", "nobody"}), None)
    if owner is None:
        lacking("there is neither a user postgres nor a user nobody to run PostgreSQL")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    identity = ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]
    return [*until, *identity, "--"], environment


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout


@contextlib.contextmanager
def _running(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, cwd="/", stdout=sink, stderr=sink)
    try:
        _await_ready(process, folder / "cluster" / "postmaster.pid", log)
        yield
    finally:
        # At once, and with no care for what is on disk: it goes too.
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=30)


def _await_ready(process: subprocess.Popen[bytes], state: Path, log: Path) -> None:
    """The server tells its state in a file only, which it makes anew."""
    deadline = time.monotonic() + _START_SECONDS
    # For a moment the file is there, and empty.
    while not (state.exists() and state.read_text().rstrip().endswith("\nready")):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "PostgreSQL does not become ready: " + log.read_text()
        time.sleep(0.02)
