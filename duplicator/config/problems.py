"""What is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

__all__ = ["ConfigError", "Problem", "did_you_mean", "in_words"]


@dataclass(frozen=True, slots=True)
class Problem:
    """``line`` and ``column`` from 1; line 0 for the file as such, column 0 where it is not known."""

    file: Path
    line: int
    column: int
    text: str
    hint: str

    @property
    def place(self) -> str:
        """FILE:LINE:COLUMN, as far as known."""
        return ":".join([str(self.file), *(str(number) for number in (self.line, self.column) if number)])

    def __str__(self) -> str:
        return f"{self.place}: {self.text}; {self.hint}"


class ConfigError(Exception):
    """The configuration cannot be used; all its problems, in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        first, *others = self.problems
        more = f" (and {len(others)} more: run `ndmpdup config check`)" if others else ""
        return f"{first}{more}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question for the known word that is most like this one; empty if none is."""
    names = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), names, n=1)
    return f"did you mean {names[close[0]]!r}?" if close else ""


def in_words(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence has them."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
