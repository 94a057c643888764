"""Finds `ndmpdup.toml` and reads it: the whole configuration, or everything that is wrong with it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from duplicator.config.model import Config
from duplicator.config.positions import Path as Keys
from duplicator.config.positions import Positions
from duplicator.config.problems import ConfigError, Problem
from duplicator.config.references import find_contradictions, find_strangers
from duplicator.config.words import Wording, explain, path_of
from duplicator.config_file import VARIABLE, find_file

__all__ = ["Reading", "load", "read"]

_LONGEST_FILE_BYTES: Final = 4 << 20
_WHERE: Final = re.compile(r"(?P<text>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)")
_ENTRY_DEPTH: Final = {"storage": 3, "catalog": 1, "tls": 1, "xbsa": 1}
"""How many keys name the part of the file that is left out when it is wrong; an entry of a table has two."""

_CONFIG: Final = TypeAdapter(Config)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read: what could be understood of it, and what is wrong."""

    config: Config
    positions: Positions
    problems: tuple[Problem, ...] = field(default=())

    def problem(self, wording: Wording) -> Problem:
        """A problem at its place in the file."""
        path, text, hint = wording
        file = self.config.file
        assert file is not None
        return Problem(file, *self.positions.of(path), text, hint)


def load(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of the file that counts, an empty one if there is none; ConfigError with all that is wrong."""
    file = find_file(given, environ)
    if file is None:
        return Config()
    reading = read(file)
    if reading.problems:
        raise ConfigError(reading.problems)
    return reading.config


def read(file: Path) -> Reading:
    """Read a file as far as possible; ConfigError if it cannot be opened or is no TOML."""
    text = _text(file)
    tables = _tables(file, text)
    config, findings = _understand(tables, file.absolute().parent)
    reading = Reading(_settled(config, file), Positions(text))
    findings += find_strangers(tables)
    findings += find_contradictions(reading.config, tables)
    return replace(reading, problems=tuple(map(reading.problem, dict.fromkeys(findings))))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LONGEST_FILE_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        raise ConfigError([Problem(file, 0, 0, reason, f"name another by --config or {VARIABLE}")]) from error
    if len(content) > _LONGEST_FILE_BYTES:
        reason = f"is longer than {_LONGEST_FILE_BYTES >> 20} MiB"
        raise ConfigError([Problem(file, 0, 0, reason, "see whether it is the right file")])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode()) + 1
        raise ConfigError([Problem(file, line, column, "is not UTF-8", "save it as UTF-8")]) from error


def _tables(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _WHERE.fullmatch(str(error))
        reason = (found["text"] if found else str(error)).lower()
        line, column = (int(found["line"]), int(found["column"])) if found and found["line"] else _end(text)
        hint = "correct the line; a text stands in quotes, a list in [ ], and each key once in a table"
        raise ConfigError([Problem(file, line, column, f"is not TOML: {reason}", hint)]) from error
    except RecursionError as error:
        raise ConfigError([Problem(file, 0, 0, "is nested too deeply", "see whether it is the right file")]) from error


def _end(text: str) -> tuple[int, int]:
    last = text.rstrip("\n")
    return last.count("\n") + 1, len(last.rpartition("\n")[2]) + 1


def _understand(tables: Mapping[str, Any], folder: Path) -> tuple[Config, list[Wording]]:
    """The configuration without the entries that are wrong, and what is wrong with these. Paths begin at ``folder``."""
    try:
        return _CONFIG.validate_python(tables, context=folder), []
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        rest = _without(tables, (path_of(error) for error in errors))
        return _CONFIG.validate_python(rest, context=folder), list(map(explain, errors))


def _without(tables: Mapping[str, Any], paths: Iterable[Keys]) -> dict[str, Any]:
    rest = deepcopy(dict(tables))
    for path in paths:
        *outer, last = path[: _ENTRY_DEPTH.get(str(path[0]), 2)]
        table: Any = rest
        for key in outer:
            table = table.get(key, {})
        if isinstance(table, dict):
            table.pop(last, None)
    return rest


def _settled(config: Config, file: Path) -> Config:
    """What one entry says of another is written into that."""
    libraries = {drive: library.name for library in config.libraries.values() for drive in library.drives}
    drives = {name: replace(drive, library=libraries.get(name, drive.library)) for name, drive in config.drives.items()}
    return replace(config, drives=drives, file=file)
