"""`ndmpdup config check --connect` with Amanda's ndmjob, which lists none of its devices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import Site
from tests.interop.sites import site_within
from tests.peers import Namespace, NdmjobDaemon


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


def test_a_drive_that_is_there_and_others_that_are_not(site: Site, ndmjob: NdmjobDaemon) -> None:
    path = site.folder / "ndmpdup.toml"
    path.write_text(f"""\
[hosts.tapehost]
address = "127.0.0.1"
port = {ndmjob.port}
user = "{ndmjob.user}"
password_file = "{site.secret_file("ndmjob-password", ndmjob.password)}"
roles = ["tape-server"]
[storage.disk.unit]
host = "tapehost"
[drives.there]
host = "tapehost"
device = "{ndmjob.tape}"
[drives.absent]
host = "tapehost"
device = "{ndmjob.tape}-9"
[libraries.absent]
host = "tapehost"
changer = "{site.folder}/no-robot"
drives.there = 0
""")
    before = ndmjob.tape.read_bytes()
    ended = site.run("config", "check", "--connect", "--config", path, "--json")
    assert ended.code == 2, ended.err
    assert [(found["line"], found["problem"]) for found in ended.document["problems"]] == [
        (7, "host 'tapehost' offers no file service"),
        (14, f"host 'tapehost' has no tape drive '{ndmjob.tape}-9'"),
        (17, f"host 'tapehost' has no changer '{site.folder}/no-robot'"),
    ]
    assert ndmjob.tape.read_bytes() == before
