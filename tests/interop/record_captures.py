"""Captures ndmjob talking to ndmjob: ``python -m tests.interop.record_captures fixtures`` (as root).

Writes one gzipped pcap for each scene, only control connections in it. The host's name is set for the recording; the
release of the kernel, which ndmjob tells whoever asks, is overwritten with as many x.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.peers import Namespace, capture, ndmjob_daemon, network_namespace, require_peer

HOST_NAME = "ndmjob"
PORT = 10000
TEXT, MD5 = (f"127.0.0.1:{PORT}/4{kind},ndmp,ndmp" for kind in "tm")

BOTH = f"-D {TEXT} -T {MD5} -f tape"
ROBOT = f"-R {TEXT} -T {TEXT} -r robot -f robot/drive0 -o tape-addr=128"
LABEL = f"-o init-labels -T {TEXT} -f tape -m VOL001"
BACKUP = f"-c {BOTH} -m VOL001 -C source"


@dataclass(frozen=True)
class Scene:
    """Commands to run before the capture begins, and while it runs."""

    commands: tuple[str, ...]
    before: tuple[str, ...] = ()
    tape_limit: int | None = None


SCENES = {
    "query": Scene((f"-q -T {MD5}", f"-q -D {TEXT}", f"-q -R {TEXT} -r robot")),
    "backup_files": Scene((f"{BACKUP} -E HIST=f -I index",), (LABEL,)),
    "backup_nodes": Scene((f"{BACKUP} -E HIST=d",), (LABEL,)),
    "contents": Scene((f"-t {BOTH} -m VOL001/40K -E FILESYSTEM=source",), (LABEL, BACKUP)),
    "restore": Scene((f"-x {BOTH} -m VOL001 -E FILESYSTEM=all -J index",), (LABEL, f"{BACKUP} -I index")),
    "restore_one": Scene(
        (f"-x {BOTH} -m VOL001 -E FILESYSTEM=one -J index renamed=/a.txt",), (LABEL, f"{BACKUP} -I index")
    ),
    "robot_labels": Scene((f"-o init-labels {ROBOT} -m RV01@1024 -m RV02@1025", f"-l {ROBOT} -m RV02@1025")),
    "two_tapes": Scene(
        (f"-c -D {TEXT} {ROBOT} -m RV01@1024 -m RV02@1025 -C large -E HIST=n",),
        (f"-o init-labels {ROBOT} -m RV01@1024 -m RV02@1025",),
        tape_limit=200_000,
    ),
    "test_mover": Scene((f"-o test-mover -T {MD5} -f tape",)),
    "test_data": Scene((f"-o test-data -D {TEXT}",)),
    "test_tape": Scene((f"-o test-tape -T {TEXT} -f tape",)),
}

CONFIGURATION = """
[butype tar]
    v4attr 0x7fe
    default_env TYPE tar
    default_env HIST n

[fs /export]
    fs_type ufs
    fs_physical_device disk0
    fs_status online
    fs_env LOCAL y

[tape SIMULATOR]
    device tape
    v4attr 0x3
    capability EXECUTE_CDB n

[scsi FAKEROBOT]
    device robot
    v4attr 0x1
    capability SELECT_TIMEOUT 1000
"""


def record(directory: Path) -> None:
    """Play every scene anew."""
    for name, scene in SCENES.items():
        (directory / f"ndmjob_{name}.pcap.gz").write_bytes(gzip.compress(_without_release(play(scene)), mtime=0))


def play(scene: Scene) -> bytes:
    """The pcap of one scene, in a network and a directory of its own."""
    with tempfile.TemporaryDirectory() as made, network_namespace() as namespace:
        directory = Path(made)
        _furnish(directory)
        with ndmjob_daemon(namespace, directory, PORT, tape_limit=scene.tape_limit):
            _run(namespace, directory, scene.before)
            with capture(namespace, directory / "pcapng", [PORT]) as running:
                _run(namespace, directory, scene.commands)
                running.stop()
        # The older format says nothing of the machine.
        only = ["-Y", f"tcp.port == {PORT}", "-F", "pcap"]
        tshark = [require_peer("tshark"), "-r", str(directory / "pcapng"), *only, "-w", str(directory / "pcap")]
        subprocess.run(tshark, check=True, capture_output=True, timeout=60)
        return (directory / "pcap").read_bytes()


def _furnish(directory: Path) -> None:
    """Trees to back up, a robot's place, and what makes ndmjob find the backup program."""
    for name, contents in {
        "source/a.txt": b"hello\n",
        "source/empty": b"",
        "source/sub dir/b.bin": bytes(range(256)) * 60,
        "large/c.bin": bytes(250_000),
        "robot/README": b"",
        "ndmjob.conf": CONFIGURATION.encode(),
        "wrap_tar": f'#!/bin/sh\nexec {sys.executable} -I -S {Path(__file__).with_name("wrap_tar.py")} "$@"\n'.encode(),
    }.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    (directory / "wrap_tar").chmod(0o755)
    os.environ["NDMJOB_CONF"] = str(directory / "ndmjob.conf")
    os.environ["PATH"] = f"{directory}:{os.defpath}"


def _run(namespace: Namespace, directory: Path, commands: tuple[str, ...]) -> None:
    for command in commands:
        done = namespace.run([require_peer("ndmjob"), "-v", *command.split()], cwd=directory, check=False)
        sys.stderr.write(f"{command}\n{done.stdout}{done.stderr}\n")


def _without_release(pcap: bytes) -> bytes:
    release = os.uname().release
    return pcap.replace(release.encode(), b"x" * len(release))


if __name__ == "__main__":
    if os.uname().nodename != HOST_NAME:
        renamed = 'hostname "$0" && exec "$@"'
        again = [sys.executable, "-m", "tests.interop.record_captures", *sys.argv[1:]]
        os.execv(require_peer("unshare"), ["unshare", "--uts", "--", "sh", "-c", renamed, HOST_NAME, *again])
    record(Path(sys.argv[1]))
