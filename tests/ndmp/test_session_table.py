"""Which request is answered how in which situation: sections 3.1 to 3.6 of the draft and docs/fse.md section 4."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ndmp.enums import (
    AddressType,
    AuthType,
    CdbFlag,
    DigestAlgorithm,
    Error,
    FileDisposition,
    MoverMode,
    TapeOpenMode,
    TapeOperation,
)
from ndmp.messages import config as c
from ndmp.messages import connect as n
from ndmp.messages import data as d
from ndmp.messages import echo as e
from ndmp.messages import mover as m
from ndmp.messages import scsi as s
from ndmp.messages import snapshot as x
from ndmp.messages import tape as t
from ndmp.messages.extensions import fse as f
from ndmp.services.profile import NDMJOB
from ndmp.wire import REQUESTS, Request
from tests.ndmp import hexes
from tests.ndmp.driver import LOGIN, ONES, PEER, SITUATIONS, Driver
from tests.ndmp.fakes import host
from tests.ndmp.fakes_scsi import MemoryChanger

NONE = DigestAlgorithm.NONE
REQUEST: dict[str, Request[Any]] = {
    "connect_open": n.ConnectOpen(4),
    "connect_open_5": n.ConnectOpen(5),
    "client_auth": LOGIN,
    "server_auth": n.ConnectServerAuth(n.AuthTextAttributes()),
    "host_info": c.ConfigGetHostInfo(),
    "server_info": c.ConfigGetServerInfo(),
    "connection_type": c.ConfigGetConnectionType(),
    "auth_attr": c.ConfigGetAuthAttr(AuthType.MD5),
    "auth_attr_none": c.ConfigGetAuthAttr(AuthType.NONE),
    "tape_info": c.ConfigGetTapeInfo(),
    "get_ext_list": c.ConfigGetExtList(),
    "set_ext_list": c.ConfigSetExtList(()),
    "echo": e.TestEcho("hi"),
    "tape_open": t.TapeOpen("t2", TapeOpenMode.RDWR),
    "tape_close": t.TapeClose(),
    "tape_state": t.TapeGetState(),
    "rewind": t.TapeMtio(TapeOperation.REW, 1),
    "tur": t.TapeMtio(TapeOperation.TUR, 1),
    "filemark": t.TapeMtio(TapeOperation.EOF, 1),
    "mtio_8": t.TapeMtio(TapeOperation(8), 1),
    "tape_write": t.TapeWrite(b"block"),
    "tape_read": t.TapeRead(512),
    "tape_read_2g": t.TapeRead(0x80000000),
    "execute_cdb": t.TapeExecuteCdb(CdbFlag.DATA_IN, 0, 36, bytes(6), b""),
    "mover_state": m.MoverGetState(),
    "record_size": m.MoverSetRecordSize(512),
    "record_size_0": m.MoverSetRecordSize(0),
    "window": m.MoverSetWindow(0, 1024),
    "window_0": m.MoverSetWindow(0, 0),
    "window_over": m.MoverSetWindow(512, ONES),
    "window_past": m.MoverSetWindow(512, ONES - 1),
    "listen_read": m.MoverListen(MoverMode.READ, AddressType.TCP),
    "listen_write": m.MoverListen(MoverMode.WRITE, AddressType.TCP),
    "listen_mode_2": m.MoverListen(MoverMode.NOACTION, AddressType.TCP),
    "listen_local": m.MoverListen(MoverMode.READ, AddressType.LOCAL),
    "connect_read": m.MoverConnect(MoverMode.READ, PEER),
    "connect_write": m.MoverConnect(MoverMode.WRITE, PEER),
    "connect_local": m.MoverConnect(MoverMode.READ, m.LocalAddress()),
    "connect_nowhere": m.MoverConnect(MoverMode.READ, m.TcpAddresses(())),
    "continue": m.MoverContinue(),
    "mover_read": m.MoverRead(0, ONES),
    "mover_read_0": m.MoverRead(0, 0),
    "mover_close": m.MoverClose(),
    "mover_abort": m.MoverAbort(),
    "mover_stop": m.MoverStop(),
    "fse_info": f.FseGetInfo(),
    "units": f.FseListUnits(),
    "images": f.FseListImages("u", "", 10),
    "images_0": f.FseListImages("u", "", 0),
    "image": f.FseGetImage("u", "img"),
    "open_read": f.FseOpenRead("u", "img", 0, NONE),
    "open_write": f.FseOpenWrite("u", "other", 0, "", 5, NONE),
    "fse_close": f.FseClose(FileDisposition.DISCARD),
    "fse_state": f.FseGetState(),
    "commit": f.FseCommitImage("u", "none", 1),
    "discard": f.FseDiscardImage("u", "none"),
    "remove": f.FseRemoveImage("u", "img"),
    "digest_start": f.FseTapeDigestStart(DigestAlgorithm.SHA256, 10, 512),
    "digest_state": f.FseTapeDigestGetState(),
    "digest_abort": f.FseTapeDigestAbort(),
    "digest_continue": f.FseTapeDigestContinue(10, 512),
}
UNSERVED: dict[str, Request[Any]] = {
    "butype_info": c.ConfigGetButypeInfo(),
    "fs_info": c.ConfigGetFsInfo(),
    "scsi_info": c.ConfigGetScsiInfo(),
    "scsi_open": s.ScsiOpen("t"),
    "scsi_close": s.ScsiClose(),
    "scsi_state": s.ScsiGetState(),
    "scsi_reset": s.ScsiResetDevice(),
    "scsi_cdb": s.ScsiExecuteCdb(CdbFlag.DATA_IN, 0, 36, bytes(6), b""),
    "data_state": d.DataGetState(),
    "data_listen": d.DataListen(AddressType.TCP),
    "data_connect": d.DataConnect(PEER),
    "backup": d.DataStartBackup("dump", ()),
    "recover": d.DataStartRecover((), (), "dump"),
    "recover_fh": d.DataStartRecoverFilehist((), (), "dump"),
    "data_abort": d.DataAbort(),
    "data_env": d.DataGetEnv(),
    "data_stop": d.DataStop(),
    "snap_create": x.SnapshotCreate("/", "s"),
    "snap_delete": x.SnapshotDelete("s"),
}
"""What no host of ours serves."""
REQUEST |= UNSERVED

STRICT_TABLE = """
                new login readable writable listen active sending paused halted file newfile digest digested
