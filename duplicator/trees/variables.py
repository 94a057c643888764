"""The variables of an operation, audited (docs/trees.md has the table)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from duplicator.trees.dates import LEVELS
from duplicator.trees.exports import components
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["DEFAULTS", "DUMP", "TAR", "BackupSettings", "Hist", "RecoverSettings"]

TAR: Final = "tar"
DUMP: Final = "dump"
_MAX_PATTERNS: Final = 1000


class Hist(Enum):
    """Formats of file history (draft 3.2.5)."""

    FILES = "f"
    NODES = "d"
    NONE = "n"


_SHARED: Final = (("HIST", "n"), ("DIRECT", "n"), ("RECURSIVE", "y"), ("EXCLUDE", ""), ("ONE_FILE_SYSTEM", "y"))
DEFAULTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    TAR: (("TYPE", TAR), *_SHARED, ("FILES", "")),
    DUMP: (("TYPE", DUMP), *_SHARED, ("LEVEL", "0"), ("UPDATE", "y"), ("EXTRACT", "y")),
}
"""What each butype starts with, where the application says nothing."""


class _Variables:
    def __init__(self, butype: str, environment: Mapping[str, str]) -> None:
        if butype not in DEFAULTS:
            raise ReplyError(Error.ILLEGAL_ARGS, f"backup type {butype!r} is not {TAR} or {DUMP}")
        self._values = {**dict(DEFAULTS[butype]), **{name: value for name, value in environment.items() if value}}
        self._own_hist = Hist.FILES if butype == TAR else Hist.NODES
        if self.text("TYPE").lower() != butype:
            raise ReplyError(Error.ILLEGAL_ARGS, f"TYPE={self.text('TYPE')} in a backup of type {butype}")

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def flag(self, name: str) -> bool:
        return self._one_of(name, "yn") == "y"

    def hist(self) -> Hist:
        kind = self._one_of("HIST", "fdyn")
        return self._own_hist if kind == "y" else Hist(kind)

    def hist_to_tell(self) -> Hist:
        kind = self.hist()
        return self._own_hist if kind is Hist.NONE else kind

    def _one_of(self, name: str, letters: str) -> str:
        value = self.text(name).lower()
        if len(value) != 1 or value not in letters:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{name}={self.text(name)}: one of {', '.join(letters)}")
        return value

    def level(self) -> int:
        value = self.text("LEVEL")
        if value not in map(str, LEVELS):
            raise ReplyError(Error.ILLEGAL_ARGS, f"LEVEL={value}: 0 to 9")
        return int(value)

    def base_date(self) -> int | None:
        """Seconds since 1970; None where levels decide."""
        value = self.text("BASE_DATE") or "-1"
        if value == "-1":
            return None
        if not (value.isdecimal() and value.isascii() and len(value) <= 12):
            raise ReplyError(Error.ILLEGAL_ARGS, f"BASE_DATE={value}: seconds since 1970, or -1")
        return int(value)

    def exclude(self) -> tuple[str, ...]:
        patterns = tuple(filter(None, (each.strip() for each in self.text("EXCLUDE").split(","))))
        _bound("EXCLUDE", len(patterns))
        if any("/" in pattern for pattern in patterns):
            raise ReplyError(Error.ILLEGAL_ARGS, "EXCLUDE: a pattern is for one name, without /")
        return patterns

    def files(self) -> tuple[tuple[str, ...], ...]:
        patterns = self.text("FILES").split()
        _bound("FILES", len(patterns))
        if any(pattern.startswith("/") for pattern in patterns):
            raise ReplyError(Error.ILLEGAL_ARGS, "FILES: patterns begin at FILESYSTEM, not at /")
        found = tuple(map(components, patterns))
        # "." is everything.
        return found if all(found) else ()


def _bound(name: str, count: int) -> None:
    if count > _MAX_PATTERNS:
        raise ReplyError(Error.ILLEGAL_ARGS, f"{name}: more than {_MAX_PATTERNS} patterns")


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """What a backup is to do."""

    filesystem: str
    hist: Hist
    exclude: tuple[str, ...]
    files: tuple[tuple[str, ...], ...]
    one_file_system: bool
    user: str
    is_dump: bool
    level: int = 0
    update: bool = False
    base_date: int | None = None

    def at(self, filesystem: str) -> BackupSettings:
        """The same for ``filesystem`` as dump dates name it: one spelling for one directory."""
        return replace(self, filesystem=filesystem)

    @classmethod
    def parse(cls, butype: str, environment: Mapping[str, str]) -> BackupSettings:
        """Audit the variables; ILLEGAL_ARGS with the one that cannot be meant."""
        found = _Variables(butype, environment)
        if not found.text("FILESYSTEM"):
            raise ReplyError(Error.ILLEGAL_ARGS, "FILESYSTEM is missing: the directory to back up")
        for name in ("DIRECT", "RECURSIVE"):
            found.flag(name)  # for recoveries; wrong values are refused here too
        filesystem = found.text("FILESYSTEM")
        shared = (filesystem, found.hist(), found.exclude())
        if butype == TAR:
            return cls(*shared, found.files(), found.flag("ONE_FILE_SYSTEM"), found.text("USER"), is_dump=False)
        found.flag("EXTRACT")
        return cls(
            *shared,
            (),
            found.flag("ONE_FILE_SYSTEM"),
            found.text("USER"),
            is_dump=True,
            level=found.level(),
            update=found.flag("UPDATE"),
            base_date=found.base_date(),
        )


@dataclass(frozen=True, slots=True)
class RecoverSettings:
    """How a recovery is to be done."""

    direct: bool
    recursive: bool
    rebuild: bool
    """Remove what the backup's directories did not hold, as ``restore -r`` does."""
    history_to_tell: Hist
    """The format in which a history is read back; the backup's own, or the butype's if that had none."""

    @classmethod
    def parse(cls, butype: str, environment: Mapping[str, str]) -> RecoverSettings:
        """Audit the variables; ILLEGAL_ARGS with the one that cannot be meant."""
        found = _Variables(butype, environment)
        rebuild = butype == DUMP and not found.flag("EXTRACT")
        return cls(found.flag("DIRECT"), found.flag("RECURSIVE"), rebuild, found.hist_to_tell())
