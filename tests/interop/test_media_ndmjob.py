"""`ndmpdup media label` on Amanda's ndmjob, a tape server that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import Site
from tests.interop.sites import site_within
from tests.peers import Namespace, ndmjob_daemon


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


def test_label(site: Site, namespace: Namespace, tmp_path: Path) -> None:
    tape_dir = tmp_path / "tape"
    tape_dir.mkdir()
    with ndmjob_daemon(namespace, tape_dir, 10_000) as daemon:
        drive = f"ndmp://{daemon.user}@127.0.0.1:{daemon.port}/{daemon.tape}"
        where = ["--in", drive, "--password-file", site.secret_file("ndmjob-password", daemon.password)]
        ended = site.run("media", "label", "A00001L8", *where, "--pool", "daily")
        assert (ended.code, ended.out) == (0, "A00001: labelled, pool daily\n"), ended.err
        before = Path(daemon.tape).read_bytes()
        assert before.count(b"VOL1A00001") == 1
        assert site.run("media", "forget", "A00001").code == 0

        ended = site.run("media", "label", "A00002L8", *where)
        assert (ended.code, ended.out) == (1, "")
        assert "--overwrite A00001" in ended.err
        assert Path(daemon.tape).read_bytes() == before

        ended = site.run("media", "label", "A00002L8", *where, "--overwrite", "A00001")
        assert ended.code == 0, ended.err
        assert Path(daemon.tape).read_bytes().count(b"VOL1A00002") == 1
        assert b"A00001" not in Path(daemon.tape).read_bytes()
