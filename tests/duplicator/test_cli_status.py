"""`ndmpdup status`: the numbers of jobs in words."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from duplicator.cli.main import app
from duplicator.status import Status


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["status", *words])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_one() -> None:
    assert (
        run("84") == "84: writing to the tape failed\nClean the drive or use another volume, then run the job again.\n"
    )
    assert run("0") == "0: the job succeeded\n"
    assert "drives are not the matter" in run("2005")
    assert run("2008").endswith("No job of this program ends with it.\n")
    assert "No job of this program ends with it." in run("4711")


def test_all() -> None:
    lines = run().splitlines()
    assert [int(line.split()[0]) for line in lines[-len(Status) :]] == sorted(Status)
    marked = {int(line.split()[0]) for line in lines if line.split()[1:2] == ["-"]}
    assert {2008, 800, 42} <= marked
    assert not marked & {0, 84, 99, 2001}


def test_documents() -> None:
    (one,) = json.loads(run("96", "--json"))["statuses"]
    assert one == {
        "status": 96,
        "name": "NO_MEDIA",
        "text": "no volume with room is left",
        "hint": "Mount or label another volume, or expire copies that are not needed.",
        "ends_jobs": True,
    }
    found = {each["status"]: each["ends_jobs"] for each in json.loads(run("--json"))["statuses"]}
    assert (len(found), found[2008], found[40]) == (len(Status), False, True)


def test_what_is_no_number() -> None:
    for word in ("x", "-1", "4294967296"):
        assert CliRunner().invoke(app, ["status", "--", word]).exit_code == 2, word
