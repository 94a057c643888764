"""Who may log in to a host of ours: the users of a file that only its owner can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from duplicator.credentials import CredentialError, Secret
from duplicator.private_files import read_private

__all__ = ["OneUser", "Users", "UsersFile"]

_WHAT: Final = "users file"
_LONGEST_FILE_BYTES: Final = 1024 * 1024
_LONGEST_NAME_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class OneUser:
    """A single user."""

    name: str
    password: Secret

    def secret(self, user: str) -> bytes | None:
        """The password of the user; None for a stranger."""
        return self.password.reveal().encode() if user == self.name else None


class UsersFile:
    """Names and passwords, one ``NAME:PASSWORD`` a line; empty lines and those that begin with # are passed over.

    The password is all that follows the first colon. It stands there as it is: an MD5 login needs it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._users = _read(path)

    def secret(self, user: str) -> bytes | None:
        """The password of a user; None for a stranger."""
        found = self._users.get(user)
        return found.reveal().encode() if found else None

    def reload(self) -> None:
        """Read the file again; CredentialError, and everything stays as it was, if it is not safe or not correct."""
        self._users = _read(self._path)


Users: TypeAlias = OneUser | UsersFile


def _read(path: Path) -> Mapping[str, Secret]:
    users = dict[str, Secret]()
    for number, name, password in _entries(read_private(path, _WHAT, limit=_LONGEST_FILE_BYTES).split("\n")):
        problem = _problem(name, password, users)
        if problem:
            raise CredentialError(f"{_WHAT} {path}, line {number}: {problem}")
        users[name] = Secret(password)
    if not users:
        raise CredentialError(f"{_WHAT} {path}: it names nobody")
    return users


def _entries(lines: Iterable[str]) -> Iterable[tuple[int, str, str]]:
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, _, password = line.removesuffix("\r").partition(":")
            yield number, name, password


def _problem(name: str, password: str, known: Mapping[str, Secret]) -> str:
    """What is wrong with a line, empty if nothing is; a line without a colon may be a secret, and is not repeated."""
    if not password:
        return "write NAME:PASSWORD"
    if not name or not name.isprintable() or len(name.encode()) > _LONGEST_NAME_BYTES:
        return f"a name has 1 to {_LONGEST_NAME_BYTES} bytes and can be printed"
    return "the user was named above already" if name in known else ""