connect_open      0    19       19       19     19     19      19     19     19   19      19     19       19
connect_open_5    9    19       19       19     19     19      19     19     19   19      19     19       19
client_auth       0     0        0        0      0      0       0      0      0    0       0      0        0
server_auth       4     1        1        1      1      1       1      1      1    1       1      1        1
host_info         4     0        0        0      0      0       0      0      0    0       0      0        0
server_info       0     0        0        0      0      0       0      0      0    0       0      0        0
connection_type   4     0        0        0      0      0       0      0      0    0       0      0        0
auth_attr         0     0        0        0      0      0       0      0      0    0       0      0        0
auth_attr_none    9     9        9        9      9      9       9      9      9    9       9      9        9
tape_info         4     0        0        0      0      0       0      0      0    0       0      0        0
get_ext_list      4     0        0        0      0      0       0      0      0   30      30     30       30
set_ext_list      4    26       26       26     26     26      26     26     26   30      30     30       30
echo              4     0        0        0      0      0       0      0      0    0       0      0        0
tape_open         4     0        3        3      3      3       3      3      3    3       3      3        3
tape_close        4     6        0        0      2      2       2      0      0    6       6      2        0
tape_state        4     6        0        0      0      0       0      0      0    6       6      0        0
rewind            4     6        0        0      0      2       2      0      0    6       6      2        0
tur               4     6        0        0      0      2       2      0      0    6       6      2        0
filemark          4     6        5        0      0      2       2      0      0    6       6      2        0
mtio_8            4     6        9        9      9      2       2      9      9    6       6      2        9
tape_write        4     6        5        0      2      2       2      0      0    6       6      2        0
tape_read         4     6       13       13      2      2       2     13     13    6       6      2       13
tape_read_2g      4     6        9        9      2      2       2      9      9    6       6      2        9
execute_cdb       4     6        0        0      0      2       2      0      0    6       6      2        0
mover_state       4     0        0        0      0      0       0      0      0    0       0      0        0
record_size       4     0        0        0     19     19      19     19     19    0       0      0        0
record_size_0     4     9        9        9     19     19      19     19     19    9       9      9        9
window            4    26        0        0     19     19      19      0     19    0       0      0        0
window_0          4    26        9        9     19     19      19      9     19    9       9      9        9
window_over       4    26        9        9     19     19      19      9     19    9       9      9        9
window_past       4    26        9        9     19     19      19      9     19    9       9      9        9
listen_read       4     6        5        0     19     19      19     19     19    5       0      2        0
listen_write      4     6        0        0     19     19      19     19     19    0       5      2        0
listen_mode_2     4     9        9        9      9      9       9      9      9    9       9      9        9
listen_local      4     9        9        9      9      9       9      9      9    9       9      9        9
connect_read      4     6        5        0     19     19      19     19     19    5       0      2        0
connect_write     4     6        0        0     19     19      19     19     19    0       5      2        0
connect_local     4     9        9        9      9      9       9      9      9    9       9      9        9
connect_nowhere   4     9        9        9      9      9       9      9      9    9       9      9        9
continue          4    19       19       19     19     19      19     26     19   19      19     19       19
mover_read        4    19       19       19     19     19       0     19     19   19      19     19       19
mover_read_0      4    19       19       19     19     19       9     19     19   19      19     19       19
mover_close       4    19       19       19     19     19      19      0     19   19      19     19       19
mover_abort       4    19       19       19      0      0       0      0      0   19      19     19       19
mover_stop        4    19       19       19     19     19      19     19      0   19      19     19       19
fse_info          4     0        0        0      0      0       0      0      0    0       0      0        0
units             4     0        0        0      0      0       0      0      0    0       0      0        0
images            4     0        0        0      0      0       0      0      0    0       0      0        0
images_0          4     9        9        9      9      9       9      9      9    9       9      9        9
image             4     0        0        0      0      0       0      0      0    0       0      0        0
open_read         4     0        3        3      3      3       3      3      3    3       3      3        3
open_write        4     0        3        3      3      3       3      3      3    3       3      3        3
fse_close         4     6        6        6      6      6       6      6      6    0       0      6        6
fse_state         4     6        6        6      6      6       6      6      6    0       0      6        6
commit            4    14       14       14     14     14      14     14     14    3       3     14       14
discard           4     0        0        0      0      0       0      0      0    3       3      0        0
remove            4     0        0        0      0      0       0      0      0    3       3      0        0
digest_start      4     6        0        0     19     19      19     19     19    6       6     19        0
digest_state      4     0        0        0      0      0       0      0      0    0       0      0        0
digest_abort      4    19       19       19     19     19      19     19     19   19      19      0       19
digest_continue   4     6       19       19     19     19      19     19     19    6       6     19        0
butype_info       4     1        1        1      1      1       1      1      1    1       1      1        1
fs_info           4     1        1        1      1      1       1      1      1    1       1      1        1
scsi_info         4     1        1        1      1      1       1      1      1    1       1      1        1
scsi_open         4     1        1        1      1      1       1      1      1    1       1      1        1
scsi_close        4     1        1        1      1      1       1      1      1    1       1      1        1
scsi_state        4     1        1        1      1      1       1      1      1    1       1      1        1
scsi_reset        4     1        1        1      1      1       1      1      1    1       1      1        1
scsi_cdb          4     1        1        1      1      1       1      1      1    1       1      1        1
data_state        4     1        1        1      1      1       1      1      1    1       1      1        1
data_listen       4     1        1        1      1      1       1      1      1    1       1      1        1
data_connect      4     1        1        1      1      1       1      1      1    1       1      1        1
backup            4     1        1        1      1      1       1      1      1    1       1      1        1
recover           4     1        1        1      1      1       1      1      1    1       1      1        1
recover_fh        4     1        1        1      1      1       1      1      1    1       1      1        1
data_abort        4     1        1        1      1      1       1      1      1    1       1      1        1
data_env          4     1        1        1      1      1       1      1      1    1       1      1        1
data_stop         4     1        1        1      1      1       1      1      1    1       1      1        1
snap_create       4     1        1        1      1      1       1      1      1    1       1      1        1
snap_delete       4     1        1        1      1      1       1      1      1    1       1      1        1
"""
"""Numbers are errors of draft 2.8.1."""

NDMJOB_TABLE = """
                login readable writable paused halted
