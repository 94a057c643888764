"""The exit code and the line for each error that a command may end with."""

from __future__ import annotations

from duplicator.ansi import LabelError
from duplicator.catalog import CatalogError
from duplicator.cli.endings import Interrupted, UsageProblem
from duplicator.config import ConfigError
from duplicator.conformance.reports.baseline import BaselineError
from duplicator.credentials import CredentialError
from duplicator.media.holding import VolumeInUseError
from duplicator.media.naming import VolumeNameError
from duplicator.media.pools import PoolError
from duplicator.media.scanner import ScannerError, ScannerMissingError
from duplicator.status import ExitCode, JobError
from duplicator.trees import TreeError
from duplicator.units.refusals import UnitError
from duplicator.urls import UrlError
from ndmp.errors import NdmpError
from scsi.errors import DeviceUrlError, ScsiError

__all__ = ["describe"]

_USAGE = (
    UsageProblem,
    ConfigError,
    UrlError,
    CredentialError,
    CatalogError,
    BaselineError,
    DeviceUrlError,
    UnitError,
    TreeError,
    LabelError,
    PoolError,
    VolumeNameError,
    ScannerMissingError,
)
_FAILED = (NdmpError, ScsiError, OSError, ScannerError, VolumeInUseError)


def describe(error: Exception) -> tuple[int, str] | None:
    """Exit code and text of an expected error (TimeoutError is an OSError); None for a bug."""
    if isinstance(error, BrokenPipeError):
        # Nobody reads on, as in `ndmpdup jobs | head`.
        return ExitCode.FAILED, ""
    if isinstance(error, Interrupted):
        return error.exit_code, str(error)
    if isinstance(error, _USAGE):
        return ExitCode.USAGE, str(error)
    if isinstance(error, JobError):
        return ExitCode.FAILED, f"{error}. {error.status.hint}"
    if isinstance(error, _FAILED):
        return ExitCode.FAILED, str(error)
    return None
