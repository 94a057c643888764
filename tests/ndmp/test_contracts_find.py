"""The contracts find what they are for: each backend here is broken in one way, and one test says so."""

from __future__ import annotations

from collections.abc import Callable
from unittest import SkipTest

import pytest

from ndmp.backends import ScsiBackend, TapeBackend
from ndmp.contracts import DataContract, FileServiceContract, ScsiContract, TapeContract
from tests.ndmp.broken_servers import BROKEN_FILES, BROKEN_SERVERS
from tests.ndmp.broken_tapes import BROKEN_CHANGERS, BROKEN_TAPES
from tests.ndmp.fakes import MemoryTape
from tests.ndmp.fakes_scsi import MemoryChanger
from tests.ndmp.memory_files import MemoryFiles
from tests.ndmp.memory_server import MemoryServer
from tests.ndmp.test_contracts import TestMemoryFiles as OfFiles
from tests.ndmp.test_contracts import TestMemoryServer as OfServers


def finds(test: Callable[[], None]) -> bool:
    """Whether a test fails, as a test runner would see it."""
    try:
        test()
    except SkipTest:
        return False
    except Exception:  # noqa: BLE001  (whatever it is, the test has failed)
        return True
    return False


class OfTapes(TapeContract):
    warns_within = 6

    def __init__(self, made: type[MemoryTape]) -> None:
        self.made = made

    def tape(self) -> TapeBackend:
        drive = self.made()
        drive.warn_after = 5
        return drive


class OfChangers(ScsiContract):
    def __init__(self, made: type[MemoryChanger]) -> None:
        self.made = made

    def changer(self) -> ScsiBackend:
        return self.made()


def of_server(made: type[MemoryServer]) -> DataContract:
    contract = OfServers()
    contract.memory = made()
    return contract


def of_files(made: type[MemoryFiles]) -> FileServiceContract:
    contract, service = OfFiles(), made()
    contract.service = lambda: service  # type: ignore[method-assign]
    return contract


CASES = [
    *((OfTapes, made, test) for made, test in BROKEN_TAPES),
    *((OfChangers, made, test) for made, test in BROKEN_CHANGERS),
    *((of_server, made, test) for made, test in BROKEN_SERVERS),
    *((of_files, made, test) for made, test in BROKEN_FILES),
]
HONEST = {OfTapes: MemoryTape, OfChangers: MemoryChanger, of_server: MemoryServer, of_files: MemoryFiles}


@pytest.mark.parametrize(("contract", "made", "test"), CASES, ids=[made.__name__ for _, made, _ in CASES])
def test_a_broken_backend_is_found(contract: Callable, made: type, test: str) -> None:
    assert finds(getattr(contract(made), f"test_{test}"))
    assert not finds(getattr(contract(HONEST[contract]), f"test_{test}")), "an honest one is not"


def test_every_test_of_a_contract_finds_something() -> None:
    for contract, honest in HONEST.items():
        tests = {name for name in dir(contract(honest)) if name.startswith("test_")}
        assert tests == {f"test_{test}" for made_by, _, test in CASES if made_by is contract}, contract
