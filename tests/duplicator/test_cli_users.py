"""`ndmpdup serve`: who may log in and how, what is offered, and options that are refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest
from typer.testing import CliRunner

from duplicator.cli.main import app
from tests.duplicator.certificates import Authority
from tests.duplicator.processes import Site, site_in, spawn_here, wait_until

FIRST, SECOND = "first-s3cret", "second-s3cret"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def asks(site: Site, address: str, user: str, password: str) -> int:
    """The exit code of a probe by this user."""
    file = site.secret_file(f"of-{user}", password)
    return site.run("probe", f"ndmp://{user}@{address}", "--password-file", file).code


def test_users_of_a_file_come_and_go(site: Site) -> None:
    users = site.secret_file("users", f"# of the tests\nann:{FIRST}\nbob:{SECOND}")
    host = site.serve("--lsu", f"lsu={site.folder}", "-v", login=["--users-file", users])
    for user, password, code in (("ann", FIRST, 0), ("bob", SECOND, 0), ("ann", SECOND, 1), ("eve", FIRST, 1)):
        assert asks(site, host.address, user, password) == code, user
    users.write_text(f"bob:{FIRST}\neve:{FIRST}\n")
    host.send(signal.SIGHUP)
    host.wait_for("read again")
    for user, password, code in (("ann", FIRST, 1), ("bob", FIRST, 0), ("eve", FIRST, 0)):
        assert asks(site, host.address, user, password) == code, user
    users.chmod(0o644)
    host.send(signal.SIGHUP)
    host.wait_for("not read again, what was read before still holds: users file")
    assert asks(site, host.address, "eve", FIRST) == 0
    ended = host.stop()
    assert ended.code == 0
    assert "s3cret" not in ended.err + ended.out


def test_no_secret_is_in_the_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with site_in(tmp_path, spawn_here) as site:  # with arguments that the system knows
        monkeypatch.setenv("NDMPDUP_PASSWORD", FIRST)
        host = site.serve("--lsu", f"lsu={site.folder}", login=["--user", "ann"])
        monkeypatch.delenv("NDMPDUP_PASSWORD")
        assert asks(site, host.address, "ann", FIRST) == 0
        assert asks(site, host.address, "ann", SECOND) == 1
        arguments = Path(f"/proc/{host.pid}/cmdline").read_text()
        assert "serve" in arguments
        assert FIRST not in arguments


def test_a_renewed_certificate_is_taken_up(site: Site) -> None:
    first, second = Authority(site.folder), Authority(site.folder, "second")
    shown = first.issue("host")
    host = site.serve("--lsu", f"lsu={site.folder}", *shown.serve_options(), "-v")

    def code(trusted: Authority) -> int:
        return site.run("images", host.url("lsu"), "--password-file", site.password, "--tls-ca", trusted.path).code

    assert (code(first), code(second)) == (0, 1)
    second.issue("host")
    host.send(signal.SIGHUP)
    host.wait_for("read again")
    assert (code(first), code(second)) == (1, 0)


def test_ways_to_log_in(site: Site) -> None:
    for option, ways in (("md5", ["md5"]), ("text", ["text"]), ("TEXT,md5", ["md5", "text"]), (None, ["md5", "text"])):
        host = site.serve("--lsu", f"lsu={site.folder}", *(["--login", option] if option else []))
        found = site.ask("probe", host.url(""), "--password-file", site.password)
        assert found["logins"] == ways
        assert host.stop().code == 0


def test_libraries_and_trees_are_offered(site: Site) -> None:
    tree, library = site.folder / "tree", site.folder / "library"
    tree.mkdir()
    offers = ["--changer", f"lib=virtual-library:{library}?drives=2&cartridges=3&capacity=1M", "--tree", str(tree)]
    for made in (f"made a new library for lib: {library}\n", ""):
        host = site.serve(*offers, "--tape", f"lone=virtual:{site.folder / 'T1'}?capacity=1M")
        found = site.ask("probe", host.url(""), "--password-file", site.password)
        assert {tape["name"] for tape in found["tapes"]} == {"lone", "lib.drive0", "lib.drive1"}
        assert found["data_connections"] == ["tcp", "local"]
        ended = host.stop()
        assert f"changers: lib; trees: {tree}" in ended.out
        assert made in ended.out
        assert ("new library" in ended.out) == bool(made)
    assert (site.folder / "state" / "ndmpdup").is_dir()
    clash = site.run(
        "serve",
        "--user",
        "u",
        "--password-file",
        site.password,
        *offers,
        "--tape",
        f"lib.drive0=virtual:{site.folder / 'T1'}",
    )
    assert (clash.code, clash.err) == (2, "ndmpdup: two tape drives are named 'lib.drive0'\n")


@pytest.fixture
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("no_keyring")
def test_what_is_refused(site: Site) -> None:
    """The first as a process of its own; the others only differ in what the command is given."""
    password, certificate = str(site.password), Authority(site.folder).issue("host")
    users, open_users = site.secret_file("users", f"ann:{FIRST}"), site.secret_file("open", f"ann:{FIRST}")
    open_users.chmod(0o640)
    user = ["--user", "ann", "--password-file", password]
    lsu = ["--lsu", f"lsu={site.folder}"]
    cases = [
        (lsu, "nobody may log in: give --user U or --users-file FILE; there is no default account"),
        ([*lsu, "--password-file", password], "nobody may log in"),
        ([*lsu, *user, "--users-file", str(users)], "--users-file stands instead of --user"),
        ([*lsu, "--users-file", str(open_users)], "others have access (mode bits 040): run chmod 600"),
        ([*lsu, "--user", "ann"], "no password for ann@127.0.0.1:10000"),
        ([*lsu, "--user", ""], "the name is empty"),
        (user, "nothing to serve"),
        ([*lsu, *user, "--tls-key", str(certificate.key)], "--tls-key is of no use without --tls-cert"),
        ([*lsu, *user, "--tls-client-ca", password], "--tls-client-ca is of no use without --tls-cert"),
        ([*lsu, *user, "--tls-cert", str(certificate.path)], "others have access"),
        ([*lsu, *user, "--tls-cert", password], "no certificate in PEM form with its key"),
        ([*lsu, *user, "--login", "none"], "write md5, text, or md5,text"),
        ([*lsu, *user, "--login", ""], "write md5, text, or md5,text"),
        ([*lsu, *user, "--data-port", "0-5"], "write FIRST-LAST"),
        ([*lsu, *user, "--data-port", "7-5"], "write FIRST-LAST"),
        ([*lsu, *user, "--data-port", "1-65536"], "write FIRST-LAST"),
        ([*lsu, *user, "--data-port", "1-2-3"], "write FIRST-LAST"),
        ([*lsu, *user, "--data-port", "x"], "write FIRST-LAST"),
        ([*lsu, *user, "--data-address", "::1"], "write OFFERED[=BOUND]"),
        ([*lsu, *user, "--data-address", "192.0.2.1="], "write OFFERED[=BOUND]"),
        ([*lsu, *user, "--data-address", "tapehost"], "write OFFERED[=BOUND]"),
        ([*lsu, *user, "--data-peer", "192.0.2.1/24"], "has host bits set; write an IPv4 network"),
        ([*lsu, *user, "--data-peer", "any"], "write an IPv4 network"),
        ([*user, "--tree", str(site.folder / "absent")], "absent"),
        ([*lsu, *user, "--max-sessions", "0"], "--max-sessions"),
    ]
    ended = site.run("serve", *cases[0][0])
    assert (ended.code, ended.out, ended.err) == (2, "", f"ndmpdup: {cases[0][1]}\n")
    for words, reason in cases:
        result = CliRunner().invoke(app, ["serve", *words], env={"NDMPDUP_PASSWORD": None})
        assert (result.exit_code, result.stdout) == (2, ""), (words, result.stderr)
        assert isinstance(result.exception, SystemExit), words
        assert reason in result.stderr, (words, result.stderr)
        assert "s3cret" not in result.stderr
        assert "Traceback" not in result.stderr


def test_sighup_ends_a_host_that_has_nothing_to_read_again(site: Site) -> None:
    host = site.serve("--lsu", f"lsu={site.folder}")
    host.send(signal.SIGHUP)
    wait_until(lambda: not os.path.exists(f"/proc/{host.pid}/exe"), "the host has ended")


def test_help_stands_in_groups(site: Site) -> None:
    shown = site.run("serve", "--help").out
    groups = dict[str, list[str]]()
    for line in shown.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            options = groups[line] = list[str]()
        elif line.startswith("  --"):
            options.append(line.split()[0])
    assert groups["Who may log in:"] == ["--user", "--password-file", "--users-file", "--login"]
    assert groups["Data connections:"] == ["--data-port", "--data-address", "--data-peer", "--data-tls"]
    assert list(groups)[:3] == ["What it offers:", "Who may log in:", "Where it listens:"]
    assert "ndmpdup serve --user backup --password-file pw --lsu unit1=/srv/images\n" in shown
    for command in ("duplicate", "verify", "restore", "images", "probe"):
        assert "\nEncryption:\n  --tls-ca FILE" in site.run(command, "--help").out
