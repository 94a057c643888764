"""The request daemon: who gets in, what is shown to whom, and what is private."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duplicator.catalog import Job, JobState, Stop
from duplicator.xbsa.client import Service
from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.local_sockets import Deadline, LineError, connect, read_line, send_line
from duplicator.xbsa.settings import Settings
from duplicator.xbsa.wire import FindObjects
from tests.duplicator.processes import wait_until
from tests.duplicator.xbsa.daemon_site import DEADLINE, DaemonSite, content_of, described, site_in
from tests.peers.requirements import lacking

SOON = 20.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonSite]:
    with site_in(tmp_path_factory.mktemp("site")) as site:
        site.start()
        yield site


@pytest.fixture(autouse=True)
def nothing_left(site: DaemonSite) -> Iterator[None]:
    yield
    site.audit()


def ask(folder: Path, line: bytes) -> Any:  # noqa: ANN401
    """The daemon's answer to a line that is written out here."""
    with connect(folder / "request", seconds=SOON) as stream:
        send_line(stream, line + b"\n", deadline=Deadline(SOON))
        return json.loads(read_line(stream, deadline=Deadline(SOON))[0])


def mode(path: Path) -> int:
    """Permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


def started(site: DaemonSite) -> tuple[Path, str]:
    """A backup stream that waits for its application: folder and token."""
    answer = ask(site.place, b'{"is": "StartBackup", "host": "client1"}')
    assert answer["is"] == "StreamStarted"
    folder = Path(answer["folder"])
    wait_until(lambda: b"sockets" in (folder / "progress").read_bytes(), "the stream listens", deadline=DEADLINE)
    return folder, answer["token"]


def attach(folder: Path, token: str) -> socket.socket:
    """A connection to the name socket that has said Attach."""
    stream = connect(folder / "name", seconds=SOON)
    send_line(stream, json.dumps({"is": "Attach", "token": token}).encode() + b"\n", deadline=Deadline(SOON))
    return stream


def heard(stream: socket.socket) -> Any:  # noqa: ANN401
    """What comes next there."""
    return json.loads(read_line(stream, deadline=Deadline(SOON))[0])


def begin_object(stream: socket.socket) -> Any:  # noqa: ANN401
    """An object that was begun."""
    descriptor = {"bsa_owner": "", "app_owner": "", "space": "", "path": "/x", "copy_type": 3, "object_type": 4}
    more = {"resource_type": "t", "description": "", "info": "", "estimated_size": 1}
    line = json.dumps({"is": "BeginObject", "descriptor": descriptor | more}).encode() + b"\n"
    send_line(stream, line, deadline=Deadline(SOON))
    return heard(stream)


def test_everything_is_the_owners_alone(site: DaemonSite) -> None:
    folder, token = started(site)
    assert mode(site.run) == mode(site.place) == mode(folder) == 0o700
    for socket_file in (site.place / "request", folder / "name", folder / "data"):
        assert stat.S_ISSOCK(socket_file.lstat().st_mode)
        assert mode(socket_file) == 0o600
    assert mode(folder / "progress") == 0o600
    attach(folder, token).close()


def test_tokens_are_nowhere_to_be_seen(site: DaemonSite) -> None:
    folder, token = started(site)
    with attach(folder, token) as stream:
        begun = begin_object(stream)
        assert begun["is"] == "Begun"
        secrets = [token.encode(), begun["token"].encode()]
        processes = [*site.processes(), site.pid]
        assert len(processes) == 3
        for pid in processes:
            for name in ("cmdline", "environ"):
                shown = Path(f"/proc/{pid}/{name}").read_bytes()
                assert not [each for each in secrets if each in shown]
        for file in (folder / "progress", site.log):
            assert not [each for each in secrets if each in file.read_bytes()]
    site.audit()
    assert not [each for each in secrets if each in site.log.read_bytes()]
    assert not [each for each in secrets if each in (site.folder / "catalog.db").read_bytes()]


def test_a_wrong_token_is_refused_and_does_no_harm(site: DaemonSite) -> None:
    folder, token = started(site)
    for wrong in ("0" * 64, token[:-1] + ("0" if token[-1] != "0" else "1")):
        with attach(folder, wrong) as stream:
            assert heard(stream)["code"] == ReturnCode.AUTHENTICATION_FAILURE
    with attach(folder, "nonsense") as stream:
        assert heard(stream)["is"] == "Fault"
    with attach(folder, token) as stream:
        assert begin_object(stream)["is"] == "Begun"
        with attach(folder, token) as second:
            answer = heard(second)
            assert (answer["code"], answer["text"]) == (4, "the token is wrong or was used before")


def test_a_wrong_token_on_the_data_socket(site: DaemonSite) -> None:
    folder, token = started(site)
    with attach(folder, token) as stream:
        begun = begin_object(stream)
        for wrong in ("0" * 64, token):
            assert hello(folder, wrong) == b""
        with connect(folder / "data", seconds=SOON) as data:
            send_line(data, b"not json\n", deadline=Deadline(SOON))
            assert data.recv(1) == b""
        assert b'"Channel"' in hello(folder, begun["token"])
        # It was good once: nobody takes this one any more, and in the end it is hung up on.
        with connect(folder / "data", seconds=SOON) as data:
            line = json.dumps({"is": "DataHello", "token": begun["token"], "shared_memory": False}).encode() + b"\n"
            send_line(data, line, deadline=Deadline(SOON))
            stream.close()
            with pytest.raises((LineError, ConnectionResetError)):
                read_line(data, deadline=Deadline(SOON))


def hello(folder: Path, token: str) -> bytes:
    """What the data socket says to this token."""
    with connect(folder / "data", seconds=SOON) as data:
        line = json.dumps({"is": "DataHello", "token": token, "shared_memory": False}).encode() + b"\n"
        send_line(data, line, deadline=Deadline(SOON))
        data.settimeout(SOON)
        return data.recv(1000)


BAD_REQUESTS = (
    b"",
    b"{}",
    b"[]",
    b"not json",
    b'{"is": "Attach", "token": "' + b"0" * 64 + b'"}',
    b'{"is": "StartRestore"}',
    b'{"is": "StartRestore", "copy_id": 0}',
    b'{"is": "StartRestore", "copy_id": 1, "source": "air"}',
    b'{"is": "FindObjects", "limit": 51}',
    b'{"is": "FindObjects", "path": "' + b"x" * (1 << 20) + b'"}',
)


@pytest.mark.parametrize("line", BAD_REQUESTS, ids=lambda line: line[:40].decode())
def test_requests_that_are_none(site: DaemonSite, line: bytes) -> None:
    answer = ask(site.place, line)
    assert (answer["is"], answer["code"]) == ("Fault", ReturnCode.ABORT_SYSTEM_ERROR)


@pytest.mark.parametrize("copy_id", [12345, (1 << 63) + 1])
def test_an_object_that_is_not_there(site: DaemonSite, copy_id: int) -> None:
    with pytest.raises(CallError) as raised:
        site.service.start_restore(copy_id)
    assert raised.value.code == ReturnCode.OBJECT_NOT_FOUND
    with pytest.raises(CallError) as raised:
        site.service.delete((copy_id,))
    assert raised.value.code == ReturnCode.OBJECT_NOT_FOUND


@pytest.mark.parametrize("data", ["shared-memory", "socket"])
def test_there_and_back_and_deleted(site: DaemonSite, data: Any) -> None:  # noqa: ANN401
    service = Service(Settings(site.place, data=data, deadline=SOON, start=SOON), lambda _: None)
    sizes = {"/a": 5_000_001, "/b": 0, "/c": 1}
    stream = service.start_backup("client1", "")
    for path, size in sizes.items():
        stream.begin(described(path, size))
        stream.send(memoryview(content_of(path, size)))
        stream.finish()
    assert service.find(FindObjects()).objects == ()
    stream.commit()
    stream.close()
    found = service.find(FindObjects()).objects
    assert {each.descriptor.path: each.size for each in found} == sizes
    for each in found:
        assert received(service, each.copy_id) == content_of(each.descriptor.path, each.size)
    assert {each.kind for _, places, jobs in service.history("*", 0).entries for each in places if jobs} == {"disk"}
    service.delete(tuple(each.copy_id for each in found))
    assert (service.find(FindObjects()).objects, os.listdir(site.unit)) == ((), [])


def received(service: Service, copy_id: int) -> bytes:
    """An object, by the library."""
    stream = service.start_restore(copy_id)
    whole, buffer, ended = bytearray(), memoryview(bytearray(777_777)), False
    try:
        while not ended:
            count, ended = stream.fill(buffer)
            whole += buffer[:count]
        stream.end()
    finally:
        stream.close()
    return bytes(whole)


def test_data_that_changed_on_the_disk_is_no_object(site: DaemonSite) -> None:
    assert site.application("backup", "/damaged:3000000").outcome()["ok"]
    (found,) = site.service.find(FindObjects(path="/damaged")).objects
    with site.catalog() as catalog:
        file = site.unit / catalog.object(found.copy_id).image / "data"
    with file.open("r+b") as opened:
        opened.seek(1_500_000)
        opened.write(b"?")
    outcome = site.application("restore", str(found.copy_id)).outcome()
    assert (outcome["ok"], outcome["code"]) == (False, ReturnCode.ABORT_SYSTEM_ERROR)
    os.truncate(file, 1_500_000)
    assert not site.application("restore", str(found.copy_id)).outcome()["ok"]
    site.service.delete((found.copy_id,))


def test_an_abort_leaves_nothing(site: DaemonSite) -> None:
    assert site.application("abort", "/aborted:6000000").outcome() == {"ok": True, "committed": False}
    assert os.listdir(site.unit) == []


def test_the_rest_is_not_wanted(site: DaemonSite) -> None:
    assert site.application("backup", "/long:9000000").outcome()["ok"]
    (found,) = site.service.find(FindObjects(path="/long")).objects
    stream = site.service.start_restore(found.copy_id)
    buffer = memoryview(bytearray(1000))
    assert stream.fill(buffer) == (1000, False)
    stream.end()
    with site.catalog() as catalog:
        job = catalog.jobs(limit=1)[0]
    assert (job.state.value, job.bytes_moved) == ("cancelled", 1000)
    assert "did not want the rest" in job.reason
    site.service.delete((found.copy_id,))


def only_job(site: DaemonSite) -> Job:
    """The newest one."""
    with site.catalog() as catalog:
        return catalog.jobs(limit=1)[0]


@pytest.mark.parametrize("stop", list(Stop))
def test_a_backup_that_somebody_cancels(site: DaemonSite, stop: Stop) -> None:
    folder, token = started(site)
    with attach(folder, token) as stream:
        begin_object(stream)
        with site.catalog() as catalog:
            catalog.ask_to_stop(only_job(site).id, stop)
        fault = heard(stream)
    assert (fault["is"], fault["status"]) == ("Fault", 150)
    assert {Stop.CANCEL: "cancelled the job", Stop.SUSPEND: "cannot be gone on with"}[stop] in fault["text"]
    site.audit()
    assert (only_job(site).state, only_job(site).status) == (JobState.CANCELLED, 150)


def test_a_restore_that_somebody_cancels(site: DaemonSite) -> None:
    assert site.application("backup", "/long:9000000").outcome()["ok"]
    (found,) = site.service.find(FindObjects(path="/long")).objects
    stream = site.service.start_restore(found.copy_id)
    buffer = memoryview(bytearray(9_000_000))
    assert stream.fill(buffer[:1000]) == (1000, False)
    with site.catalog() as catalog:
        catalog.ask_to_stop(only_job(site).id, Stop.CANCEL)
    wait_until(lambda: only_job(site).state is JobState.CANCELLED, "the job ends", deadline=DEADLINE)
    with pytest.raises(CallError, match="somebody cancelled the job"):
        stream.fill(buffer)
    stream.close()
    assert only_job(site).status == 150
    site.service.delete((found.copy_id,))


def test_a_restore_that_the_application_aborts(site: DaemonSite) -> None:
    assert site.application("backup", "/long:9000000").outcome()["ok"]
    (found,) = site.service.find(FindObjects(path="/long")).objects
    stream = site.service.start_restore(found.copy_id)
    assert stream.fill(memoryview(bytearray(1000))) == (1000, False)
    stream.abort()
    stream.close()
    wait_until(lambda: only_job(site).state is not JobState.RUNNING, "the job ends", deadline=DEADLINE)
    assert (only_job(site).state, only_job(site).status) == (JobState.CANCELLED, 150)
    assert only_job(site).reason == "the application aborted the restore, after 1000 of 9000000 bytes"
    site.service.delete((found.copy_id,))


def test_the_job_of_several_objects(site: DaemonSite) -> None:
    """Each of them has it in its history, though the job can show one image only."""
    assert site.application("backup", "/one:1", "/two:2", "/three:3").outcome()["ok"]
    job = only_job(site).id
    entries = site.service.history("*", 0).entries
    assert [(found.descriptor.path, jobs) for found, _, jobs in entries] == [
        ("/one", (job,)),
        ("/two", (job,)),
        ("/three", (job,)),
    ]
    site.service.delete(tuple(found.copy_id for found, _, _ in entries))


def test_what_cannot_be_removed_from_disk_is_removed_later(site: DaemonSite) -> None:
    assert site.application("backup", "/stays:10").outcome()["ok"]
    (found,) = site.service.find(FindObjects(path="/stays")).objects
    aside = site.unit.with_name("aside")
    site.unit.rename(aside)
    told: list[str] = []
    Service(Settings(site.place, deadline=SOON, start=SOON), told.append).delete((found.copy_id,))
    aside.rename(site.unit)
    assert len(told) == 1
    assert "stays on unit unit1, and is removed later" in told[0]
    assert site.service.find(FindObjects(path="/stays")).objects == ()
    assert len(os.listdir(site.unit)) == 1
    # The end of any stream is the next time.
    assert site.application("abort", "/other:1").outcome()["ok"]
    wait_until(lambda: os.listdir(site.unit) == [], "it is removed", deadline=DEADLINE)
    with site.catalog() as catalog:
        wait_until(lambda: not catalog.deleted_objects(), "it is forgotten", deadline=DEADLINE)


def test_images_of_another_catalog_stay(tmp_path: Path) -> None:
    """The catalog was lost, and its copy ids come again: what lies on the unit is not overwritten, nor cleaned up."""
    with site_in(tmp_path) as site:
        site.start()
        assert site.application("backup", "/db:1000").outcome()["ok"]
        (old,) = os.listdir(site.unit)
        content = (site.unit / old / "data").read_bytes()
        site.end()
        for file in tmp_path.glob("catalog.db*"):
            file.unlink()
        site.start()
        assert site.application("abort", "/db:10").outcome()["ok"]
        assert site.application("backup", "/db:20").outcome()["ok"]
        assert (site.unit / old / "data").read_bytes() == content
        assert sorted(os.listdir(site.unit)) == [old, "db.0000000000000003.xbsa"]


def test_jobs_show_the_steps(site: DaemonSite) -> None:
    assert site.application("backup", "/seen:10").outcome()["ok"]
    (found,) = site.service.find(FindObjects(path="/seen")).objects
    assert site.application("restore", str(found.copy_id)).outcome()["size"] == 10
    with site.catalog() as catalog:
        restore, backup = catalog.jobs(limit=2)
        steps = [[event.step for event in catalog.events(job.id)] for job in (backup, restore)]
    assert [(job.kind.value, job.state.value, job.bytes_moved) for job in (backup, restore)] == [
        ("backup", "done", 10),
        ("restore", "done", 10),
    ]
    assert steps == [["begun", "kept", "voted", "shown", "stored"], ["reader", "go", "client-status", "done"]]
    site.service.delete((found.copy_id,))


def test_a_second_daemon_on_one_folder(site: DaemonSite) -> None:
    second = subprocess.run(site.command(), env=site.environment, capture_output=True, text=True, timeout=DEADLINE)
    assert second.returncode == 2
    assert "runs on" in second.stderr
    assert "--folder" in second.stderr
    assert (site.place / "request").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with site_in(tmp_path) as site:
        site.start()
        folder, token = started(site)
        with attach(folder, token) as stream:
            begin_object(stream)
            assert site.end(number) == 0
            assert heard(stream)["text"] == "the request daemon ended the stream"
        assert list(site.place.iterdir()) == []
        site.audit()
        site.start()
        site.audit()


def stranger() -> pwd.struct_passwd:
    """Another user of this machine, whose processes the tests can start."""
    if os.geteuid() != 0:
        lacking("another user needs root")
    return pwd.getpwnam("nobody")


@pytest.fixture
def shared_site() -> Iterator[DaemonSite]:
    """A daemon of root for root and another user, in a folder that both reach."""
    import tempfile

    other = stranger()
    with tempfile.TemporaryDirectory(prefix="ndmpdup-", dir="/tmp") as folder:
        os.chmod(folder, 0o711)
        with site_in(Path(folder)) as site:
            site.start("--user", "root", "--user", other.pw_name)
            yield site


def as_stranger(site: DaemonSite, place: Path, *words: str) -> Any:  # noqa: ANN401
    """What the library tells another user; it runs in a child that only has that user's rights."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.setgid(stranger().pw_gid)
        os.setgroups([])
        os.setuid(stranger().pw_uid)
        os.write(write, json.dumps(_library(place, *words)).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as told:
        content = told.read()
    os.waitpid(child, 0)
    return json.loads(content)


def _library(place: Path, verb: str, *words: str) -> Any:  # noqa: ANN401
    from tests.duplicator.xbsa.struck_application import do

    service = Service(Settings(place, deadline=SOON, start=SOON), lambda _: None)
    try:
        return do(service, verb, words)
    except CallError as error:
        return {"code": int(error.code)}
    except BaseException as error:  # noqa: BLE001  (the parent shows it)
        return {"bug": repr(error)}


def test_other_users(shared_site: DaemonSite) -> None:
    site, other = shared_site, stranger()
    theirs = site.run / other.pw_name
    assert (mode(site.run), mode(theirs), mode(site.place)) == (0o711, 0o700, 0o700)
    assert theirs.stat().st_uid == (theirs / "request").lstat().st_uid == other.pw_uid
    assert site.application("backup", "/of-root:10").outcome()["ok"]
    assert as_stranger(site, theirs, "backup", "/of-other:2000000") == {"committed": True}
    # Each sees its own, and root all.
    assert as_stranger(site, theirs, "find") == {"paths": ["/of-other"]}
    assert site.application("find").outcome()["paths"] == ["/of-root", "/of-other"]
    digest = hashlib.sha256(content_of("/of-other", 2000000)).hexdigest()
    assert as_stranger(site, theirs, "restore", "2") == {"size": 2000000, "sha256": digest}
    for verb in ("restore", "delete"):
        assert as_stranger(site, theirs, verb, "1") == {"code": ReturnCode.OBJECT_NOT_FOUND}
    # And root's sockets are not for others, even if the folder's mode were wrong.
    assert as_stranger(site, site.place, "find") == {"code": ReturnCode.ACCESS_FAILURE}
    site.place.chmod(0o711)
    (site.place / "request").chmod(0o666)
    assert as_stranger(site, site.place, "find")["code"] == ReturnCode.AUTHENTICATION_FAILURE
    site.place.chmod(0o700)
    site.audit()
