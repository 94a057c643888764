"""Jobs that fail: each says why, cleans up on both sides, and leaves source and volume as they were."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState
from tests.duplicator.plain_tape import read_tap
from tests.duplicator.processes import Site, site_in, wait_until
from tests.duplicator.scene import BIG, Scene, scene_in

IMPATIENT = ("--connect-timeout", "3", "--request-timeout", "2", "--stall-timeout", "2", "--tape-timeout", "3")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Scene]]:
    """Gives the scene of the test before, if that left it sound, else a new one."""
    with ExitStack() as stack:
        made: list[Scene] = []

        def current() -> Scene:
            if not made or not made[-1].is_sound:
                made.append(stack.enter_context(scene_in(tmp_path_factory.mktemp("scene"))))
            return made[-1]

        yield current
        for scene in made:
            if scene.is_sound:
                scene.check_good_copies()


@pytest.fixture
def scene(scenes: Callable[[], Scene]) -> Scene:
    return scenes()


# -- before the data flows ---------------------------------------------------------------------------------------------


def test_a_wrong_password_on_either_side(scene: Scene) -> None:
    wrong = scene.site.secret_file("wrong", "not-the-password")
    for option, step in (("--from-password-file", "check image"), ("--to-password-file", "write side: session")):
        ended = scene.duplicate("small", option, wrong)
        scene.check_failed(ended, 99, "refuses user 'backup' or the password", "NOT_AUTHORIZED", step=step)
        assert "not-the-password" not in ended.out + ended.err + scene.tape.log + scene.appliance.log
    scene.check_usable()


def test_what_is_not_there(scene: Scene) -> None:
    nowhere = ("small", "--from", scene.appliance.url("nowhere"))
    for what, status, words, step in (
        (("missing.tar",), 190, "FILE_NOT_FOUND", "check image"),
        (nowhere, 213, "no storage unit 'nowhere'; it has lsu", "check image"),
        (("small", "--from", scene.tape.url("lsu")), 213, "does not offer FILES_READ", "check file service extension"),
        (("small", "--to", scene.tape.url("drive9")), 83, "NO_DEVICE", "write side: mount"),
    ):
        ended = scene.duplicate(*what)
        scene.check_failed(ended, status, words, step=step)
    scene.check_usable()


def test_a_failed_job_is_listed_with_its_reason(scene: Scene) -> None:
    ended = scene.duplicate("missing.tar")
    number = scene.check_failed(ended, 190, "FILE_NOT_FOUND")["job"]
    words = "FILE_NOT_FOUND", str(scene.appliance.port)
    assert scene.check_listed(number, "failed", 190, *words)["step"] == "check image"
    shown = scene.site.run("jobs", str(number)).out
    for text in (*words, "check image", "190, no image matches", "List the images of the storage unit"):
        assert text in shown
    scene.check_usable()


def test_nobody_listens(scene: Scene) -> None:
    for option, place, step in (
        ("--from", "lsu", "check image"),
        ("--to", "drive", "write side: session"),
    ):
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        ended = scene.duplicate("small", option, f"ndmp://backup@127.0.0.1:{port}/{place}")
        scene.check_failed(ended, 54, f"127.0.0.1 port {port}", step=step)
    scene.check_usable()


GREETING_V3 = bytes.fromhex(
    "80000024 00000001 67000000 00000000 00000502 00000000 00000000"  # header of NOTIFY_CONNECTION_STATUS
    "00000000 00000003 00000000"  # connected, version 3, no text
)


def greet_as_version_3(server: socket.socket) -> None:
    """Greet one peer, and answer nothing until it leaves."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(30)
        connection.sendall(GREETING_V3)
        while connection.recv(4096):
            pass


