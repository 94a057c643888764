"""What the command line refuses, in which words, and that no secret shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest
from typer.testing import CliRunner

from duplicator.cli.main import app

FROM = ["--from", "ndmp://u@127.0.0.1:1/unit"]
TO = ["--to", "ndmp://u@127.0.0.1:1/tape"]
PASSWORDS = {"NDMPDUP_PASSWORD": "s3cret"}


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in ("NDMPDUP_PASSWORD", "NDMPDUP_FROM_PASSWORD", "NDMPDUP_TO_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NDMPDUP_CATALOG", f"sqlite:///{tmp_path}/catalog.sqlite")
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def test_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    (tmp_path / "pw").chmod(0o600)
    (tmp_path / "open").write_text("s3cret\n")
    (tmp_path / "open").chmod(0o644)
    serve = ["serve", "--listen", "127.0.0.1:0", "--user", "u", "--password-file", "pw"]
    cases: list[tuple[list[str], str]] = [
        (["nonsense"], "No such command"),
        (["duplicate", *FROM, *TO], "Missing argument"),
        (["duplicate", "i", *FROM], "Missing option '--to'"),
        (["duplicate", "i", *FROM, *TO, "--password", "s3cret"], "No such option"),
        (["duplicate", "i", "--from", "ndmp://u:s3cret@h/l", *TO], "--from: a password does not belong in an URL"),
        (["duplicate", "i", "--from", "s3cret", *TO], "--from: an NDMP URL begins with ndmp://"),
        (["duplicate", "i", "--from", "ndmp://u@h", *TO], "--from: the URL names no lsu"),
        (["duplicate", "i", *FROM, "--to", "ndmp://u@h"], "--to: the URL names no tape"),
        (["duplicate", "i", *FROM, *TO, "--volume", "nd-1"], "--volume: volume id"),
        (["duplicate", "i", *FROM, *TO, "--record-size", "huge"], "--record-size: size 'huge'"),
        (["duplicate", "i", *FROM, *TO, "--record-size", "511"], "--record-size: 511 bytes"),
        (["duplicate", "i", *FROM, *TO, "--record-size", "17M"], "--record-size: 17825792 bytes"),
        (["duplicate", "i", *FROM, *TO, "--digest", "md5"], "--digest"),
        (["duplicate", "i", *FROM, *TO, "--stall-timeout", "0"], "--stall-timeout"),
        (["duplicate", "i", *FROM, *TO, "--from-password-file", "open"], "chmod 600"),
        (["duplicate", "i", *FROM, *TO, "--from-password-file", "absent"], "No such file"),
        (["duplicate", "i", *FROM, *TO, "--from-password-file", "pw"], "NDMPDUP_TO_PASSWORD or NDMPDUP_PASSWORD"),
        (["probe", "ndmp://u@127.0.0.1:1"], "keyring set ndmpdup u@127.0.0.1:1"),
        (["probe", "ndmp://127.0.0.1:1"], "URL: the URL names no user"),
        (["images", "http://h"], "URL: an NDMP URL begins with ndmp://"),
        (["verify", "ffff"], "no copy has an id that begins with 'ffff'"),
        (["restore", "ffff", "--to", "x"], "no copy has an id that begins with 'ffff'"),
        (["jobs", "7"], "there is no job 7"),
        (["jobs", "seven"], "valid integer"),
        (["jobs", "--catalog", "no url"], "SQLAlchemy URL"),
        (["jobs", "--catalog", "postgresql://u:hidden@h/d"], "NDMPDUP_CATALOG"),
        (["jobs", "--catalog", "postgresql://h/d?user=u&password=hidden"], "NDMPDUP_CATALOG"),
        (["jobs", "--catalog", "mysql://h/d?PassWd=hidden"], "NDMPDUP_CATALOG"),
        (["jobs", "--catalog", "postgresql://h/d?pass%77ord=hidden"], "NDMPDUP_CATALOG"),
        (["jobs", "--catalog", "mssql://?odbc_connect=UID%3Du%3BPWD%3Dhidden"], "NDMPDUP_CATALOG"),
        (["copies", "--catalog", "sqlite:////absent/folder/c"], "No such file"),
        ([*serve], "nothing to serve"),
        ([*serve, "--lsu", "a"], "write NAME=VALUE"),
        ([*serve, "--lsu", "=x"], "write NAME=VALUE"),
        ([*serve, "--lsu", "a=.", "--lsu", "a=.."], "given twice"),
        ([*serve, "--lsu", ".a=."], "storage unit '.a'"),
        ([*serve, "--lsu", "a\n=."], "can be printed"),
        ([*serve, "--lsu", "a=absent"], "absent: No such file"),
        ([*serve, "--tape", "t=/dev/nst0"], "virtual:"),
        ([*serve, "--tape", "t=virtual:x/y?size=1"], "option 'size=1'"),
        ([*serve, "--tape", "t=sg:/dev/absent"], "/dev/absent: No such file"),
        ([*serve, "--tape", "t=sg:/dev/null"], "/dev/null is no device of the sg driver"),
        ([*serve, "--tape", "t=iscsi://h/x/1"], "no iSCSI name"),
        ([*serve, "--tape", "t=virtual-library:x"], "--changer"),
        ([*serve, "--changer", "c=virtual-library:x?drive=0"], "no changer"),
        ([*serve, "--changer", "c=sg:sg1"], "sg:/dev/"),
        ([*serve, "--lsu", "a=.", "--profile", "lax"], "--profile"),
        ([*serve[:-1], "open", "--lsu", "a=."], "chmod 600"),
        (["serve", "--listen", "nowhere", *serve[3:], "--lsu", "a=."], "--listen: the port is not a number"),
        (["tape", "virtual:x/Y"], "Missing command"),
        (["tape", "st:x", "map"], "'st:x' does not begin with 'virtual:'"),
        (["tape", "virtual:x/Y?capacity=0", "create"], "capacity"),
    ]
    for arguments, words in cases:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert words in result.stderr, (arguments, result.stderr)
        assert result.stdout == "", arguments
        assert "Traceback" not in result.stderr
        if "s3cret" not in arguments:
            assert "s3cret" not in result.stderr, arguments
        assert "hidden" not in result.stderr, arguments


def test_failures_tell_what_to_do() -> None:
    """Nobody listens on port 1 of loopback."""
    cases = [
        (["probe", "ndmp://u@127.0.0.1:1"], "port 1"),
        (["images", "ndmp://u@127.0.0.1:1/l"], "status 54"),
        (["duplicate", "i", *FROM, *TO], "status 54"),
        (["tape", "virtual:absent/Y", "map"], "no cartridge"),
        (["tape", "virtual:absent/Y", "status"], "create` makes one"),
        (["changer", "virtual-library:absent", "inventory"], "create` makes one"),
    ]
    for arguments, words in cases:
        result = CliRunner().invoke(app, arguments, env=PASSWORDS)
        assert result.exit_code == 1, (arguments, result.output)
        assert words in result.stderr, (arguments, result.stderr)
        assert result.stdout == ""
        assert "s3cret" not in result.stderr
        assert "Traceback" not in result.stderr


def test_an_error_does_not_send_commands_to_the_terminal() -> None:
    result = CliRunner().invoke(app, ["verify", "\x1b[2J"])
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr


def test_help_teaches() -> None:
    names = ("demo", "duplicate", "verify", "restore", "jobs", "copies", "images", "probe", "serve", "tape", "changer")
    for name in names:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert f"  ndmpdup {name}" in result.stdout, name
    overview = CliRunner().invoke(app, ["--help"]).stdout
    assert "Exit codes: 0 success" in overview
    assert "NDMPDUP_FROM_PASSWORD" in overview
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("ndmpdup 0.")
