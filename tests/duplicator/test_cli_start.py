"""What a command loads before it works: every start of `ndmpdup` pays for that."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

from duplicator.cli import main
from duplicator.cli.failures import ELSEWHERE, FAILED_ELSEWHERE, describe
from duplicator.cli.lazy import Group
from duplicator.status import ExitCode

LOADED_BY: dict[str, tuple[str, ...]] = {
    "duplicator.cli.main": ("asyncio", "construct", "duplicator.plan", "ndmp.enums", "pydantic", "rich", "sqlalchemy"),
    "duplicator.cli.failures": ("sqlalchemy", "construct", "duplicator.conformance", "duplicator.trees", "scsi.ssc"),
    "duplicator.cli.batch": ("construct", "duplicator.conformance", "duplicator.trees", "rich", "scsi.virtual"),
    "duplicator.cli.by_hand": ("duplicator.config", "pydantic", "rich", "scsi.changer_survey", "scsi.ssc"),
    "duplicator.routes": ("duplicator.units", "ndmp.backends", "rich", "scsi"),
}
"""What the module must not load, itself or by others."""
LOADED_IN: dict[str, tuple[str, ...]] = {
    "--version": ("asyncio", "duplicator.cli.serve", "duplicator.plan", "pydantic", "rich", "sqlalchemy", "ssl"),
    "--help": ("asyncio", "construct", "pydantic", "rich", "scsi.virtual", "sqlalchemy"),
    "duplicate --help": ("asyncio", "construct", "duplicator.cli.serve", "rich", "sqlalchemy"),
    "serve --help": ("asyncio", "construct", "duplicator.cli.duplicate", "rich", "scsi.virtual", "sqlalchemy"),
    "jobs": ("construct", "ndmp.messages", "rich.progress", "scsi"),
}
"""What the command must not load until its end."""


def test_slow_modules_are_loaded_when_needed() -> None:
    for module, slow in LOADED_BY.items():
        program = f"import sys, {module}; print(*sys.modules.keys() & {set(slow)!r})"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split() == [], module


def test_a_command_loads_what_it_needs(tmp_path: Path) -> None:
    program = """
import atexit, sys
atexit.register(lambda: print(*sys.modules.keys() & set(sys.argv[1].split())))
words = sys.argv[2].split()
from duplicator.cli.main import app
app(words)
"""
    environment = {**os.environ, "NDMPDUP_CATALOG": f"sqlite:///{tmp_path / 'catalog'}"}
    for words, slow in LOADED_IN.items():
        command = [sys.executable, "-c", program, " ".join(slow), words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
        *shown, loaded = done.stdout.splitlines()
        assert shown, words
        assert loaded == "", words


def test_all_that_is_named_loads() -> None:
    tables = [("", main.COMMANDS)]
    for above, table in tables:
        for name, named in table.items():
            words = f"{above} {name}".strip()
            assert named.build(name).help, words
            if isinstance(named, Group):
                tables.append((words, named.table))
    assert len(tables) == 6


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
def tell():
    print(gc.get_threshold())
@atexit.register
def at_end():
    print(gc.get_freeze_count() > 10_000)
    tell()
    gc.collect()
    tell()
tell()
main()
"""
    command = [sys.executable, "-c", program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    usual, *_, kept, loading, loaded = done.stdout.splitlines()
    assert kept == "True"
    assert literal_eval(loading) == (500_000, *literal_eval(usual)[1:])
    assert literal_eval(loaded) == (10_000, *literal_eval(usual)[1:])
