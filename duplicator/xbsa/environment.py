"""The environment of a session: private to it, given at BSAInit, with a rule for each variable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from duplicator.xbsa.codes import CallError, ReturnCode

__all__ = ["API_VERSION", "RULES", "Environment", "Rule"]

API_VERSION: Final = "1.1.0"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _delimiter(value: str) -> str | None:
    fits = len(value) == 1 and value.isascii() and value.isprintable() and value != " "
    return None if fits else "is one character of ASCII"


def _text(value: str) -> str | None:
    return None if value.isprintable() else "has characters that cannot be printed"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a variable may change after BSAInit, and what is wrong with a value (None: nothing)."""

    fixed: bool
    wrong: Callable[[str], str | None] = _text


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "BSA_API_VERSION": Rule(fixed=True),
        "BSA_DELIMITER": Rule(fixed=True, wrong=_delimiter),
        "BSA_SERVICE_HOST": Rule(fixed=False),
        "BSA_SERVICE_PROVIDER": Rule(fixed=True),
        "NBBSA_POLICY": Rule(fixed=False),
        "NBBSA_SCHEDULE": Rule(fixed=False),
        "NBBSA_CLIENT_HOST": Rule(fixed=False),
        "NBBSA_KEYWORD": Rule(fixed=False),
        "NBBSA_FEATURE_ID": Rule(fixed=True),
        "NBBSA_LOG_DIRECTORY": Rule(fixed=True),
        "NDMPDUP_XBSA_SERVICE": Rule(fixed=False),
        "NDMPDUP_XBSA_DATA": Rule(fixed=False),
        "NDMPDUP_XBSA_SOURCE": Rule(fixed=False),
        "NDMPDUP_XBSA_DEADLINE": Rule(fixed=False),
        "NDMPDUP_XBSA_START": Rule(fixed=False),
    }
)
"""Others are kept as they are; those that are not fixed change between transactions only."""
_STRANGER: Final = Rule(fixed=False)


class Environment(Mapping[str, str]):
    """The variables of one session; CallError for what breaks their rules."""

    def __init__(self, assignments: Iterable[str]) -> None:
        self._values: dict[str, str] = {}
        for text in assignments:
            name, value = _split(text)
            if name in self._values:
                raise CallError(ReturnCode.INVALID_ENV, f"{name} is given twice")
            self._values[name] = value
        _check_version(self._values.get("BSA_API_VERSION"))
        self._check_provider()

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def delimiter(self) -> str:
        """What parts the fields of hierarchical texts."""
        return self.get("BSA_DELIMITER", "/")

    def changed(self, name: str, value: str) -> Environment:
        """The environment with another value; for use outside a transaction."""
        if RULES.get(name, _STRANGER).fixed:
            raise CallError(ReturnCode.INVALID_ENV, f"{name} is fixed for the session")
        return Environment([*(f"{n}={v}" for n, v in self.items() if n != name), f"{name}={value}"])

    def _check_provider(self) -> None:
        provider = self.get("BSA_SERVICE_PROVIDER")
        if provider is None:
            return
        fields = provider.split(self.delimiter)
        if len(fields) != 3 or not all(fields):
            text = f"BSA_SERVICE_PROVIDER is three fields with {self.delimiter!r} between them"
            raise CallError(ReturnCode.INVALID_ENV, text)


def _split(text: str) -> tuple[str, str]:
    """Name and value; no blanks may stand beside the equals sign."""
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise CallError(ReturnCode.INVALID_ENV, f"{text[:80]!r}: write NAME=VALUE, without blanks round the =")
    if value[:1].isspace():
        raise CallError(ReturnCode.INVALID_ENV, f"{name}: there is a blank behind the =")
    if problem := RULES.get(name, _STRANGER).wrong(value):
        raise CallError(ReturnCode.INVALID_ENV, f"{name} {problem}")
    return name, value


def _check_version(value: str | None) -> None:
    if value is None:
        raise CallError(ReturnCode.INVALID_ENV, f"BSA_API_VERSION is missing: give BSA_API_VERSION={API_VERSION}")
    if value != API_VERSION:
        text = f"BSA_API_VERSION={value[:80]}: this is version {API_VERSION}"
        raise CallError(ReturnCode.VERSION_NOT_SUPPORTED, text)
