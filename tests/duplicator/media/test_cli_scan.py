"""`ndmpdup media scan` as its user runs it: a process, a scanner, a catalog."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, Resource, ResourceKind, VolumeState
from tests.duplicator.media.ports import FakeScanner
from tests.duplicator.media.sessions import ScanSession, dump
from tests.duplicator.processes import Site, site_in, spawn_here

MISREADS = [
    # What comes from the scanner, and the word for it.
    (b"ABC12L8\r", "length"),
    (b"4002293400011\r", "length"),
    (b"a00001l8\r", "character"),
    (b"A0000?L8\r", "character"),
    (b"*A00001L8\r", "character"),
    (b"A00001L80\r", "check-character"),
    (b"]A1A00001L8\r", "check-character"),
    (b"A00001QQ\r", "unknown-media"),
    (b"]E04002293400011\r", "symbology"),
    (b"A0000\xc3\xa9L8\r", "not-ascii"),
    (b"A" * 65 + b"\r", "too-long"),
    (b"A00001", "cut-off"),
    (b"CLNU01CU\r", "cleaning"),
    (b"CLN001L8\r", "cleaning"),
]


def test_volumes_come_into_a_pool(site: Site, scanner: FakeScanner) -> None:
    session = ScanSession(site, scanner, "--to-pool", "daily", "--location", "shelf 2")
    for number, sent in enumerate((b"A00001L8\r", b"]A0A00002M8\r\n", b"*A00003L8%*\n"), start=1):
        said = session.scan(sent)
        assert (said["event"], said["number"], said["volume"]) == ("taken", number, f"A0000{number}")
        # It is in the catalog before it is told.
        with Catalog(site.catalog) as catalog:
            volume = catalog.volume(f"A0000{number}")
        assert volume is not None
        assert (volume.state, volume.pool, volume.location) == (VolumeState.SCRATCH, "daily", "shelf 2")
    assert (volume.barcode, volume.media, volume.files) == ("A00003L8", "L8", 0)
    session.running.send(signal.SIGINT)
    summary, ended = session.end()
    assert summary == {"event": "end", "ended": "signal", "taken": 3, "refused": {}}
    assert ended.err == ""


def test_misreads_are_told_at_once_and_change_nothing(site: Site, scanner: FakeScanner) -> None:
    session = ScanSession(site, scanner, "--to-pool", "daily")
    before = dump(site)
    for count, (sent, reason) in enumerate(MISREADS, start=1):
        said = session.scan(sent)
        assert (said["event"], said["reason"]) == ("refused", reason), (sent, said)
        assert dump(site) == before, sent
        session.running.wait_for(said["text"])
        assert session.running.err.count("\a") == count
    session.running.send(signal.SIGINT)
    summary, _ = session.end()
    assert summary["taken"] == 0
    assert sum(summary["refused"].values()) == len(MISREADS)
    assert summary["refused"]["character"] == 3


def test_volumes_that_are_not_taken_into_a_pool(site: Site, terminal: FakeScanner) -> None:
    with Catalog(site.catalog) as catalog:
        for label, pool, medium, location in (
            ("A00001", "daily", "L8", ""),
            ("A00002", "weekly", "L8", ""),
            ("A00003", "daily", "L7", ""),
            ("A00004", "daily", "L8", "vault"),
            ("A00005", "daily", "L8", "vault bank"),
        ):
            catalog.add_volume(
                label, tape_url="", pool=pool, media=medium, barcode=f"{label}{medium}", location=location
            )
    session = ScanSession(site, terminal, "--to-pool", "daily")
    assert session.scan(b"A00006L8\r")["event"] == "taken"
    before = dump(site)
    for sent, reason, words in (
        (b"A00001L8\r", "duplicate", "is in pool daily already"),
        (b"A00006L8\r", "duplicate", "scanned before"),
        (b"A00002L8\r", "wrong-pool", "is of pool weekly, not daily"),
        (b"A00003L8\r", "wrong-medium", "A00003L7"),
        (b"A00006L9\r", "wrong-medium", "A00006L8"),
        (b"A00004L8\r", "in-vault", "--from-vault"),
        (b"A00005L8\r", "in-vault", "vault bank"),
    ):
        said = session.scan(sent)
        assert (said["event"], said["reason"]) == ("refused", reason), sent
        assert words in said["text"]
        assert said["barcode"] == sent.decode().strip()
        assert dump(site) == before, sent
    session.running.send(signal.SIGINT)
    assert session.end()[0]["refused"] == {"duplicate": 2, "in-vault": 2, "wrong-medium": 2, "wrong-pool": 1}


def test_a_volume_without_a_barcode_gets_the_one_on_it(site: Site, terminal: FakeScanner) -> None:
    with Catalog(site.catalog) as catalog:
        catalog.add_volume("ND0001", tape_url="ndmp://u@h:1/d")
        catalog.add_volume("ND0002", tape_url="", pool="daily")
    session = ScanSession(site, terminal, "--to-pool", "daily")
    for label in ("ND0001", "ND0002"):
        assert session.scan(f"{label}L8\r".encode())["event"] == "taken"
        with Catalog(site.catalog) as catalog:
            volume = catalog.volume(label)
        assert volume is not None
        assert (volume.pool, volume.barcode, volume.state) == ("daily", f"{label}L8", VolumeState.APPENDABLE)
    session.running.send(signal.SIGINT)
    session.end()


def test_to_the_vault_and_back(site: Site, terminal: FakeScanner) -> None:
    with Catalog(site.catalog) as catalog:
        for label, pool in (("A00001", "daily"), ("A00002", "weekly"), ("A00003", "daily")):
            catalog.add_volume(label, tape_url="", pool=pool, media="L8", barcode=f"{label}L8", location="shelf")
    session = ScanSession(site, terminal, "--to-vault", "--vault", "bank", "--pool", "daily")
    assert session.scan(b"A00001L8\r")["location"] == "vault bank"
    before = dump(site)
    for sent, reason in (
        (b"A00001L8\r", "duplicate"),
        (b"A00002L8\r", "wrong-pool"),
        (b"A00009L8\r", "unknown-volume"),
        (b"A00003L7\r", "wrong-medium"),
    ):
        assert session.scan(sent)["reason"] == reason, sent
        assert dump(site) == before, sent
    with Catalog(site.catalog) as catalog:
        assert catalog.take("a job", [Resource(ResourceKind.VOLUME, "A00003")])
    before = dump(site)
    assert session.scan(b"A00003L8\r")["reason"] == "in-use"
    assert dump(site) == before
    with Catalog(site.catalog) as catalog:
        catalog.release("a job")
    session.running.send(signal.SIGINT)
    session.end()

    session = ScanSession(site, terminal, "--to-vault")
    assert session.scan(b"A00001L8\r")["reason"] == "duplicate"
    assert session.scan(b"A00002L8\r")["location"] == "vault"
    session.running.send(signal.SIGINT)
    session.end()

    session = ScanSession(site, terminal, "--from-vault", "--vault", "bank", "--location", "shelf 9")
    before = dump(site)
    for sent, reason in (
        (b"A00002L8\r", "not-in-vault"),
        (b"A00003L8\r", "not-in-vault"),
        (b"A00009L8\r", "unknown-volume"),
    ):
        assert session.scan(sent)["reason"] == reason, sent
        assert dump(site) == before, sent
    assert session.scan(b"A00001L8\r")["location"] == "shelf 9"
    assert session.scan(b"A00001L8\r")["reason"] == "duplicate"
    session.running.send(signal.SIGINT)
    session.end()

    session = ScanSession(site, terminal, "--from-vault")
    assert session.scan(b"A00002L8\r")["location"] is None
    session.running.send(signal.SIGINT)
    session.end()


def test_a_scanner_that_is_unplugged(site: Site, scanner: FakeScanner) -> None:
    session = ScanSession(site, scanner, "--to-pool", "daily")
    session.scan(b"A00001L8\r")
    before = dump(site)
    scanner.unplug()
    summary, ended = session.end(code=1)
    assert summary == {"event": "end", "ended": "scanner gone", "taken": 1, "refused": {}}
    assert f"scanner {scanner.url} is gone" in ended.err
    assert dump(site) == before


def test_a_scanner_that_is_unplugged_in_the_middle_of_a_label(site: Site, scanner: FakeScanner) -> None:
    """What it had sent is a label itself, as far as it goes."""
    session = ScanSession(site, scanner, "--to-pool", "daily")
    # The misread in front tells that the bytes behind it have come too, or come before the end of the connection.
    session.scan(b"x\rA00001L8")
    before = dump(site)
    scanner.unplug()
    summary, ended = session.end(code=1)
    assert summary["taken"] == 0
    assert "is gone" in ended.err
    assert dump(site) == before


def test_signals_end_it_well(site: Site, terminal: FakeScanner) -> None:
    for number, code in ((signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        session = ScanSession(site, terminal, "--to-pool", f"pool {int(number)}")
        session.scan(f"A000{int(number):02}L8\r".encode())
        session.running.send(number)
        summary, ended = session.end(code)
        assert (summary["ended"], summary["taken"]) == ("signal", 1)
        assert "Traceback" not in ended.err


def test_silence_ends_it_well(site: Site, terminal: FakeScanner) -> None:
    session = ScanSession(site, terminal, "--to-pool", "daily", "--idle-timeout", "0.2")
    assert session.end()[0]["ended"] == "idle"


def test_a_kill_loses_nothing_that_was_told(site: Site, terminal: FakeScanner) -> None:
    session = ScanSession(site, terminal, "--to-pool", "daily")
    session.scan(b"A00001L8\r")
    session.running.send(signal.SIGKILL)
    assert session.running.end().code == -signal.SIGKILL
    with Catalog(site.catalog) as catalog:
        assert [volume.label for volume in catalog.volumes()] == ["A00001"]


def test_settings_of_the_scanner(site: Site, terminal: FakeScanner) -> None:
    options = ["--prefix", "<", "--suffix", ">", "--check-character"]
    session = ScanSession(site, terminal, "--to-pool", "daily", *options)
    assert session.scan(b"<A00001L8/>\r")["event"] == "taken"
    for sent, reason in ((b"A00002L8\r", "affix"), (b"<A00002L8>\r", "check-character")):
        assert session.scan(sent)["reason"] == reason
    session.running.send(signal.SIGINT)
    session.end()


def test_pools_of_the_configuration(site: Site, terminal: FakeScanner) -> None:
    config = site.folder / "ndmpdup.toml"
    config.write_text('[pools.daily]\nmedia = ["L8", "M8"]\n')
    ended = site.run("media", "scan", "--port", terminal.url, "--to-pool", "weekly", "--config", config)
    assert ended.code == 2
    assert "there is no pool 'weekly'; configured are daily" in ended.err
    session = ScanSession(site, terminal, "--to-pool", "daily", "--config", str(config))
    assert session.scan(b"A00001M8\r")["event"] == "taken"
    before = dump(site)
    said = session.scan(b"A00002L7\r")
    assert (said["reason"], "pool daily takes L8 M8, not L7" in said["text"]) == ("wrong-medium", True)
    assert dump(site) == before
    session.running.send(signal.SIGINT)
    session.end()


def test_what_people_read(site: Site, terminal: FakeScanner) -> None:
    running = site.start("media", "scan", "--port", terminal.url, "--to-pool", "daily", "--idle-timeout", "3")
    out = next(site.folder.glob("out-*"))
    while "scan labels to pool daily; Ctrl-C ends it\n" not in out.read_text():
        assert running.process.poll() is None, running.err
    terminal.send(b"A00001L8\rA00001L8\r")
    running.wait_for("scanned before")
    running.send(signal.SIGINT)
    ended = running.end()
    assert ended.code == 0
    assert ended.out.splitlines()[1:] == ["1: A00001L8, pool daily", "to pool daily: 1 taken, 1 refused (duplicate 1)"]
    assert ended.err == "\andmpdup: not taken: A00001L8 was scanned before, in this session\n"


def test_without_pyserial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "serial.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    with site_in(tmp_path, spawn_here) as site:  # one that has loaded nothing yet
        ended = site.run("media", "scan", "--port", "/dev/ttyACM0", "--to-pool", "daily")
    assert ended.code == 2
    assert "pip install 'ndmpdup[barcode]'" in ended.err


def test_what_is_refused_before_it_begins(site: Site) -> None:
    cases = [
        ([], "one of --to-pool POOL, --to-vault, --from-vault", 2),
        (["--to-pool", "p", "--to-vault"], "one of --to-pool POOL", 2),
        (["--to-pool", "p", "--vault", "v"], "--vault and --pool go with", 2),
        (["--to-pool", ""], "pool ''", 2),
        (["--to-vault", "--location", "x"], "--location is for volumes that come in", 2),
        (["--to-pool", "p"], "/dev/absent-scanner", 1),
    ]
    for options, words, code in cases:
        ended = site.run("media", "scan", "--port", "/dev/absent-scanner", *options)
        assert (ended.code, ended.out) == (code, ""), options
        assert words in ended.err, options
        assert "Traceback" not in ended.err
