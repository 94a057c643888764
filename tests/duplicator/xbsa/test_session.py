"""The Pythonic layer: blocks that end transactions, objects as files, errors as exceptions."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from duplicator import xbsa
from duplicator.xbsa import ReturnCode, XbsaError
from duplicator.xbsa.environment import RULES
from duplicator.xbsa.files import BUFFER_BYTES
from duplicator.xbsa.wire import Fault
from tests.duplicator.xbsa.fake_service import NOON, FakeService

CONTENT = bytes(range(256)) * 20_000
PAGE = Path(__file__).parents[3] / "docs" / "xbsa-api.md"


def test_round_trip(service: FakeService) -> None:
    with xbsa.session(owner="me", app_owner="db") as s:
        with s.backup() as backup:
            with backup.create("/db/full", description="all", info=b"\0x") as file:
                shutil.copyfileobj(io.BytesIO(CONTENT), file)
            with backup.create("/db/log", size=0):
                pass
        assert [(one.path, one.size) for one in s.find()] == [("/db/full", len(CONTENT)), ("/db/log", 0)]
        newest = s.newest("/db/full")
        assert (newest.owner, newest.app_owner, newest.description, newest.info) == ("me", "db", "all", b"\0x")
        assert (newest.created, newest.most_recent) == (NOON + timedelta(minutes=1), True)
        assert s.object(newest.copy_id) == newest
        target = io.BytesIO()
        with s.open(newest.copy_id) as stored:
            shutil.copyfileobj(stored, target)
        assert target.getvalue() == CONTENT
        with s.open(newest.copy_id) as stored:
            assert stored.read(5) == CONTENT[:5]
            assert stored.read() == CONTENT[5:]
        s.delete(newest.copy_id)
        assert [one.path for one in s.find()] == ["/db/log"]


def test_writes_of_any_size(service: FakeService) -> None:
    """Small ones are gathered, large ones go at once; all of them in order."""
    sizes = [0, 1, 5, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3, 2 * BUFFER_BYTES, 7]
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    with xbsa.session() as s, s.backup() as backup, backup.create("/one") as file:
        for piece in pieces:
            reused = bytearray(piece)
            assert file.write(memoryview(reused)) == len(piece)
            reused[:] = bytes(len(reused))
    assert service.objects[1][1] == b"".join(pieces)


def test_archives_stream(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    with xbsa.session() as s:
        with s.backup() as backup, backup.create("/a.tar") as file, tarfile.open(fileobj=file, mode="w|") as archive:
            archive.add(tmp_path / "a", arcname="a")
        with s.open(1) as stored, tarfile.open(fileobj=stored, mode="r|") as archive:
            archive.extractall(tmp_path / "back", filter="data")
    assert (tmp_path / "back" / "a").read_bytes() == CONTENT


class Oops(Exception):  # noqa: N818  (the application's)
    pass


def keep_one_and_a_half(backup: xbsa.Backup) -> None:
    with backup.create("/whole") as file:
        file.write(b"whole")
    with backup.create("/half") as file:
        file.write(CONTENT)
        raise Oops


def test_an_exception_aborts(service: FakeService) -> None:
    with xbsa.session() as s:
        with pytest.raises(Oops), s.backup() as backup:
            keep_one_and_a_half(backup)
        assert service.objects == {}
        with s.backup() as backup, backup.create("/whole") as file:
            file.write(b"whole")
    assert [found.descriptor.path for found, _ in service.objects.values()] == ["/whole"]


def test_half_an_object_is_not_committed(service: FakeService) -> None:
    """Neither when its end was forgotten, nor when its exception was swallowed."""
    with xbsa.session() as s:
        with pytest.raises(XbsaError, match="was not closed"), s.backup() as backup:
            backup.create("/open").write(b"x")
        with pytest.raises(XbsaError) as refused, s.backup() as backup, suppress(Oops):
            keep_one_and_a_half(backup)
        assert refused.value.code is ReturnCode.INVALID_CALL_SEQUENCE
        assert s.find() == []
    assert service.objects == {}


def test_one_thing_at_a_time(service: FakeService) -> None:
    number = service.store("/one", CONTENT)
    with xbsa.session() as s, s.open(number):
        for second in (lambda: s.open(number), s.find, lambda: s.delete(number), s.backup().__enter__):
            with pytest.raises(XbsaError) as refused:
                second()
            assert refused.value.code is ReturnCode.INVALID_CALL_SEQUENCE
        with pytest.raises(XbsaError), xbsa.session():
            pass


def test_errors_tell(service: FakeService) -> None:
    number = service.store("/one", CONTENT)
    with pytest.raises(XbsaError, match="write NAME=VALUE"), xbsa.session(environment={"NO BLANKS": "x"}):
        pass
    with xbsa.session() as s:
        for act in (lambda: s.open(7), lambda: s.object(7), lambda: s.newest("/none"), lambda: s.delete(7)):
            with pytest.raises(XbsaError) as refused:
                act()
            assert refused.value.code is ReturnCode.OBJECT_NOT_FOUND
        for wrong in (0, -1, 1 << 64):
            with pytest.raises(XbsaError) as refused:
                s.delete(wrong)
            assert refused.value.code is ReturnCode.INVALID_COPYID
        service.dies.add("half")
        with pytest.raises(XbsaError, match="broke off"), s.open(number) as stored:
            stored.read()
        service.dies.clear()
        service.server_status = 85
        with pytest.raises(XbsaError, match="status 85"), s.open(number) as stored:
            assert stored.read() == CONTENT
        service.server_status = 0
        service.faults["vote"] = Fault(0x20, 129, "the disk is full")
        full = pytest.raises(XbsaError, match="the disk is full")
        with full as refused, s.backup() as backup, backup.create("/two") as file:
            file.write(b"x")
        assert refused.value.code is ReturnCode.TRANSACTION_ABORTED
        with s.open(number) as stored:
            assert stored.read() == CONTENT


def test_waits_are_told(service: FakeService) -> None:
    told: list[str] = []
    number = service.store("/one")
    with xbsa.session(told=told.append) as s, s.open(number):
        assert told == ["a drive"]


def test_newest_is_exact(service: FakeService) -> None:
    """An asterisk of a path's own is no pattern for another."""
    for path in ("/a*", "/ab", "/a*", "/abc"):
        service.store(path)
    with xbsa.session() as s:
        assert s.newest("/a*").copy_id == 3


def test_history(service: FakeService) -> None:
    service.page = 2
    for _ in range(5):
        service.store("/one")
    with xbsa.session() as s:
        found = list(s.history("/one"))
    assert [one.object.copy_id for one in found] == [1, 2, 3, 4, 5]
    assert [(place.kind, place.where) for place in found[0].places] == [("disk", "unit1"), ("tape", "A00001 A00002")]
    assert found[0].jobs == (7,)


def test_examples_of_the_page(service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dump.sql").write_bytes(CONTENT)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), {})
    assert (tmp_path / "back.sql").read_bytes() == CONTENT


def test_the_page_tells_codes_and_variables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for code in ReturnCode:
        assert f"| 0x{code:02X} | {code.name} |" in page
    for name in (*RULES, "NDMPDUP_XBSA_CONFIG", *xbsa.__all__[:16]):
        assert name in page, name


def test_what_an_import_loads() -> None:
    """An application that only imports it pays for neither pydantic nor the service's side."""
    slow = ("pydantic", "sqlalchemy", "asyncio", "construct", "duplicator.xbsa.server", "rich", "typer")
    program = f"import sys, duplicator.xbsa; print(*sys.modules.keys() & {set(slow)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
