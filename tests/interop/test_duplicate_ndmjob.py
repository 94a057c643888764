"""Duplication to Amanda's ndmjob, a tape server that nobody here wrote; its tape is read without our code."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.duplicator.plain_tape import LabelledFile, labelled_files, user_text
from tests.duplicator.processes import Ended, Host, Site
from tests.interop.sites import site_within
from tests.peers import Namespace, NdmjobDaemon, ndmjob_daemon

PARTS = {"part.000": 100_001, "part.001": 0, "part.002": 131_072}
RECORD = 65_536


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A storage unit with an empty image, one of three fragments, and ones of one byte and of 400,000."""
    folder = tmp_path / "unit"
    (folder / "parts").mkdir(parents=True)
    for name, size in PARTS.items():
        (folder / "parts" / name).write_bytes(hashlib.shake_128(name.encode()).digest(size))
    (folder / "empty").touch()
    (folder / "one").write_bytes(b"1")
    (folder / "large").write_bytes(hashlib.shake_128(b"large").digest(400_000))
    return folder


@pytest.fixture
def appliance(site: Site, unit: Path) -> Host:
    return site.serve("--lsu", f"lsu={unit}")


def drive(daemon: NdmjobDaemon) -> str:
    """The URL of its tape, whose name is a path."""
    return f"ndmp://{daemon.user}@127.0.0.1:{daemon.port}/{daemon.tape}"


def password(site: Site, daemon: NdmjobDaemon) -> Path:
    return site.secret_file("ndmjob-password", daemon.password)


def duplicate(site: Site, appliance: Host, daemon: NdmjobDaemon, *images: str, more: tuple[str, ...] = ()) -> Ended:
    options = ("--to-password-file", password(site, daemon), *more)
    return site.duplicate(*images, source=appliance.url("lsu"), target=drive(daemon), options=options)


def jobs_of(ended: Ended) -> list[dict[str, Any]]:
    """The jobs of a command that has to succeed."""
    assert ended.code == 0, ended.err
    jobs = ended.document["jobs"]
    assert {(job["status"], job["validated"]) for job in jobs} == {(0, True)}
    return list(jobs)


def read_simulated_tape(path: Path) -> list[LabelledFile]:
    """The tape files on ndmjob's simulated tape.

    Each object has a head of four little-endian words of 8 bytes: magic, kind, bytes of the record before, own bytes.
    """
    content, at = path.read_bytes(), 0
    objects: list[bytes | None] = []
    size_before = 0
    while True:
        magic, kind, before, size = struct.unpack_from("<Q8s2Q", content, at)
        at += 32
        assert magic == 0x0BEEFEE0
        assert before == size_before
        kind = kind.rstrip(b"\0")
        if kind == b"EOT_":
            break
        if kind == b"FILE":
            objects.append(None)
        elif kind == b"DATA":
            objects.append(content[at : at + size])
            at += size
        else:
            assert (kind, objects) == (b"BOT_", [])
        size_before = size
    return labelled_files(objects)[1]


