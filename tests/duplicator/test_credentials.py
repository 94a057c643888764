"""Where passwords come from, and that they do not show."""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from duplicator.credentials import CredentialError, Role, Secret, find_password, read_password_file


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A backend of the keyring library that lives in this process."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.stored.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.stored[service, username] = password


class BrokenKeyring(MemoryKeyring):
    """A keyring that is locked."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked


@pytest.fixture
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def private_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_first_line_of_the_file(tmp_path: Path) -> None:
    cases = [
        (b"pw", "pw"),
        (b"pw\n", "pw"),
        (b"pw\r\n", "pw"),
        (b"pw\nmore\n", "pw"),
        (b" p w \n", " p w "),
        ("gehëim\n".encode(), "gehëim"),
        (b"x" * 4096, "x" * 4096),
    ]
    for content, password in cases:
        path = private_file(tmp_path, content)
        assert read_password_file(path).reveal() == password
        path.unlink()


def test_files_that_are_refused(tmp_path: Path) -> None:
    for mode in (0o640, 0o604, 0o620, 0o601):
        with pytest.raises(CredentialError, match="chmod 600"):
            read_password_file(private_file(tmp_path, b"s3cret", mode))
    cases = [(b"", "empty"), (b"\nx", "empty"), (b"x" * 4097, "longer"), (b"s3cret\xff", "UTF-8")]
    for content, words in cases:
        with pytest.raises(CredentialError, match=words) as caught:
            read_password_file(private_file(tmp_path, content))
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None
    with pytest.raises(CredentialError, match="No such file"):
        read_password_file(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(CredentialError, match=r"regular file|directory"):
            read_password_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away: run as root")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = private_file(tmp_path, b"pw")
    os.chown(path, 12345, 12345)
    with pytest.raises(CredentialError, match="another user"):
        read_password_file(path)


@pytest.mark.usefixtures("no_keyring")
def test_environment_by_role(tmp_path: Path) -> None:
    both = {"NDMPDUP_PASSWORD": "common", "NDMPDUP_FROM_PASSWORD": "from"}
    cases = [
        (Role.FROM, both, "from"),
        (Role.TO, both, "common"),
        (Role.ANY, both, "common"),
        (Role.FROM, {"NDMPDUP_PASSWORD": "common", "NDMPDUP_FROM_PASSWORD": ""}, "common"),
        (Role.TO, {"NDMPDUP_TO_PASSWORD": "to"}, "to"),
    ]
    for role, environ, password in cases:
        assert find_password("u", "h", 1, role=role, environ=environ).reveal() == password
    file = private_file(tmp_path, b"file")
    assert find_password("u", "h", 1, file=file, environ=both).reveal() == "file"
    with pytest.raises(CredentialError, match="absent"):
        find_password("u", "h", 1, file=tmp_path / "absent", environ=both)


@pytest.mark.usefixtures("no_keyring")
def test_keyring() -> None:
    memory = MemoryKeyring()
    keyring.set_keyring(memory)
    memory.set_password("ndmpdup", "u@h:10000", "ring")
    assert find_password("u", "h", 10000, environ={}).reveal() == "ring"
    assert find_password("u", "h", 10000, environ={"NDMPDUP_PASSWORD": "env"}).reveal() == "env"
    for backend in (memory, BrokenKeyring(), keyring.backends.fail.Keyring()):
        keyring.set_keyring(backend)
        with pytest.raises(CredentialError) as caught:
            find_password("u", "h", 10001, role=Role.TO, environ={"NDMPDUP_FROM_PASSWORD": "s3cret"})
        text = str(caught.value)
        assert "u@h:10001" in text
        assert "password file" in text
        assert "NDMPDUP_TO_PASSWORD or NDMPDUP_PASSWORD" in text
        assert "keyring set ndmpdup u@h:10001" in text
        assert "s3cret" not in text


def test_a_secret_does_not_show() -> None:
    secret = Secret("s3cret")
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}", repr({"a": secret})):
        assert "s3cret" not in shown
    for store in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not stored"):
            store(secret)
    assert secret == Secret("s3cret")
    assert secret != Secret("other")
    assert secret != "s3cret"
