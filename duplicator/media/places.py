"""Where volumes are, in the words of the catalog."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_VAULT", "in_vault", "vault"]

DEFAULT_VAULT: Final = "vault"


def vault(name: str = "") -> str:
    """The location of volumes in a vault; several can be told apart by name."""
    return f"{DEFAULT_VAULT} {name}" if name else DEFAULT_VAULT


def in_vault(location: str) -> bool:
    """Whether it is a vault: a volume there cannot be mounted."""
    return location == DEFAULT_VAULT or location.startswith(f"{DEFAULT_VAULT} ")
