"""ndmjob is killed in the middle of a backup, or gives up: our hosts let go of tape, files and every connection."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.interop.places import DEVICE, PLACES, Places, Stage
from tests.interop.trees import make_tree
from tests.peers.namespace import read_line

CHUNK = bytes(1 << 20)
CHUNKS = 512
"""A file that takes a second to back up. It is not sparse: of that our data server would carry nothing."""
AT_MOST = 2.0
"""Seconds until nothing is in use any more; it takes a few hundredths on an idle machine."""


def begin_backup(stage: Stage, where: str) -> tuple[Places, Path]:
    """Hosts and a file that is enough for a second."""
    places = PLACES[where](stage)
    long = stage.folder / "tree" / "long"
    long.parent.mkdir()
    with long.open("wb") as stream:
        stream.writelines(CHUNK for _ in range(CHUNKS))
    places.label()
    return places, long


def lose_application(stage: Stage, places: Places, long: Path, *, hanging: int | None = None) -> float:
    """Kill ndmjob during a backup, once one of our hosts hangs, if one is to; when that was."""
    running = places.application.start("-c", "-D", places.data, *places.tape_options, "-C", long.parent)
    assert running.stdout is not None
    while '"Operation started"' not in (said := read_line(running.stdout)):
        assert said, "ndmjob ended"
    if hanging is not None:
        stage.hosts[hanging].pause()
    running.kill()
    running.wait(timeout=10)
    killed = time.monotonic()
    long.unlink()
    return killed


def assert_tape_is_free(places: Places) -> None:
    """Another session gets the tape, which has a part of the backup."""
    report = places.application.run("-o", "rewind", "-T", places.tape, "-f", DEVICE)
    assert report.complete, report.text
    written = (places.application.folder / "VOL001.data").stat().st_size
    assert 0 < written < CHUNKS * len(CHUNK), "it was in the middle"


@pytest.mark.parametrize("where", ["our tape", "our data", "ours apart", "ours in one"])
def test_what_a_killed_application_used_is_free_at_once(stage: Stage, where: str) -> None:
    places, long = begin_backup(stage, where)
    killed = lose_application(stage, places, long)
    for host in stage.hosts:
        host.wait_until_idle()
    assert time.monotonic() - killed < AT_MOST
    if where != "our data":  # ndmjob's own tape stays locked when its session is lost
        assert_tape_is_free(places)


@pytest.mark.parametrize("hanging", [0, 1], ids=["the files", "the tape"])
def test_a_host_lets_go_whatever_the_other_one_does(stage: Stage, hanging: int) -> None:
    places, long = begin_backup(stage, "ours apart")
    killed = lose_application(stage, places, long, hanging=hanging)
    stage.hosts[1 - hanging].wait_until_idle()
    assert time.monotonic() - killed < AT_MOST
    if hanging == 0:
        assert_tape_is_free(places)
    stage.hosts[hanging].resume()


@pytest.mark.parametrize("where", ["apart", "in one"])
def test_a_backup_that_runs_out_of_tapes_is_aborted(stage: Stage, where: str) -> None:
    """ndmjob has no second tape, and says MOVER_ABORT: the data server ends too, and the next backup can begin."""
    tape = f"{DEVICE}=virtual:{stage.folder}/VOL001?capacity=4M"
    server = stage.serve("--tape", tape, "--tree", str(stage.folder), "--state", str(stage.folder / "state"))
    places = Places(stage.application, stage.ours(tree=True) if where == "apart" else server, server)
    places.label()
    tree = make_tree(stage.folder / "tree", files=400)
    report = places.back_up(tree)
    assert "Out of tapes" in report.text
    assert "Operation ended questionably" in report.text
    for host in stage.hosts:
        host.wait_until_idle()
    (tree / "large.bin").unlink()
    assert places.back_up(tree).ended_okay, "what is left has room"
