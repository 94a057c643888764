"""What the tables of the configuration have in common: they refuse strange keys, and entries know their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, TypeAlias, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

from duplicator.config.values import Name, Text, as_list

__all__ = ["NAME_KEY", "Entries", "EntryName", "NameOrNames", "Names", "OneOrMore", "Table"]

T = TypeVar("T")
NAME_KEY: Final = ""
"""Under this key the reader puts the name of an entry into its table; no file needs it."""


def _named(tables: object) -> object:
    """Put the name of each entry into its table."""
    if not isinstance(tables, dict):
        return tables
    return {name: {**table, NAME_KEY: name} if isinstance(table, dict) else table for name, table in tables.items()}


EntryName: TypeAlias = Annotated[str, Field(alias=NAME_KEY)]
Entries: TypeAlias = Annotated[Mapping[Name, T], BeforeValidator(_named)]
Names: TypeAlias = tuple[Text, ...]
NameOrNames: TypeAlias = Annotated[Names, BeforeValidator(as_list)]
OneOrMore: TypeAlias = Annotated[NameOrNames, Field(min_length=1)]


class Table:
    """A table of the file: other keys than the fields are refused."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
