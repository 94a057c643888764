"""What backends must keep to, as tests that the maker of a host runs on his own (docs/hosts.md).

Each contract is a class with test methods and plain asserts. Subclass it in a test file under a name that the test
runner looks for, and give it the backend; pytest and anything else that calls ``test_*`` will do. What does not apply
to a backend raises :class:`unittest.SkipTest`.
"""

from __future__ import annotations

from ndmp.contracts.channels import MemoryBackup, MemoryHistory, MemoryRecovery
from ndmp.contracts.data_server import DataContract
from ndmp.contracts.files import FileServiceContract
from ndmp.contracts.scsi import ScsiContract
from ndmp.contracts.tape import TapeContract

__all__ = [
    "DataContract",
    "FileServiceContract",
    "MemoryBackup",
    "MemoryHistory",
    "MemoryRecovery",
    "ScsiContract",
    "TapeContract",
]
