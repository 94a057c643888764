"""Objects on a unit that only its file service reaches: written, shown, read and removed through NDMP."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duplicator.catalog import ObjectState, StoredObject
from duplicator.credentials import Secret
from duplicator.host import Offers, open_host
from duplicator.plan import Deadlines, Place
from duplicator.status import JobError, Status
from duplicator.urls import NdmpUrl
from duplicator.xbsa.channel import ChannelBroken
from duplicator.xbsa.server.appliance import (
    ApplianceReader,
    ApplianceWriter,
    read_descriptor,
    remove_from_appliance,
)
from duplicator.xbsa.server.images import LONGEST_DOCUMENT
from ndmp.aio.server import HostServer
from ndmp.enums import DigestAlgorithm
from tests.duplicator.xbsa.ends import Giving, Taking

DEADLINE = 30.0
SHA256 = DigestAlgorithm.SHA256
WAITS = Deadlines(connect=5, request=5, tape=5, stall=10)


def with_appliance(folder: Path, story: Callable[[Place], Awaitable[None]]) -> None:
    """Run a story beside a host with that folder as its unit; afterwards the host has no session."""

    async def all_of_it() -> None:
        with open_host(Offers(units={"lsu": folder})) as host:
            server = HostServer(host, {"u": b"s"}.get)
            _, port = await server.start("127.0.0.1", 0)
            try:
                async with asyncio.timeout(DEADLINE):
                    await story(Place(NdmpUrl.parse(f"ndmp://u@127.0.0.1:{port}/lsu"), Secret("s")))
            finally:
                await server.stop()

    asyncio.run(all_of_it())


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit's folder."""
    folder = tmp_path / "unit"
    folder.mkdir()
    return folder


def shown(unit: Path) -> list[str]:
    """The images that can be seen."""
    return [path.name for path in unit.iterdir() if not path.name.startswith(".")]


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"object").digest(size)


def an_object(content: bytes, image: str = "img") -> StoredObject:
    """The object of an image, as the catalog has it."""
    texts = dict.fromkeys(("bsa_owner", "app_owner", "space", "description"), "")
    return StoredObject(
        copy_id=1,
        state=ObjectState.STORED,
        user="u",
        host="h",
        path="/p",
        copy_type=3,
        object_type=4,
        resource_type="r",
        info=b"",
        created=datetime.now(UTC),
        estimated_size=0,
        restore_order=0,
        unit="unit1",
        image=image,
        size=len(content),
        digest=hashlib.sha256(content).digest(),
        algorithm=SHA256,
        most_recent=True,
        **texts,
    )


def put(unit: Path, content: bytes, image: str = "img", document: bytes = b"{}") -> StoredObject:
    """An object's image on the unit, put there by hand."""
    (unit / image).mkdir()
    (unit / image / "data").write_bytes(content)
    (unit / image / "object.json").write_bytes(document)
    return an_object(content, image)


SIZES = (0, 1, 65_536, 3_000_007)


def test_a_transaction_that_commits(unit: Path) -> None:
    contents = {f"img{size}": noise(size) for size in SIZES} | {"zeros": bytes(1_000_001)}

    async def story(place: Place) -> None:
        writer = ApplianceWriter(place, SHA256, WAITS)
        for image, content in contents.items():
            kept = await writer.take(image, Giving(content))
            assert (kept.size, kept.digest) == (len(content), hashlib.sha256(content).digest())
            await writer.describe(image, image.encode() * 3)
        assert shown(unit) == []
        await writer.commit()
        await writer.close()

    with_appliance(unit, story)
    assert sorted(path.name for path in unit.iterdir()) == sorted(contents)
    for image, content in contents.items():
        assert (unit / image / "data").read_bytes() == content
        assert (unit / image / "object.json").read_text() == image * 3
        assert len(list((unit / image).iterdir())) == 2


@pytest.mark.parametrize("committed", [False, True])
def test_a_transaction_that_is_abandoned(unit: Path, committed: bool) -> None:
    async def story(place: Place) -> None:
        writer = ApplianceWriter(place, SHA256, WAITS)
        for image in ("one", "two"):
            await writer.take(image, Giving(noise(100_000)))
            await writer.describe(image, b"{}")
        if committed:
            await writer.commit()
        await writer.abandon()
        await writer.abandon()

    with_appliance(unit, story)
    assert list(unit.iterdir()) == []


def test_a_commit_that_breaks_in_the_middle_shows_nothing(unit: Path) -> None:
    async def story(place: Place) -> None:
        writer = ApplianceWriter(place, SHA256, WAITS)
        for image in ("one", "two", "three"):
            await writer.take(image, Giving(noise(100_000)))
            await writer.describe(image, b"{}")
        (unit / "two").write_bytes(b"another's")
        with pytest.raises(JobError, match="FSE_IMAGE_EXISTS"):
            await writer.commit()

    with_appliance(unit, story)
    assert {path.name for path in unit.iterdir()} <= {"two"}


