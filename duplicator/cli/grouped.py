"""Help whose options stand in groups, without rich: that would rewrite the examples."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand

__all__ = ["TLS_GROUP", "GroupedCommand"]

TLS_GROUP: Final = "Encryption"


class GroupedCommand(TyperCommand):
    """A command that shows its options by their ``rich_help_panel``, in the order in which groups first come."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (click's, under a name of typer's)
        """See click."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                group = getattr(parameter, "rich_help_panel", None) or usual
                groups.setdefault(group, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
