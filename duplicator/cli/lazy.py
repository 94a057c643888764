"""Commands that are loaded when they are called, so that none waits for the modules of the others."""

# ruff: noqa: ANN401 (typer's contexts and commands are click's in some versions, its own in others)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar, Final, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from duplicator.cli.command import command
from duplicator.cli.grouped import GroupedCommand

__all__ = ["PLAIN", "Group", "LazyGroup", "Table", "Verb", "group_of"]

PLAIN: Final = None
"""The style of help: it keeps the examples as they are written, and needs no start-up time for rich."""
_PACKAGE: Final = "duplicator.cli"


def _load(place: str) -> Any:
    """The function of MODULE:FUNCTION."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"{_PACKAGE}.{module}"), name)


@dataclass(frozen=True, slots=True)
class Verb:
    """A command, the function MODULE:FUNCTION; ``settings`` are those of click's context."""

    place: str
    settings: Mapping[str, object] = field(default_factory=dict)

    def build(self, name: str) -> Any:
        """The command, loaded."""
        app = typer.Typer(rich_markup_mode=PLAIN, add_completion=False)
        app.command(name, cls=GroupedCommand, context_settings=dict(self.settings))(command(_load(self.place)))
        return get_command(app)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands below a word; MODULE:FUNCTION has their options and text."""

    place: str
    table: Table

    def build(self, name: str) -> Any:
        """The group, of which only its own function is loaded."""
        app = typer.Typer(
            name=name,
            cls=group_of(self.table),
            callback=_load(self.place),
            no_args_is_help=True,
            rich_markup_mode=PLAIN,
            add_completion=False,
        )
        return get_command(app)


Table: TypeAlias = Mapping[str, Verb | Group]
"""What commands there are, by their words."""


class LazyGroup(TyperGroup):
    """A group of what its table has."""

    table: ClassVar[Table] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Their names alone, for lists and for guessing what was meant.
        for name in self.table:
            self.add_command(TyperCommand(name))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See click."""
        found = self.table.get(cmd_name)
        return None if found is None else found.build(cmd_name)


def group_of(table: Table) -> type[LazyGroup]:
    """The class of a group, as typer makes its groups of classes."""
    return type("Group", (LazyGroup,), {"table": table})
