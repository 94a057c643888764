"""What a command loads before it works: every start of `ndmpdup` pays for that."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from duplicator.cli.failures import ELSEWHERE, FAILED_ELSEWHERE, describe
from duplicator.config import Problem
from duplicator.status import ExitCode

LOADED_BY: dict[str, tuple[str, ...]] = {
    "duplicator.cli.main": ("asyncio", "sqlalchemy", "construct", "ndmp.messages", "scsi.virtual", "rich.console"),
    "duplicator.cli.failures": ("sqlalchemy", "construct", "duplicator.conformance", "duplicator.trees", "scsi.ssc"),
    "duplicator.cli.batch": ("construct", "duplicator.conformance", "duplicator.trees", "scsi.virtual"),
}
"""What the module must not load, itself or by others."""
PROBLEM = Problem(Path("ndmpdup.toml"), 1, 1, "of no use", "do something")


def test_slow_modules_are_loaded_when_needed() -> None:
    for module, slow in LOADED_BY.items():
        program = f"import sys, {module}; print(*sys.modules.keys() & {set(slow)!r})"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split() == [], module


def test_errors_of_modules_that_are_loaded_late_are_known() -> None:
    for module, name in ELSEWHERE.items():
        kind = getattr(importlib.import_module(module), name)
        error: Exception = kind([PROBLEM] if name == "ConfigError" else "of no use")
        code, text = describe(error) or (None, "")
        assert (code, "of no use" in text) == (ExitCode.USAGE, True), module
    for module, name in FAILED_ELSEWHERE.items():
        failure: Exception = getattr(importlib.import_module(module), name)("unplugged")
        assert describe(failure) == (ExitCode.FAILED, "unplugged"), module
    assert describe(KeyError("a bug")) is None
