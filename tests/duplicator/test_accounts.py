"""Users files: who is in them, which are refused, and that a bad one changes nothing."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from duplicator.accounts import OneUser, UsersFile
from duplicator.credentials import CredentialError, Secret


def users_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "users"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_who_is_in_it(tmp_path: Path) -> None:
    content = (
        b"# who may come\n\nbackup:sesame\nops team: two words \nwindows:carriage\r\n"
        b"colons:a:b:c\nj\xc3\xbcrgen:geh\xc3\xabim\n  \t\nlast:#no comment"
    )
    users = UsersFile(users_file(tmp_path, content))
    expected = {
        "backup": b"sesame",
        "ops team": b" two words ",
        "windows": b"carriage",
        "colons": b"a:b:c",
        "jürgen": "gehëim".encode(),
        "last": b"#no comment",
    }
    for name, password in expected.items():
        assert users.secret(name) == password
    for stranger in ("", "Backup", "backup ", "# who may come", "backup:sesame"):
        assert users.secret(stranger) is None


def test_files_that_are_refused(tmp_path: Path) -> None:
    for mode in (0o640, 0o604, 0o620):
        with pytest.raises(CredentialError, match=r"users file .* chmod 600"):
            UsersFile(users_file(tmp_path, b"u:s3cret\n", mode))
    cases = [
        (b"", "names nobody"),
        (b"# u:s3cret\n", "names nobody"),
        (b"u:ok\ns3cret\n", "line 2: write NAME:PASSWORD"),
        (b"u:\n", "line 1: write NAME:PASSWORD"),
        (b":s3cret\n", "line 1: a name has 1 to 255 bytes"),
        (b"u\x07:s3cret\n", "line 1: a name has"),
        (b"u" * 256 + b":s3cret\n", "line 1: a name has"),
        (b"u:s3cret\nv:x\nu:other\n", "line 3: the user was named above already"),
        (b"u:s3cret\xff\n", "not valid UTF-8"),
        (b"u:s3cret\n" + b"#" * (1 << 20), "longer than 1048576 bytes"),
    ]
    for content, words in cases:
        with pytest.raises(CredentialError, match=words) as caught:
            UsersFile(users_file(tmp_path, content))
        assert "s3cret" not in "".join(traceback.format_exception(caught.value)), content
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, words in ((tmp_path / "absent", "No such file"), (tmp_path / "pipe", "regular file")):
        with pytest.raises(CredentialError, match=words):
            UsersFile(path)


def test_reading_again(tmp_path: Path) -> None:
    path = users_file(tmp_path, b"old:1\nboth:2\n")
    users = UsersFile(path)
    path.write_bytes(b"new:3\nboth:4\n")
    assert users.secret("new") is None
    users.reload()
    after = {"old": None, "new": b"3", "both": b"4"}
    assert {name: users.secret(name) for name in after} == after
    path.write_bytes(b"broken\n")
    with pytest.raises(CredentialError):
        users.reload()
    assert {name: users.secret(name) for name in after} == after


def test_one_user() -> None:
    user = OneUser("backup", Secret("sesame"))
    assert user.secret("backup") == b"sesame"
    assert user.secret("other") is None
    assert "sesame" not in repr(user)