record_size_0       9        9        9     19     19
window              0        0        0      0     19
window_0            0        0        0      0     19
window_over         0        0        0      0     19
window_past         9        9        9      9     19
listen_read         6        5        0     19     19
continue           19       19       19     26     19
mover_abort        19       19       19      0      0
"""
"""Where the profile of ndmjob's conformance test differs, and what stays."""


CHANGER_TABLE = """
                new login readable listen active paused file changer bytape
scsi_info         4     0        0      0      0      0    0       0      0
open_changer      4     0        3      3      3      3    3       3      3
open_tape         4     0        3      3      3      3    3       3      3
open_nothing      4    16        3      3      3      3    3       3      3
scsi_close        4     6        6      6      6      6    6       0      0
scsi_state        4     6        6      6      6      6    6       0      1
scsi_reset        4     6        6      6      6      6    6       0      1
scsi_cdb          4     6        6      6      6      6    6       0      0
scsi_cdb_0        4     6        6      6      6      6    6       9      9
tape_open         4     0        3      3      3      3    3       3      3
tape_close        4     6        0      2      2      0    6       6      6
execute_cdb       4     6        0      0      2      0    6       6      6
open_read         4     0        3      3      3      3    3       3      3
listen_read       4     6        5     19     19     19    5       6      6
continue          4    19       19     19     19     26   19      19     19
"""
"""A host with a changer "c" as well; "bytape" has opened a tape drive by SCSI_OPEN."""
CHANGER_REQUEST: dict[str, Request[Any]] = REQUEST | {
    "open_changer": s.ScsiOpen("c"),
    "open_tape": s.ScsiOpen("t2"),
    "open_nothing": s.ScsiOpen("bogus"),
    "scsi_cdb_0": s.ScsiExecuteCdb(CdbFlag.DATA_IN, 0, 36, b"", b""),
}
CHANGER_SITUATIONS: dict[str, tuple[Any, ...]] = SITUATIONS | {
    "changer": (LOGIN, m.MoverSetRecordSize(512), m.MoverSetWindow(0, ONES), s.ScsiOpen("c")),
    "bytape": (LOGIN, m.MoverSetRecordSize(512), m.MoverSetWindow(0, ONES), s.ScsiOpen("t")),
}


