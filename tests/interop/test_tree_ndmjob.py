"""A tree to tape with ndmjob as the data server, and as the tape server of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.duplicator.sources.test_tree import extracted, make_tree
from tests.interop.jobs import run_job
from tests.interop.places import DEVICE, PLACES, Stage
from tests.peers import Agent


def words(stage: Stage, name: str, agent: Agent, what: str) -> dict[str, str]:
    """A place of a job, by its URL and a file with the password."""
    secret = stage.site.secret_file(f"{name}-secret", agent.password)
    return {name: f"ndmp://{agent.user}@127.0.0.1:{agent.port}/{what}", f"{name}_password": str(secret)}


@pytest.mark.parametrize("data", ["ndmjob", "ours"])
def test_a_tree_goes_to_tape(stage: Stage, tmp_path: Path, data: str) -> None:
    files = make_tree(tmp_path / "tree")
    if data == "ndmjob":
        source, target = words(stage, "source", stage.ndmjob(10001), ""), stage.ours(tape=True)
        to = words(stage, "target", target, DEVICE)
    else:
        source = words(stage, "source", stage.ours(tree=True), "")
        to = words(stage, "target", stage.ndmjob(10002), str(tmp_path / "ndmjob-10002" / "tape"))
    ended = run_job(stage.namespace, stage.site, tree=str(tmp_path / "tree"), **source, **to)
    assert (ended["status"], ended["validated"]) == (0, False), ended
    (copy,) = stage.site.ask("copies")["copies"]
    assert (copy["copy"], copy["state"]) == (ended["copy"], "written")
    back = ("--from-password-file", to["target_password"])
    restored = stage.site.run("restore", copy["copy"], "--to", tmp_path / "back", *back)
    assert restored.code == 0, restored.err
    (archive,) = (tmp_path / "back").iterdir()
    assert archive.stat().st_size == ended["size"] > sum(map(len, files.values()))
    assert extracted(archive, tmp_path / "out") == files


def test_a_backup_that_sends_nothing_is_none(stage: Stage, tmp_path: Path) -> None:
    """ndmjob says that all went well although its program failed."""
    source = words(stage, "source", stage.ndmjob(10001), "")
    to = words(stage, "target", stage.ours(tape=True), DEVICE)
    ended = run_job(stage.namespace, stage.site, tree=str(tmp_path / "nowhere"), **source, **to)
    assert (ended["status"], ended["step"]) == (13, "move data"), ended
    assert "nothing was sent" in ended["reason"]


def test_a_backup_that_ndmjob_made_goes_to_our_tape(stage: Stage, tmp_path: Path) -> None:
    """Its tape holds a label of its own, a filemark and the image, in records of 10240 bytes."""
    files = make_tree(tmp_path / "tree")
    places = PLACES["ndmjob alone"](stage)
    places.label()
    report = places.back_up(tmp_path / "tree")
    assert report.ended_okay, report.text
    source = words(stage, "source", places.tape, DEVICE)
    to = words(stage, "target", stage.ours(tape=True), DEVICE)
    ended = run_job(stage.namespace, stage.site, file="2", **source, **to)
    assert (ended["status"], ended["validated"]) == (0, False), ended
    assert any("records of 10240 bytes, behind 1 filemarks" in line for line in ended["told"])
    back = ("--from-password-file", to["target_password"])
    restored = stage.site.run("restore", ended["copy"], "--to", tmp_path / "back", *back)
    assert restored.code == 0, restored.err
    (archive,) = (tmp_path / "back").iterdir()
    assert archive.stat().st_size == report.kilobytes_moved * 1024
    assert extracted(archive, tmp_path / "out") == files
