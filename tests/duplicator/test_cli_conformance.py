"""`ndmpdup conformance` as its user runs it: exit codes, files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duplicator.cli.main import app
from tests.duplicator.processes import USER, Site, site_in

CORE = ["--only", "connect", "--only", "window", "--only", "tape.open"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def test_a_strict_host_conforms_and_a_lenient_one_does_not(site: Site) -> None:
    tape = f"t=virtual:{site.folder}/A00001?capacity=4M"
    strict = site.serve("--tape", tape)
    words = ["--password-file", site.password, "--tape", "t", *CORE]
    page, junit = site.folder / "page.html", site.folder / "junit.xml"
    ended = site.run("conformance", f"ndmp://{USER}@{strict.address}", *words, "--html", page, "--junit", junit)
    assert ended.code == 0, ended.err
    assert "no MUST fails" in ended.out
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "<testsuites" in junit.read_text()
    earlier = site.folder / "earlier.json"
    ended = site.run("conformance", f"ndmp://{USER}@{strict.address}", *words, "--json")
    earlier.write_text(ended.out)
    assert ended.document["conforming"] is True
    strict.stop()

    lenient = site.serve("--tape", tape, "--profile", "ndmjob")
    ended = site.run("conformance", f"ndmp://{USER}@{lenient.address}", *words, "--baseline", earlier, "--json")
    assert ended.code == 1
    expected = {"window.initial", "window.unsized", "window.zero", "window.zero.offset", "window.over"}
    assert expected <= set(ended.document["baseline"]["worse"])
    assert "failed (MUST) window.zero: expected ILLEGAL_ARGS(9); came NO_ERR(0)" in ended.err


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDMPDUP_PASSWORD", "s3cret")
    url = "ndmp://u@127.0.0.1:1"
    (tmp_path / "bad.json").write_text("[]")
    cases: list[tuple[list[str], int, str]] = [
        (["--scratch"], 2, "--scratch: say which tape may be written"),
        (["--butype", "tar"], 2, "--butype and --path go together"),
        (["--tape", "t", "--second", "ndmp://u@h/t"], 2, "--second: its tape and that of --tape are written"),
        (["--tape", "t", "--scratch", "--second", "ndmp://u@h"], 2, "--second: the URL names no tape"),
        (["--only", "nonsense"], 2, "--only: no check's id begins so"),
        (["--baseline", str(tmp_path / "bad.json")], 2, "this is no run"),
        (["--deadline", "0"], 2, "--deadline"),
        ([], 1, "no connection to ndmp://u@127.0.0.1:1"),
    ]
    for words, code, text in cases:
        result = CliRunner().invoke(app, ["conformance", url, *words])
        assert result.exit_code == code, (words, result.output)
        assert text in result.output, words


def test_the_list_of_checks() -> None:
    result = CliRunner().invoke(app, ["conformance", "ndmp://u@h", "--list", "--json"])
    checks = json.loads(result.output)
    assert len(checks) >= 300
    assert {"id", "section", "level", "title"} == checks[0].keys()