def columns(text: str) -> dict[str, dict[str, int]]:
    """Situation to request to error."""
    head, *lines = (line.split() for line in text.strip().splitlines())
    return {situation: {line[0]: int(line[1 + index]) for line in lines} for index, situation in enumerate(head)}


def test_the_table_holds_every_request_and_situation() -> None:
    table = columns(STRICT_TABLE)
    assert table.keys() == SITUATIONS.keys()
    assert set(table["new"]) == REQUEST.keys()
    tested = {type(request) for request in REQUEST.values()}
    assert set(REQUESTS.values()) - tested == {n.ConnectClose, e.TestEcho2}, "these have tests of their own"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_errors(situation: str) -> None:
    for name, expected in columns(STRICT_TABLE)[situation].items():
        driver = Driver().go(*SITUATIONS[situation])
        assert driver.error(REQUEST[name]) == expected, name


@pytest.mark.parametrize("situation", columns(NDMJOB_TABLE))
def test_errors_in_the_profile_of_ndmjob(situation: str) -> None:
    for name, expected in columns(NDMJOB_TABLE)[situation].items():
        driver = Driver(profile=NDMJOB).go(*SITUATIONS[situation])
        assert driver.error(REQUEST[name]) == expected, name


@pytest.mark.parametrize("situation", columns(CHANGER_TABLE))
def test_errors_of_a_host_with_a_changer(situation: str) -> None:
    for name, expected in columns(CHANGER_TABLE)[situation].items():
        driver = with_changer().go(*CHANGER_SITUATIONS[situation])
        assert driver.error(CHANGER_REQUEST[name]) == expected, name


def with_changer() -> Driver:
    """A session on a host with a changer, whose movers can be made to report."""
    made, _, _, movers = host()
    driver = Driver(replace(made, changers={"c": MemoryChanger()}))
    driver.movers = movers
    return driver


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_refusal_changes_nothing(situation: str) -> None:
    """After each refused request the next valid ones are answered as if it had not been sent."""
    refused = [name for name, error in columns(STRICT_TABLE)[situation].items() if error]
    driver = Driver().go(*SITUATIONS[situation])
    expected = columns(STRICT_TABLE)[situation]
    posts = len(driver.posts)
    for name in refused:
        assert driver.error(REQUEST[name]) == expected[name], name
    assert len(driver.posts) == posts, "a refused request posts nothing"
    fresh = Driver().go(*SITUATIONS[situation])
    if situation != "new":
        assert driver.ask(m.MoverGetState()) == fresh.ask(m.MoverGetState())
    assert driver.tape.tape == fresh.tape.tape


def test_every_registered_request_is_answered_in_every_situation() -> None:
    """Also one request after the other, whatever they change: an answer that decodes, and never UNDEFINED."""
    for situation, steps in SITUATIONS.items():
        driver = Driver().go(*steps)
        for name, request in REQUEST.items():
            answered = driver.reply(request)
            assert answered.message or answered.header.error, (situation, name)
            assert driver.error(request) != Error.UNDEFINED, (situation, name)


def test_what_the_host_does_not_serve_is_refused_in_the_header() -> None:
    stranger, known = Driver(), Driver().go(LOGIN)
    for name, request in UNSERVED.items():
        for driver, error in ((stranger, Error.NOT_AUTHORIZED), (known, Error.NOT_SUPPORTED)):
            answered = driver.reply(request)
            assert (answered.message, answered.header.error) == (None, error), name


def test_a_body_that_does_not_decode_is_refused_as_such_whether_served_or_not() -> None:
    for steps, error in (((), Error.NOT_AUTHORIZED), ((LOGIN,), Error.XDR_DECODE)):
        driver = Driver().go(*steps)
        for code in (0x206, 0x300, 0x401):
            (answered,) = driver.exchange(hexes.request(9, code, "00"))
            assert answered.header.error == error, hex(code)
