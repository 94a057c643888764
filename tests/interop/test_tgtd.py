"""tgtd's tape and changer over iSCSI: by the commands for people, and served to a whole duplication."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import SECRET, Ended, Site
from tests.interop.sites import site_within
from tests.kernel.tgt import TARGET, TgtLibrary, tgt_library
from tests.peers import Namespace
from tests.scsi.deviations import SERVED_DEVIATIONS


@pytest.fixture
def tgtd(namespace: Namespace, tmp_path: Path) -> Iterator[TgtLibrary]:
    """Two tapes in the first slots, an empty drive."""
    folder = tmp_path / "tgtd"
    folder.mkdir()
    with tgt_library(namespace, folder) as library:
        yield library


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    with site_within(namespace, folder) as made:
        yield made


TAPES = tuple(f"A{number:07d}L3" for number in range(40))


def test_contracts(namespace: Namespace, tmp_path: Path) -> None:
    """What is expected to fail is in tests/scsi/deviations.py, with the reason."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/interop/tgtd_contracts.py"]
    with tgt_library(namespace, tmp_path, barcodes=TAPES, tape_mib=4) as library:
        devices = {"NDMPDUP_DRIVE": library.drive_url, "NDMPDUP_CHANGER": library.changer_url}
        environment = {**os.environ, **devices, "NDMPDUP_TAPES": ",".join(TAPES)}
        done = namespace.run(command, check=False, env=environment, cwd=Path(__file__).parents[2], timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(SERVED_DEVIATIONS)} xfailed" in done.stdout, done.stdout


def well(ended: Ended) -> Ended:
    """The same command if it succeeded."""
    assert (ended.code, ended.err) == (0, ""), ended
    return ended


def test_inventory_and_moves(site: Site, tgtd: TgtLibrary) -> None:
    """Numbers as mtx has them: drives from 0, slots from 1 by their addresses, import/export elements behind."""
    robot = ("changer", tgtd.changer_url)
    found = site.ask(*robot, "inventory")
    assert found["changer"] == {"vendor": "HP", "product": "MSL G3 Series", "revision": "3.00"}
    elements = {element["place"]: element for element in found["elements"]}
    assert (elements["drive0"]["address"], elements["drive0"]["full"]) == (2, False)
    assert [(elements[n]["address"], elements[n]["barcode"]) for n in ("1", "2", "3")] == [
        (1000, "A0000001L3"),
        (1001, "A0000002L3"),
        (1002, None),
    ]
    last = found["elements"][-1]
    assert (last["kind"], last["address"], last["full"]) == ("import/export", 900, False)
    assert site.ask(*robot, "load", "A0000002L3") == {"moves": [{"barcode": "A0000002L3", "from": "2", "to": "drive0"}]}
    assert site.ask(*robot, "load", "1", "0", "--tape", tgtd.drive_url)["moves"] == [
        {"barcode": "A0000002L3", "from": "drive0", "to": "2"},
        {"barcode": "A0000001L3", "from": "1", "to": "drive0"},
    ]
    rows = [line.split() for line in well(site.run(*robot, "inventory")).out.splitlines()]
    assert ["drive0", "drive", "2", "full", "A0000001L3", "1"] in rows
    assert ["1", "slot", "1000", "empty"] in rows
    assert well(site.run(*robot, "unload", "A0000001L3", "--to", last["place"])).out.split() == (
        ["A0000001L3:", "drive0", "->", last["place"]]
    )
    refused = site.run(*robot, "unload")
    assert refused.code == 1
    assert "no cartridge" in refused.err


