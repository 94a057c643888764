"""The variables of a data operation (draft 3.5.2.3, 3.5.2.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ndmp.enums import EnvName
from ndmp.types import Pval

__all__ = ["SEPARATOR", "Environment"]

SEPARATOR = "/"
"""Between the names of a path, in all that this host sends."""


class Environment:
    """Variables in the application's order: known or not, also a name given twice, all of them come back."""

    def __init__(self, variables: Iterable[Pval] = ()) -> None:
        self._variables = list(variables)

    @classmethod
    def of_request(cls, variables: Iterable[Pval]) -> Environment:
        """What an operation starts with: the application's variables and the path separator."""
        environment = cls(variables)
        environment.set(EnvName.PATHNAME_SEPARATOR, SEPARATOR)
        return environment

    def set(self, name: str, value: str) -> None:
        """Replace a variable where it stands, or add it."""
        variable = Pval(str(name), value)
        if name in self.by_name():
            self._variables = [variable if each.name == name else each for each in self._variables]
        else:
            self._variables.append(variable)

    def by_name(self) -> Mapping[str, str]:
        """Values by name; of a name given twice the later one."""
        return {variable.name: variable.value for variable in self._variables}

    def variables(self) -> tuple[Pval, ...]:
        """All, in order."""
        return tuple(self._variables)
