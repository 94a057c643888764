"""`ndmpdup config`: exit codes, lines, documents, and what the documentation says."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest
from typer.testing import CliRunner, Result

from duplicator.cli.main import app
from duplicator.config import load
from duplicator.config.showing import effective
from tests.duplicator.config.texts import SMALL, WHOLE, write

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in ("NDMPDUP_PASSWORD", "NDMPDUP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def ndmpdup(*words: str) -> Result:
    return CliRunner().invoke(app, ["config", *words])


def test_the_example_is_correct_and_says_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "ndmpdup.toml").write_text(ndmpdup("example").stdout)
    checked = ndmpdup("check")
    assert (checked.exit_code, checked.stdout) == (0, "ndmpdup.toml: no problem found\n")
    # Every table that the format has is in it, and every key, though some as comments.
    text = (tmp_path / "ndmpdup.toml").read_text()
    for table in (
        "catalog",
        "agents",
        "hosts",
        "storage.disk",
        "storage.tape",
        "libraries",
        "drives",
        "pools",
        "policies",
    ):
        assert f"[{table}" in text


def test_toml_in_the_documentation_is_correct(tmp_path: Path) -> None:
    blocks = (ROOT / "docs" / "config.md").read_text(encoding="utf-8").split("```toml\n")[1:]
    assert blocks
    for block in blocks:
        text = block.partition("```")[0]
        write(tmp_path, text)
        checked = ndmpdup("check")
        assert checked.exit_code == 0, (text, checked.stdout)


def test_every_key_is_in_the_documentation() -> None:
    from duplicator.config.words import known_keys

    text = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    for header, path in {
        "[catalog]": ("catalog",),
        "[tls]": ("tls",),
        "[hosts.NAME]": ("hosts", "x"),
        "[agents.NAME]": ("agents", "x"),
        "[storage.disk.NAME]": ("storage", "disk", "x"),
        "[storage.tape.NAME]": ("storage", "tape", "x"),
        "[libraries.NAME]": ("libraries", "x"),
        "[drives.NAME]": ("drives", "x"),
        "[pools.NAME]": ("pools", "x"),
        "[policies.NAME]": ("policies", "x"),
    }.items():
        section = text.partition(f"\n## `{header}`")[2].partition("\n## ")[0]
        assert section, header
        keys = known_keys(path)
        assert keys
        assert [key for key in keys if f"\n| `{key}` |" not in section] == [], header


def test_check_tells_lines_and_a_document(tmp_path: Path) -> None:
    path = write(
        tmp_path, SMALL.replace('"unit1"\nto', '"unit2"\nto').replace('user = "backup"', 'password = "s3cret"')
    )
    said = ndmpdup("check")
    assert said.exit_code == 2
    lines = said.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["ndmpdup.toml:3:1", "ndmpdup.toml:17:1"]
    assert lines[1].endswith("there is no such [storage.disk.NAME] or [storage.tape.NAME]; did you mean 'unit1'?")
    assert "s3cret" not in said.output
    document = json.loads(ndmpdup("check", "--config", str(path), "--json").stdout)
    assert document["file"] == str(path)
    assert document["hosts"] == []
    assert document["problems"][1] == {
        "file": str(path),
        "line": 17,
        "column": 1,
        "problem": "'from' names 'unit2', and there is no such [storage.disk.NAME] or [storage.tape.NAME]",
        "hint": "did you mean 'unit1'?",
    }


def test_check_of_what_is_no_configuration(tmp_path: Path) -> None:
    said = ndmpdup("check")
    assert (said.exit_code, "there is no ndmpdup.toml: begin with" in said.output) == (2, True)
    said = ndmpdup("check", "--config", "absent.toml")
    assert (said.exit_code, said.stdout.partition(";")[0]) == (
        2,
        "absent.toml: cannot be read (No such file or directory)",
    )
    write(tmp_path, "[hosts\n")
    said = ndmpdup("check")
    assert (said.exit_code, said.stdout.startswith("ndmpdup.toml:1:7: is not TOML: ")) == (2, True)


def test_show_is_what_takes_effect(tmp_path: Path) -> None:
    for text in (SMALL, WHOLE, "", ndmpdup("example").stdout):
        path = write(tmp_path, text)
        shown = ndmpdup("show")
        assert shown.exit_code == 0, shown.output
        meant = replace(effective(load(path)), file=None)
        (tmp_path / "shown.toml").write_text(shown.stdout)
        assert replace(load(tmp_path / "shown.toml"), file=None) == meant
        assert json.loads(ndmpdup("show", "--json").stdout) == tomllib.loads(shown.stdout)
    write(tmp_path, SMALL)
    tables = tomllib.loads(ndmpdup("show").stdout)
    assert tables["hosts"]["appliance"] == {"address": "10.1.0.1", "port": 10000, "tls": False, "user": "backup"}
    assert tables["agents"] == {"local": {"hosts": ["appliance", "tapehost"]}}
    assert tables["storage"]["disk"]["unit1"] == {"host": "appliance", "unit": "unit1", "file_service": "appliance"}
    write(tmp_path, "x = 1\n")
    shown = ndmpdup("show")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "ndmpdup.toml:1:1: unknown key 'x'" in shown.stderr