def test_a_drive_by_hand(site: Site, tgtd: TgtLibrary, tmp_path: Path) -> None:
    well(site.run("changer", tgtd.changer_url, "load", "1", "--tape", tgtd.drive_url))
    tape = ("tape", tgtd.drive_url)
    assert site.ask(*tape, "inquiry") == {
        "type": "tape",
        "vendor": "HP",
        "product": "Ultrium 3-SCSI",
        "revision": "D21W",
        "serial": "HU012345AB",
    }
    status = site.ask(*tape, "status")
    assert status["loaded"]
    assert status["tape"]["position"] is None, "tgtd does not tell where its tape stands"
    unknown = site.run(*tape, "space", "blocks", "1")
    assert unknown.code == 1
    assert "not known" in unknown.err
    body = hashlib.shake_128(b"tape").digest(200_000)
    (tmp_path / "in").write_bytes(body)
    done = site.ask(*tape, "write", "--from", tmp_path / "in", "--at", "0", "--block-size", "65536")
    assert (done["blocks"], done["bytes"], done["position"]["object"]) == (4, 200_000, 5)
    assert site.run(*tape, "write", "--from", tmp_path / "in", "--at", "0").code == 2, "there are data"
    assert site.ask(*tape, "read", "--at", "0", "--to", tmp_path / "out")["stop"] == "filemark"
    assert (tmp_path / "out").read_bytes() == body
    moved = site.ask(*tape, "space", "filemarks", "1", "--at", "0")
    assert (moved["not_passed"], moved["position"]["object"], moved["position"]["file"]) == (0, 5, 1)


def test_a_duplication(site: Site, tgtd: TgtLibrary, tmp_path: Path) -> None:
    """The image is read back from tgtd's tape by our host, and validated; the changer is served beside it."""
    unit = tmp_path / "unit"
    unit.mkdir()
    (unit / "image").write_bytes(hashlib.shake_128(b"image").digest(3_000_001))
    well(site.run("changer", tgtd.changer_url, "load", "1", "--tape", tgtd.drive_url))
    appliance = site.serve("--lsu", f"lsu={unit}")
    server = site.serve("--tape", f"drive={tgtd.drive_url}", "--changer", f"robot={tgtd.changer_url}")
    (tape,) = site.ask("probe", server.url(""), "--password-file", site.password)["tapes"]
    serial = {"SERIAL_NUMBER": "HU012345AB"}
    assert tape == {"name": "drive", "model": "HP Ultrium 3-SCSI", "capabilities": serial}
    ended = site.duplicate("image", source=appliance.url("lsu"), target=server.url("drive"))
    assert ended.code == 0, ended.err
    (job,) = ended.document["jobs"]
    assert (job["status"], job["validated"], job["bytes"]) == (0, True, 3_000_001)
    assert site.verify([job["copy"]], server.url("drive")).code == 0
    assert "Traceback" not in server.log


def test_volumes_come_and_go(site: Site, namespace: Namespace, tmp_path: Path) -> None:
    """By the robot of tgtd's library, which our host serves with its drive."""
    folder = tmp_path / "named"
    folder.mkdir()
    with tgt_library(namespace, folder, barcodes=("RV0001L3", "RV0002L3")) as tgtd:
        server = site.serve("--tape", f"drive={tgtd.drive_url}", "--changer", f"robot={tgtd.changer_url}")
        words = (SECRET, "10", server.url("robot"), server.url("drive"))
        steps = ("mount:0:RV0001", "mount:0:RV0002", "mount:0:RV0002", "mount:0:RV0009", "dismount:0", "inventory")
        done = namespace.run([sys.executable, "-m", "tests.interop.mounting", *words, *steps])
        *mounts, missing, dismounted, inventory = json.loads(done.stdout)
    assert [each["status"] for each in (*mounts, missing, dismounted)] == [0, 0, 0, 96, 0], done.stdout
    assert mounts[1]["notes"] == [
        "RV0001L3 was carried from drive 2 to slot 1000",
        "RV0002L3 was carried from slot 1001 to drive 2",
        "volume RV0002 is in drive d0",
    ]
    assert mounts[2]["notes"] == ["volume RV0002 is in drive d0"]
    assert inventory == {"1000": "RV0001L3", "1001": "RV0002L3"}
    assert "Traceback" not in server.log


def test_what_cannot_be_served(site: Site, tgtd: TgtLibrary) -> None:
    """Said at the start, in words."""
    portal = f"iscsi://127.0.0.1:3260/{TARGET}"
    for offer, words in (
        (("--tape", f"d={tgtd.changer_url}"), "is no tape"),
        (("--changer", f"d={tgtd.drive_url}"), "is no changer"),
        (("--tape", f"d={portal}x/1"), "Target not found"),
        (("--tape", "d=iscsi://127.0.0.1:1/iqn.2026-11.test:x/1"), "127.0.0.1:1"),
    ):
        ended = site.run("serve", "--user", "u", "--password-file", site.password, "--listen", "127.0.0.1:0", *offer)
        assert ended.code != 0
        assert words in ended.err
        assert "Traceback" not in ended.err
