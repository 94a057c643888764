"""What a command loads before it works: every start of `ndmpdup` pays for that."""

from __future__ import annotations

import importlib
import subprocess
import sys
from ast import literal_eval

from duplicator.cli.failures import ELSEWHERE, FAILED_ELSEWHERE, describe
from duplicator.status import ExitCode

LOADED_BY: dict[str, tuple[str, ...]] = {
    "duplicator.cli.main": ("asyncio", "sqlalchemy", "construct", "ndmp.messages", "scsi.virtual", "rich.console"),
    "duplicator.cli.failures": ("sqlalchemy", "construct", "duplicator.conformance", "duplicator.trees", "scsi.ssc"),
    "duplicator.cli.batch": ("construct", "duplicator.conformance", "duplicator.trees", "scsi.virtual"),
    "duplicator.cli.by_hand": ("duplicator.config", "pydantic", "scsi.changer_survey", "scsi.ssc"),
}
"""What the module must not load, itself or by others."""


def test_slow_modules_are_loaded_when_needed() -> None:
    for module, slow in LOADED_BY.items():
        program = f"import sys, {module}; print(*sys.modules.keys() & {set(slow)!r})"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split() == [], module


def test_errors_of_modules_that_are_loaded_late_are_known() -> None:
    for errors, code in ((ELSEWHERE, ExitCode.USAGE), (FAILED_ELSEWHERE, ExitCode.FAILED)):
        for module, name in errors.items():
            assert describe(said(getattr(importlib.import_module(module), name))) == (code, "of no use"), module
    assert describe(KeyError("a bug")) is None


def said(kind: type[Exception]) -> Exception:
    """An error of this kind, whatever it is made of."""

    class Said(kind):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            pass

        def __str__(self) -> str:
            return "of no use"

    return Said()


def test_a_command_seldom_looks_for_garbage() -> None:
    program = """
import atexit, gc
from duplicator.cli.main import main
print(gc.get_threshold())
atexit.register(lambda: print(gc.get_threshold()))
main()
"""
    command = [sys.executable, "-c", program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert literal_eval(lines[-1]) == (10_000, *literal_eval(lines[0])[1:])
