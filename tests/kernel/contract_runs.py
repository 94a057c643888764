"""How the contracts of devices are run in a process of their own."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.peers.requirements import lacking

__all__ = ["PYTEST_IN_A_GUEST", "ROOT", "SCRATCH", "contract_variables", "require_libiscsi"]

PYTEST_IN_A_GUEST: Final = (
    *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
    *("-p", "no:hypothesispytest", "-p", "no:xdist", "--confcutdir=tests/kernel"),
)
"""Without what is not used there: an emulated processor takes seconds to load it."""
ROOT: Final = Path(__file__).parents[2]
SCRATCH: Final = tuple(f"A{number:07d}L3" for number in range(1, 46))


def contract_variables(device: str, drives: Sequence[str], changer: str) -> Mapping[str, str]:
    """The environment for a drive by its URLs and a changer; ``device`` is a kind that the deviations know."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "NDMPDUP_DEVICE": device,
        "NDMPDUP_DRIVES": " ".join(drives),
        "NDMPDUP_CHANGER": changer,
        "NDMPDUP_SCRATCH": " ".join(SCRATCH),
    }


def require_libiscsi() -> None:
    """End the test, as require_peer does, where the library is missing."""
    try:
        ctypes.CDLL("libiscsi.so.7")
    except OSError:
        lacking("libiscsi.so.7 is missing: apt-get install libiscsi7")
