"""Finds the password of an NDMP host: in a file, in the environment, or in the user's keyring."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final, NoReturn

from duplicator.private_files import CredentialError, read_private

__all__ = ["KEYRING_SERVICE", "CredentialError", "Role", "Secret", "find_password", "read_password_file"]

KEYRING_SERVICE: Final = "ndmpdup"
_LONGEST_FILE_BYTES = 4096


class Secret:
    """A password that does not show itself in text, logs or tracebacks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The password itself, for the login and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        text = "a Secret is not stored"
        raise TypeError(text)


class Role(Enum):
    """Which side of a job the host is on; the value is the environment variable of that side."""

    FROM = "NDMPDUP_FROM_PASSWORD"
    TO = "NDMPDUP_TO_PASSWORD"
    ANY = "NDMPDUP_PASSWORD"


def read_password_file(path: Path) -> Secret:
    """The first line of a file of at most 4 KiB that nobody else can read; CredentialError."""
    what = "password file"
    password = read_private(path, what, limit=_LONGEST_FILE_BYTES).partition("\n")[0].removesuffix("\r")
    if not password:
        raise CredentialError(f"{what} {path}: has an empty first line")
    return Secret(password)


def _from_environment(role: Role, environ: Mapping[str, str]) -> Secret | None:
    values = (environ.get(name.value) for name in (role, Role.ANY))
    return next((Secret(value) for value in values if value), None)


def _from_keyring(name: str) -> Secret | None:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        password = keyring.get_password(KEYRING_SERVICE, name)
    except keyring.errors.KeyringError:
        return None
    return Secret(password) if password else None


def find_password(
    user: str,
    host: str,
    port: int,
    *,
    file: Path | None = None,
    role: Role = Role.ANY,
    environ: Mapping[str, str] = os.environ,
) -> Secret:
    """The password for ``user@host:port``: from ``file`` if given, else the environment, else the keyring.

    The variable of the role goes before the common one. CredentialError when there is none, or the file is refused.
    """
    if file is not None:
        return read_password_file(file)
    name = f"{user}@{host}:{port}"
    found = _from_environment(role, environ) or _from_keyring(name)
    if found is None:
        variables = " or ".join(dict.fromkeys((role.value, Role.ANY.value)))
        raise CredentialError(
            f"no password for {name}: give a password file, set {variables}, "
            f"or store it in the keyring (keyring set {KEYRING_SERVICE} {name})"
        )
    return found