def test_a_tape_server_below_version_4(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        host = threading.Thread(target=greet_as_version_3, args=[server], daemon=True)
        host.start()
        url = f"ndmp://backup@127.0.0.1:{server.getsockname()[1]}/drive"
        ended = scene.duplicate("small", "--to", url)
        host.join(30)
    scene.check_failed(ended, 99, "speaks NDMP version 3; version 4 is needed", step="write side: session")
    assert not host.is_alive()
    scene.check_usable()


def test_a_host_that_never_greets(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ndmp://backup@127.0.0.1:{server.getsockname()[1]}/drive"
        ended = scene.duplicate("small", "--to", url, *IMPATIENT)
    scene.check_failed(ended, 54, "does not greet within 3 s", step="write side: session")
    scene.check_usable()


def test_a_write_protected_cartridge(scene: Scene) -> None:
    protect(scene.cartridge, True)
    ended = scene.duplicate()
    scene.check_failed(ended, 168, "WRITE_PROTECT", step="write side: open")
    verified = scene.site.verify(scene.good, scene.target)
    assert verified.code == 0, verified.err
    protect(scene.cartridge, False)
    scene.check_usable()


def protect(cartridge: Path, on: bool) -> None:
    """Set or clear the write-protect flag in the header of a cartridge's index (docs/virtual-tape.md)."""
    with cartridge.with_name(f"{cartridge.name}.index").open("r+b") as index:
        header = bytearray(index.read(60))
        header[15] = 1 if on else 0
        index.seek(0)
        index.write(header + zlib.crc32(header).to_bytes(4))


def test_a_drive_that_another_job_holds(scene: Scene) -> None:
    scene.add_image("big", BIG)
    other = scene.start()
    other.wait_for("write side: session: NDMP version 4")
    scene.appliance.pause()
    other.wait_for("read side: session")  # the drive is open now, and stays so
    holder = scene.appliance
    scene.appliance = scene.start_appliance()
    began = time.monotonic()
    ended = scene.duplicate("small", "--mount-timeout", "1")
    scene.check_failed(ended, 83, "DEVICE_BUSY", step="write side: mount")
    assert time.monotonic() - began < 15

    waiting = scene.start("small", "--mount-timeout", "25")
    waiting.wait_for("write side: mount")
    other.send(signal.SIGINT)
    holder.resume()
    assert other.end().code == 130
    assert waiting.end().code == 0
    scene.good.append(waiting.end().document["jobs"][0]["copy"])
    scene.check_usable(cut_back=False)


# -- a full tape -------------------------------------------------------------------------------------------------------


def test_a_full_tape(tmp_path: Path) -> None:
    """One image does not fit at all; one ends where the early warning begins; its third fragment makes another full."""
    with site_in(tmp_path) as site:
        unit = tmp_path / "unit"
        (unit / "parts").mkdir(parents=True)
        for name in "abc":
            (unit / "parts" / name).write_bytes(name.encode() * 400_000)
        (unit / "large").write_bytes(b"l" * 5_000_000)
        (unit / "warned").write_bytes(b"w" * 950_000)
        (unit / "small").write_bytes(b"s" * 100_000)
        cartridge = f"virtual:{tmp_path / 'ND0001'}?capacity=1200000&early_warning=200000"
        host = site.serve("--lsu", f"lsu={unit}", "--tape", f"drive={cartridge}")
        copies = []
        for number, image in enumerate(("large", "warned", "parts"), 1):
            good = site.duplicate("small", source=host.url("lsu"), target=host.url("drive"))
            assert good.code == 0, good.err
            copies.append(good.document["jobs"][0]["copy"])
            alone = ("--no-span",)
            ended = site.duplicate(image, source=host.url("lsu"), target=host.url("drive"), options=alone)
            assert ended.code == 1, image
            (job,) = ended.document["jobs"]
            assert (job["status"], job["step"]) == (166, "move data"), (image, ended.err)
            assert "the tape is full" in job["reason"]
            assert job["reason"] in ended.err
            with Catalog(site.catalog) as catalog:
                assert catalog.job(job["job"]).status == 166
                # A first fragment that is whole can be gone on with; what was not is cut back.
                left = CopyState.INCOMPLETE if image == "parts" else CopyState.FAILED
                assert catalog.copy(job["copy"]).state is left
                numbers = [catalog.copy(copy).fragments[0].file_sequence for copy in copies]
            assert numbers == [*range(1, number + 1)]
        verified = site.verify(copies, host.url("drive"))
        assert verified.code == 0, verified.err
        host.wait_until_idle()


# -- a host is killed --------------------------------------------------------------------------------------------------


def test_the_tape_server_is_killed_before_the_data_flows(scene: Scene) -> None:
    """The header is written, the mover listens, and the appliance is asked for a session."""
    scene.add_image("big", BIG)
    job = scene.start()
    job.wait_for("write side: session: NDMP version 4")
    scene.appliance.pause()
    job.wait_for("read side: session")
    scene.tape.kill()
    scene.appliance.resume()
    ended = job.end()
    scene.check_failed(ended, 40, "tape server", "closed the connection", step="write side: set up mover")
    scene.tape = scene.start_tape()
    scene.check_usable(cut_back=False)


def test_the_appliance_is_killed_before_the_data_flows(scene: Scene) -> None:
    scene.add_image("big", BIG)
    job = scene.start()
    job.wait_for("write side: session: NDMP version 4")
    scene.appliance.pause()
    job.wait_for("read side: session")
    scene.appliance.kill()
    ended = job.end()
    scene.check_failed(ended, 54, str(scene.appliance.port), step="read side: session")
    scene.appliance = scene.start_appliance()
    scene.check_usable()


def test_the_tape_server_is_killed_while_data_flows(scene: Scene) -> None:
    scene.add_image("big", BIG)
    job = scene.start()
    scene.wait_until_data_flows()
    scene.tape.kill()
    scene.check_failed(job.end(), 40, "tape server", str(scene.tape.port), step="move data")
    scene.tape = scene.start_tape()
    scene.check_usable(cut_back=False)


def test_the_appliance_is_killed_while_data_flows(scene: Scene) -> None:
    scene.add_image("big", BIG)
    job = scene.start()
    scene.wait_until_data_flows()
    scene.appliance.kill()
    scene.check_failed(job.end(), 40, "appliance", str(scene.appliance.port), step="move data")
    scene.appliance = scene.start_appliance()
    scene.check_usable()


def test_the_tape_server_is_killed_during_validation(scene: Scene) -> None:
    scene.add_image("long", 1 << 29)
    job = scene.start("long", "--digest", "sha256")
    job.wait_for("the tape host reads the tape")
    scene.tape.kill()
    document = scene.check_failed(job.end(), 40, str(scene.tape.port), step="validate")
    scene.tape = scene.start_tape()
    # The copy is whole on tape; only its validation failed. It keeps its place, and can be verified later.
    verified = scene.site.verify([document["copy"]], scene.target)
    assert verified.code == 0, verified.err
    scene.good.append(document["copy"])
    scene.check_usable(cut_back=False)


def test_the_appliance_is_killed_during_validation(scene: Scene) -> None:
    """Nobody needs it any more."""
    scene.add_image("long", 1 << 29)
    job = scene.start("long", "--digest", "sha256")
    job.wait_for("the tape host reads the tape")
    scene.appliance.kill()
    ended = job.end()
    assert ended.code == 0, ended.err
    scene.good.append(ended.document["jobs"][0]["copy"])
    scene.appliance = scene.start_appliance()
    scene.check_usable(cut_back=False)


# -- a host stops answering --------------------------------------------------------------------------------------------


def test_the_tape_server_stops_answering(scene: Scene) -> None:
    scene.add_image("big", BIG)
    began = time.monotonic()
    job = scene.start("big", *IMPATIENT)
    scene.wait_until_data_flows()
    scene.tape.pause()
    ended = job.end()
    scene.check_failed(ended, 41, str(scene.tape.port), "no answer", step="move data")
    assert time.monotonic() - began < 15
    assert "cutting the volume back" not in ended.err, "a host that does not answer is asked again"
    scene.tape.resume()
    scene.check_usable(cut_back=False)


def test_the_appliance_stops_answering(scene: Scene) -> None:
    """The tape server has longer to answer than data may stand still: only the latter is under test."""
    scene.add_image("big", BIG)
    job = scene.start("big", *IMPATIENT, "--request-timeout", "8")
    scene.wait_until_data_flows()
    scene.appliance.pause()
    ended = job.end()
    scene.check_failed(ended, 41, "no data moved for 2 s", step="move data")
    scene.appliance.resume()
    scene.check_usable()


# -- the image changes -------------------------------------------------------------------------------------------------


def test_an_image_that_is_written_while_it_is_read(scene: Scene) -> None:
    image = scene.unit / "live"
    image.write_bytes(b"")
    os.truncate(image, 1 << 30)
    job = scene.start("live", "--digest", "sha256")
    scene.wait_until_data_flows()
    scene.appliance.pause()
    with image.open("r+b") as file:
        file.write(b"a change at the beginning, which is on tape already")
    scene.appliance.resume()
    scene.check_failed(job.end(), 13, "appliance", "changed while it was copied", step="move data")
    scene.check_usable()


def test_an_image_that_becomes_shorter(scene: Scene) -> None:
    image = scene.unit / "live"
    image.write_bytes(b"")
    os.truncate(image, BIG)
    job = scene.start("live")
    scene.wait_until_data_flows()
    os.truncate(image, 1)
    scene.check_failed(job.end(), 13, "appliance", step="move data")
    scene.check_usable()


# -- the job itself ends -----------------------------------------------------------------------------------------------


def test_ctrl_c_while_data_flows(scene: Scene) -> None:
    scene.add_image("big", BIG)
    job = scene.start()
    scene.wait_until_data_flows()
    job.send(signal.SIGINT)
    ended = job.end()
    assert ended.code == 130, ended.err
    assert "cancelled" in ended.err
    assert ended.document == {"jobs": [], "status": 150, "success": False, "interrupted": True}
    scene.check_listed(scene.last_job(), "cancelled", 150, "move data")
    scene.check_usable()


def test_the_job_is_killed_while_data_flows(scene: Scene) -> None:
    scene.add_image("big", BIG)
    job = scene.start()
    scene.wait_until_data_flows()
    scene.appliance.pause()  # so that the flow lasts until the record has a number
    number = scene.last_job()
    wait_for_progress(scene.site, number)
    job.send(signal.SIGKILL)
    assert job.end().code == -signal.SIGKILL
    scene.appliance.resume()
    recorded = scene.check_listed(number, "died", None, "move data", str(BIG))
    assert recorded["step"] == "move data"
    assert 0 < recorded["bytes_moved"] < BIG
    assert str(recorded["bytes_moved"]) in recorded["reason"]
    scene.tape.wait_until_idle()
    tap = scene.site.folder / "after-a-kill.tap"
    assert scene.site.run("tape", f"virtual:{scene.cartridge}", "export", tap).code == 0
    *_, block, mark = read_tap(tap)
    assert block is not None
    assert (len(block), mark) == (65_536, None), "the host ends what a lost job wrote with a filemark"
    scene.check_usable(cut_back=False)


def wait_for_progress(site: Site, number: int) -> None:
    """Wait until the catalog says that bytes were moved."""
    with Catalog(site.catalog) as catalog:
        wait_until(lambda: catalog.job(number).bytes_moved > 0, "the catalog knows of progress")
