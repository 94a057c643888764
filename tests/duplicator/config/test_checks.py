"""What a correct file finds on this machine: password files, certificates, folders, agents that fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from duplicator.config import read
from duplicator.config.checks import find_defects
from tests.duplicator.config.texts import SMALL, write


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def defects_of(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """Each as LINE:COLUMN: WHAT; WHAT TO DO, with the folder of the file as DIR."""
    path = write(folder, text)
    found = find_defects(read(path), environ or {})
    return [str(problem).removeprefix(f"{path}:").replace(str(folder), "DIR") for problem in found]


def test_a_small_file_is_correct(tmp_path: Path) -> None:
    assert defects_of(tmp_path, SMALL) == []


def test_users_of_applications(tmp_path: Path) -> None:
    said = "20:18: 'users' names 'nobody-here', and this machine has no such user; correct it, or make the user"
    assert defects_of(tmp_path, f"{SMALL}[xbsa]\nusers = ['root', 'nobody-here']\n") == [said]


def test_password_files(tmp_path: Path) -> None:
    for name, content, mode in (("good", "x\n", 0o600), ("open", "x\n", 0o640), ("empty", "\n", 0o600)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    hint = "; make it a file of yours with the password as its first line, and chmod 600 it"
    for name, said in {
        "good": [],
        "absent": ["4:1: password file DIR/absent: No such file or directory" + hint],
        "open": ["4:1: password file DIR/open: others have access (mode bits 040): run chmod 600 on it" + hint],
        "empty": ["4:1: password file DIR/empty: has an empty first line" + hint],
    }.items():
        text = SMALL.replace('user = "backup"\n', f'user = "backup"\npassword_file = "{name}"\n')
        assert defects_of(tmp_path, text) == said, name
        elsewhere = f"{text}[agents.far]\nhosts = ['appliance', 'tapehost']\ncommand = ['ssh', 'far']\n"
        assert defects_of(tmp_path, elsewhere) == [], name
        own = f"{SMALL}[agents.me]\nhosts = ['appliance']\n[agents.me.credentials.tapehost]\npassword_file = '{name}'\n"
        assert defects_of(tmp_path, own) == [line.replace("4:", "22:") for line in said], name


def test_a_file_that_everybody_can_write(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    path.chmod(0o666)
    (problem,) = find_defects(read(path), {})
    assert str(problem).startswith(f"{path}:1:1: everybody can write this file, ")
    assert str(problem).endswith("; run chmod o-w on it")


def test_tls(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    (problem,) = defects_of(tmp_path, SMALL + "[tls]\nca = 'ca.pem'\n")
    assert problem.startswith("19:1: CA file DIR/ca.pem: has no certificate in PEM form; correct the paths; ")
    secure = SMALL.replace('user = "backup"\n', 'user = "backup"\ntls = true\n')
    assert defects_of(tmp_path, secure + "[tls]\nrequired = true\n") == [
        "5:1: TLS is required, and host 'tapehost' has none; add tls = true, or take 'required' out of [tls]"
    ]


def test_folders(tmp_path: Path) -> None:
    mounted = SMALL.replace('host = "appliance"\n', 'host = "appliance"\npath = "images"\n')
    said = ["9:1: disk unit 'unit1' has no folder DIR/images here; mount it, or take 'path' out"]
    assert defects_of(tmp_path, mounted) == said
    (tmp_path / "images").mkdir()
    assert defects_of(tmp_path, mounted) == []


def test_policies_that_nobody_can_run(tmp_path: Path) -> None:
    agents = "[agents.me]\nhosts = ['tapehost']\n[agents.far]\nhosts = ['appliance']\ncommand = ['ssh']\n"
    lack = "no agent has credentials for host '{}' of the {} side (asked: {}): add it to 'hosts' or to 'credentials' "
    lack += "of an agent"
    cannot = "no agent can run policy 'nightly' from 'unit1' to 'lto'; "
    assert defects_of(tmp_path, SMALL + agents) == []
    for name, host, side in (("me", "appliance", "read"), ("far", "tapehost", "write")):
        said = ["19:1: " + cannot + lack.format(host, side, name)]
        assert defects_of(tmp_path, f"{SMALL}agents = '{name}'\n{agents}") == said
    # The environment is this process's, so it makes one agent able and not the other.
    assert defects_of(tmp_path, f"{SMALL}agents = 'me'\n{agents}", {"NDMPDUP_PASSWORD": "x"}) == []
    assert defects_of(tmp_path, f"{SMALL}agents = 'far'\n{agents}", {"NDMPDUP_PASSWORD": "x"}) != []
    only_me = "[agents.me]\nhosts = ['tapehost']\n"
    assert defects_of(tmp_path, SMALL + only_me) == ["18:1: " + cannot + lack.format("appliance", "read", "me")]


def test_a_file_with_problems_is_checked_as_far_as_it_goes(tmp_path: Path) -> None:
    text = SMALL.replace('user = "backup"\n', 'user = "backup"\npassword_file = "absent"\n')
    text = text.replace('to = "lto"', 'to = "unit1"') + "[agents.me]\nhosts = ['appliance', 'nobody']\n"
    (problem,) = defects_of(tmp_path, text)
    assert problem.startswith("4:1: password file DIR/absent")
