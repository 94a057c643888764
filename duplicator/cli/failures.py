"""The exit code and the line for each error that a command may end with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from duplicator.cli.endings import Interrupted, UsageProblem
from duplicator.credentials import CredentialError
from duplicator.status import ExitCode, JobError
from duplicator.urls import UrlError
from ndmp.errors import NdmpError
from scsi.errors import DeviceUrlError, ScsiError

__all__ = ["ELSEWHERE", "FAILED_ELSEWHERE", "describe"]

_USAGE = (UsageProblem, UrlError, CredentialError, DeviceUrlError)
_FAILED = (NdmpError, ScsiError, OSError)
ELSEWHERE: Final[Mapping[str, str]] = {
    "duplicator.ansi": "LabelError",
    "duplicator.catalog": "CatalogError",
    "duplicator.config": "ConfigError",
    "duplicator.conformance.reports.baseline": "BaselineError",
    "duplicator.media.naming": "VolumeNameError",
    "duplicator.media.pools": "PoolError",
    "duplicator.media.scanner": "ScannerMissingError",
    "duplicator.trees": "TreeError",
    "duplicator.units": "UnitError",
}
"""Errors of usage too, by module. These are slow to load, and whose module is not loaded cannot have been raised."""
FAILED_ELSEWHERE: Final[Mapping[str, str]] = {
    "duplicator.media.holding": "VolumeInUseError",
    "duplicator.media.scanner": "ScannerError",
    "duplicator.xbsa.session": "XbsaError",
}
"""The same for errors of what was tried."""


def describe(error: Exception) -> tuple[int, str] | None:
    """Exit code and text of an expected error (TimeoutError is an OSError); None for a bug."""
    if isinstance(error, BrokenPipeError):
        # Nobody reads on, as in `ndmpdup jobs | head`.
        return ExitCode.FAILED, ""
    if isinstance(error, Interrupted):
        return error.exit_code, str(error)
    if isinstance(error, (*_USAGE, *_loaded(ELSEWHERE))):
        return ExitCode.USAGE, str(error)
    if isinstance(error, JobError):
        return ExitCode.FAILED, f"{error}. {error.status.hint}"
    if isinstance(error, (*_FAILED, *_loaded(FAILED_ELSEWHERE))):
        return ExitCode.FAILED, str(error)
    return None


def _loaded(errors: Mapping[str, str]) -> tuple[type[Exception], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in errors.items() if module in sys.modules)
