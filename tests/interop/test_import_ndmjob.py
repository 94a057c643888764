"""The catalog rebuilt from a tape in Amanda's ndmjob, which finds filemarks and the end of a tape in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState
from tests.duplicator.processes import Site
from tests.duplicator.tape_facts import facts
from tests.duplicator.test_spanning import appliance
from tests.interop.sites import site_within
from tests.peers import Namespace, NdmjobDaemon


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


def test_a_tape_of_ndmjob(site: Site, ndmjob: NdmjobDaemon) -> None:
    source, contents = appliance(site, {"parts": [100_001, 0, 131_072], "one": [1]})
    drive = f"ndmp://{ndmjob.user}@127.0.0.1:{ndmjob.port}/{ndmjob.tape}"
    secret = site.secret_file("ndmjob-password", ndmjob.password)
    made = site.duplicate(
        "parts", "one", source=source.url("lsu"), target=drive, options=("--to-password-file", secret)
    )
    assert made.code == 0, made.err
    before = ndmjob.tape.read_bytes()
    rebuilt = f"sqlite:///{site.folder / 'rebuilt.db'}"
    here = ("--catalog", rebuilt)
    ended = site.run("import", "--from", drive, "--password-file", secret, *here, "--json")
    assert ended.code == 0, ended.err
    assert ndmjob.tape.read_bytes() == before
    with Catalog(site.catalog) as written, Catalog(rebuilt) as found:
        assert facts(found) == facts(written)
        copies = [copy.id for copy in found.copies()]
    verified = site.run("verify", *copies, "--password-file", secret, *here)
    assert verified.code == 0, verified.err
    with Catalog(rebuilt) as catalog:
        assert {copy.state for copy in catalog.copies()} == {CopyState.VALID}
        parts = next(copy.id for copy in catalog.copies() if copy.image.name == "parts")
    back = site.folder / "back"
    restored = site.run("restore", parts, "--to", back, "--from-password-file", secret, *here)
    assert restored.code == 0, restored.err
    assert [path.read_bytes() for path in sorted((back / "parts").iterdir())] == contents["parts"]


def test_a_tape_that_was_never_written(site: Site, ndmjob: NdmjobDaemon) -> None:
    drive = f"ndmp://{ndmjob.user}@127.0.0.1:{ndmjob.port}/{ndmjob.tape}"
    secret = site.secret_file("ndmjob-password", ndmjob.password)
    before = ndmjob.tape.read_bytes()
    ended = site.run("import", "--from", drive, "--password-file", secret, "--json")
    assert (ended.code, ended.document["volumes"][0]["found"]) == (1, "unknown"), ended.err
    assert "it is damaged, or was never written" in ended.err
    assert ndmjob.tape.read_bytes() == before
