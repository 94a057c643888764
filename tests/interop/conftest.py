"""Fixtures for tests with programs of third parties; every test below this folder is marked ``interop``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.places import Stage
from tests.peers import Namespace, NdmjobDaemon, ndmjob_daemon, network_namespace
from tests.scsi.deviations import SERVED_DEVIATIONS

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.interop)
        if item.path.name == "tgtd_contracts.py" and (reason := SERVED_DEVIATIONS.get(item.nodeid.partition("::")[2])):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network of the test's own, with only loopback."""
    with network_namespace() as made:
        yield made


@pytest.fixture
def ndmjob(namespace: Namespace, tmp_path: Path) -> Iterator[NdmjobDaemon]:
    """Amanda's tape server on port 10000 of the namespace, with an empty tape."""
    tape_dir = tmp_path / "ndmjob"
    tape_dir.mkdir()
    with ndmjob_daemon(namespace, tape_dir, 10000) as daemon:
        yield daemon


@pytest.fixture
def stage(namespace: Namespace, tmp_path: Path) -> Iterator[Stage]:
    """Hosts of ndmjob and of ours, as a test wants them, and ndmjob to command them."""
    with ExitStack() as stack:
        made = Stage(namespace, tmp_path, stack)
        yield made
        for host in made.hosts:
            assert "Traceback" not in host.log