def check_fragment(found: LabelledFile, content: bytes, image: str, sequence: int) -> None:
    """A tape file against its source."""
    blocks = -(-len(content) // RECORD)
    assert [len(block) for block in found.blocks] == [RECORD] * blocks
    assert b"".join(found.blocks) == content.ljust(blocks * RECORD, b"\0")
    trailer = user_text(found.trailer, "UTL")
    assert (trailer["IMAGE"], trailer["SEQUENCE"]) == (image, str(sequence))
    assert (trailer["BYTES"], trailer["BLOCKS"]) == (str(len(content)), str(blocks))


def test_copies_on_a_tape_of_ndmjob(site: Site, unit: Path, appliance: Host, ndmjob: NdmjobDaemon) -> None:
    parts, empty = jobs_of(duplicate(site, appliance, ndmjob, "parts", "empty"))
    (one,) = jobs_of(duplicate(site, appliance, ndmjob, "one"))  # a second run appends
    assert {job["volume"] for job in (parts, empty, one)} == {"ND0001"}

    contents = [("parts", (unit / "parts" / name).read_bytes()) for name in PARTS]
    contents += [(name, (unit / name).read_bytes()) for name in ("empty", "one")]
    files = read_simulated_tape(ndmjob.tape)
    assert len(files) == len(contents)
    for sequence, (found, (image, content)) in enumerate(zip(files, contents, strict=True), 1):
        check_fragment(found, content, image, sequence)

    back = site.folder / "back"
    for job in (parts, empty):
        login = ("--from-password-file", password(site, ndmjob))
        ended = site.run("restore", job["copy"], "--to", back, *login)
        assert ended.code == 0, ended.err
    assert {path.name: path.read_bytes() for path in (back / "parts").iterdir()} == {
        name: (unit / "parts" / name).read_bytes() for name in PARTS
    }
    assert (back / "empty").read_bytes() == b""
    assert not ndmjob.tape.with_name("tape.lck").exists()


def test_a_changed_bit_on_a_tape_of_ndmjob(site: Site, unit: Path, appliance: Host, ndmjob: NdmjobDaemon) -> None:
    """The validation through its mover is one."""
    (job,) = jobs_of(duplicate(site, appliance, ndmjob, "one"))
    tape = bytearray(ndmjob.tape.read_bytes())
    (found,) = read_simulated_tape(ndmjob.tape)
    tape[tape.index(found.blocks[0])] ^= 1
    ndmjob.tape.write_bytes(tape)
    ended = site.run("verify", job["copy"], "--password-file", password(site, ndmjob), "--json")
    assert ended.code == 1
    (verified,) = ended.document["jobs"]
    assert verified["status"] == 85
    assert "digest" in verified["reason"]


def test_a_full_tape_of_ndmjob(site: Site, unit: Path, namespace: Namespace, appliance: Host) -> None:
    tape_dir = site.folder / "ndmjob"
    tape_dir.mkdir()
    with ndmjob_daemon(namespace, tape_dir, 10000, tape_limit=300_000) as daemon:
        (good,) = jobs_of(duplicate(site, appliance, daemon, "one"))
        before = read_simulated_tape(daemon.tape)
        ended = duplicate(site, appliance, daemon, "large", more=("--no-span",))
        assert ended.code == 1
        (job,) = ended.document["jobs"]
        assert (job["status"], job["step"]) == (166, "move data"), ended.err
        assert "the tape is full" in ended.err
        assert not (tape_dir / "tape.lck").exists()
        assert read_simulated_tape(daemon.tape) == before
        (again,) = jobs_of(duplicate(site, appliance, daemon, "one"))
        assert read_simulated_tape(daemon.tape)[:-1] == before
        states = {copy["copy"]: copy["state"] for copy in site.ask("copies")["copies"]}
        assert states == {good["copy"]: "valid", job["copy"]: "failed", again["copy"]: "valid"}


def test_a_source_without_the_extension(site: Site, ndmjob: NdmjobDaemon) -> None:
    """ndmjob never answers the question for extensions: that is taken as "none" within seconds."""
    tape = site.serve("--tape", f"drive=virtual:{site.folder / 'ND0001'}")
    source = f"ndmp://{ndmjob.user}@127.0.0.1:{ndmjob.port}/lsu"
    options = ("--from-password-file", password(site, ndmjob))
    began = time.monotonic()
    ended = site.duplicate("one", source=source, target=tape.url("drive"), options=options)
    assert time.monotonic() - began < 15
    assert ended.code == 1
    (job,) = ended.document["jobs"]
    assert (job["status"], job["step"]) == (213, "check file service extension")
    assert "does not offer the file service extension (class 0x7fe0)" in ended.err
    assert (site.folder / "ND0001.data").read_bytes() == b"", "the tape is not touched"
