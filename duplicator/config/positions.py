"""Where each key and value of a TOML text stands.

tomllib tells places of syntax errors only. It goes first: what is read here is correct TOML.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["Path", "Place", "Positions"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the outermost table in, and numbers from 0 in arrays."""
Place: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

# Up to two quotes may stand before the three that end a string, so the first three are not always the last.
_LONG: Final = r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})'
_SHORT: Final = r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
_STRING: Final = re.compile(f"{_LONG}|{_SHORT}", re.DOTALL)
_KEY: Final = re.compile(rf"[A-Za-z0-9_-]+|{_SHORT}")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR: Final = re.compile(r"[^,\]}\n#]+")


class Positions:
    """The places of a correct TOML text; headers stand for their tables, keys for their values."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        """The last number of each array of tables."""
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._read_text()

    @property
    def places(self) -> Mapping[Path, Place]:
        """The place of everything that has a path."""
        return {path: self._place(offset) for path, offset in self._found.items()}

    def of(self, path: Path) -> Place:
        """The place of a path, or of the innermost table around it that is written; the first line for none."""
        known = (path[:length] for length in range(len(path), 0, -1) if path[:length] in self._found)
        nearest = next(known, None)
        return (1, 1) if nearest is None else self._place(self._found[nearest])

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _read_text(self) -> None:
        table: Path = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._peek() == "[":
                table = self._read_header()
            else:
                self._read_pair(table)
            self._skip_blank()

    def _read_header(self) -> Path:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        *outer, last = self._read_key()
        path = self._walk((), outer, start=start)
        if is_array:
            path += (last,)
            self._found.setdefault(path, start)
            self._arrays[path] = number = self._arrays.get(path, -1) + 1
            path += (number,)
        else:
            path = self._enter((*path, last))
        self._found[path] = start
        self._at += 2 if is_array else 1
        return path

    def _read_pair(self, table: Path) -> None:
        start = self._at
        *outer, last = self._read_key()
        path = (*self._walk(table, outer, start=start), last)
        self._found[path] = start
        self._skip_blank()
        self._at += 1  # the equals sign
        self._skip_blank()
        self._read_value(path)

    def _walk(self, path: Path, keys: list[str], *, start: int) -> Path:
        """Go through tables that a header or a dotted key names on its way."""
        for key in keys:
            self._found.setdefault((*path, key), start)
            path = self._enter((*path, key))
        return path

    def _enter(self, path: Path) -> Path:
        """A header means the last table of an array."""
        return (*path, self._arrays[path]) if path in self._arrays else path

    def _read_key(self) -> list[str]:
        keys = []
        while True:
            self._skip_blank()
            keys.append(_plain(self._take(_KEY)))
            self._skip_blank()
            if self._peek() != ".":
                return keys
            self._at += 1

    def _read_value(self, path: Path) -> None:
        match self._peek():
            case "[":
                self._read_array(path)
            case "{":
                self._read_inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _read_array(self, path: Path) -> None:
        number = 0
        while self._goes_on("]"):
            self._found[(*path, number)] = self._at
            self._read_value((*path, number))
            number += 1

    def _read_inline_table(self, path: Path) -> None:
        while self._goes_on("}"):
            self._read_pair(path)

    def _goes_on(self, end: str) -> bool:
        """Step over the opening bracket or a comma; whether an element follows, else the end is stepped over too."""
        if self._peek() != end:
            self._at += 1
            self._skip_blank()
        if self._peek() != end:
            return True
        self._at += 1
        return False

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_blank(self) -> None:
        self._take(_BLANK)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            line, column = self._place(self._at)
            text = f"line {line}, column {column}: the text is not TOML that tomllib reads"
            raise ValueError(text)
        self._at = match.end()
        return match[0]


def _plain(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key
