"""DirectCopy with Amanda's ndmjob as the tape server: whose tape is copied, and to whose tape is copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.duplicator.plain_tape import labelled_files, read_tap, user_text
from tests.duplicator.processes import Site
from tests.interop.jobs import run_job
from tests.interop.sites import site_within
from tests.interop.test_duplicate_ndmjob import drive, duplicate, jobs_of, password, read_simulated_tape
from tests.peers import Namespace, NdmjobDaemon

PARTS = {"part.000": 100_001, "part.001": 0, "part.002": 131_072}
RECORD = 65_536


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


def test_a_copy_on_a_tape_of_ndmjob_goes_to_ours_and_back(
    namespace: Namespace, site: Site, ndmjob: NdmjobDaemon
) -> None:
    """Twice the mover of one sends to that of the other; each tape is read without our code."""
    unit = site.folder / "unit"
    (unit / "parts").mkdir(parents=True)
    contents = [hashlib.shake_128(name.encode()).digest(size) for name, size in PARTS.items()]
    for name, content in zip(PARTS, contents, strict=True):
        (unit / "parts" / name).write_bytes(content)
    appliance = site.serve("--lsu", f"lsu={unit}")
    (first,) = jobs_of(duplicate(site, appliance, ndmjob, "parts"))
    appliance.stop()

    ours = site.serve("--tape", f"drive=virtual:{site.folder / 'T1'}?capacity=64M")
    here = {"target": ours.url("drive"), "target_password": str(site.password)}
    there = {"source": drive(ndmjob), "source_password": str(password(site, ndmjob))}
    second = run_job(namespace, site, copy=first["copy"], **there, **here)
    assert (second["status"], second["validated"]) == (0, True), second
    tap = site.folder / "T1.tap"
    assert site.run("tape", f"virtual:{site.folder / 'T1'}", "export", tap).code == 0
    check(labelled_files(read_tap(tap))[1], contents, second["copy"])

    back = {"source": here["target"], "source_password": here["target_password"]}
    again = {"target": there["source"], "target_password": there["source_password"]}
    third = run_job(namespace, site, copy=second["copy"], **back, **again)
    assert (third["status"], third["validated"]) == (0, True), third
    check(read_simulated_tape(ndmjob.tape)[3:], contents, third["copy"], first=4)
    ours.wait_until_idle()
    assert not ndmjob.tape.with_name("tape.lck").exists()


def check(files: list[Any], contents: list[bytes], copy: str, first: int = 1) -> None:
    """The tape files of a copy hold these bytes, and their labels say so."""
    assert len(files) == len(contents)
    for sequence, (file, content) in enumerate(zip(files, contents, strict=True), first):
        keys = user_text(file.trailer, "UTL")
        blocks = -(-len(content) // RECORD)
        assert b"".join(file.blocks) == content.ljust(blocks * RECORD, b"\0")
        assert (keys["COPY"], keys["SEQUENCE"], keys["BYTES"]) == (copy, str(sequence), str(len(content)))