def test_an_application_that_breaks_off_leaves_nothing(unit: Path) -> None:
    async def story(place: Place) -> None:
        writer = ApplianceWriter(place, SHA256, WAITS)
        with pytest.raises(ChannelBroken):
            await writer.take("one", Giving(noise(2_000_000), breaks=True))
        await writer.abandon()

    with_appliance(unit, story)
    assert list(unit.iterdir()) == []


@pytest.mark.parametrize("size", SIZES)
def test_an_object_comes_back(unit: Path, size: int) -> None:
    content = noise(size)
    found = put(unit, content)

    async def story(place: Place) -> None:
        told: list[str] = []
        reader, target = ApplianceReader(place, found, WAITS), Taking()
        assert await reader.ready(told.append) == size
        assert await reader.feed(target) == size
        await reader.close()
        await reader.close()
        assert (bytes(target.content), target.ended) == (content, True)
        assert "img" in told[0]

    with_appliance(unit, story)


def test_what_is_not_what_was_stored_gets_no_end(unit: Path) -> None:
    content = noise(500_000)
    found = put(unit, content)
    (unit / "img" / "data").write_bytes(content[:-1] + b"!")
    shorter = put(unit, content[:-1], "shorter")

    async def story(place: Place) -> None:
        reader, target = ApplianceReader(place, found, WAITS), Taking()
        await reader.ready(lambda _: None)
        with pytest.raises(JobError, match="SHA256 digest") as failure:
            await reader.feed(target)
        assert failure.value.status == Status.FILE_READ_FAILED
        await reader.close()
        assert (target.ended, target.closed.is_set()) == (False, True)
        for wrong in (an_object(content, shorter.image), an_object(content, "nowhere")):
            reader = ApplianceReader(place, wrong, WAITS)
            with pytest.raises(JobError):
                await reader.ready(lambda _: None)
            await reader.close()

    with_appliance(unit, story)


def test_a_slow_application_is_no_standstill(unit: Path) -> None:
    """It takes longer for a chunk than the data may stand still."""
    content = noise(200_000)
    found = put(unit, content)
    chunks: list[bool] = []

    def slowly() -> None:
        chunks.append(threading.Event().wait(3.5))

    async def story(place: Place) -> None:
        reader, target = ApplianceReader(place, found, Deadlines(stall=1.5)), Taking(slowly)
        await reader.ready(lambda _: None)
        assert await reader.feed(target) == len(content)
        await reader.close()
        assert bytes(target.content) == content

    with_appliance(unit, story)
    assert chunks


def test_an_application_that_thinks_before_it_sends(unit: Path) -> None:
    class Thinking(Giving):
        def receive(self, into: memoryview) -> int:
            threading.Event().wait(3.5)
            return super().receive(into)

    async def story(place: Place) -> None:
        writer = ApplianceWriter(place, SHA256, Deadlines(stall=1.5))
        assert (await writer.take("img", Thinking(noise(100_000)))).size == 100_000
        await writer.abandon()

    with_appliance(unit, story)


def test_a_reader_that_is_told_to_end_while_the_application_says_nothing(unit: Path) -> None:
    found = put(unit, noise(3_000_000))
    reached = threading.Event()

    async def story(place: Place) -> None:
        reader = ApplianceReader(place, found, WAITS)

        def silent() -> None:
            reached.set()
            target.closed.wait()

        target = Taking(silent)
        await reader.ready(lambda _: None)
        feeding = asyncio.ensure_future(reader.feed(target))
        await asyncio.to_thread(reached.wait)
        feeding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await feeding
        await reader.close()
        assert not target.ended
        assert await remove_from_appliance(place, "img", WAITS), "the fragment is closed"

    with_appliance(unit, story)


def test_removing(unit: Path) -> None:
    put(unit, b"x")

    async def story(place: Place) -> None:
        assert await remove_from_appliance(place, "img", WAITS) is True
        assert await remove_from_appliance(place, "img", WAITS) is False

    with_appliance(unit, story)
    assert list(unit.iterdir()) == []


def test_descriptors(unit: Path) -> None:
    put(unit, b"x", "good", b'{"a": 1}')
    put(unit, b"x", "long", bytes(LONGEST_DOCUMENT + 1))
    (unit / "plain").write_bytes(b"x")

    async def story(place: Place) -> None:
        assert await read_descriptor(place, "good", WAITS) == b'{"a": 1}'
        for image, why in (("long", "it is none"), ("plain", "no fragment 'object.json'"), ("none", "FILE_NOT_FOUND")):
            with pytest.raises(JobError, match=why):
                await read_descriptor(place, image, WAITS)

    with_appliance(unit, story)
