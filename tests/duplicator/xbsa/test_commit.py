"""The moment in which a backup's objects are stored, when the catalog fails in it or somebody ends the stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from duplicator.catalog import Catalog, CatalogError, ObjectState
from duplicator.xbsa.server.keeping import Backup
from duplicator.xbsa.server.orders import Abandon, Abandoned, Kept
from duplicator.xbsa.server.stream import WORKER, StreamFault
from tests.duplicator.catalog.facts import new_object


class Scene:
    """A backup of one object at its commit; ``said``: what it told, in order."""

    def __init__(self, catalog: Catalog) -> None:
        self.said: list[object] = []
        self.catalog = catalog
        stream = SimpleNamespace(
            job=SimpleNamespace(number=1),
            link=SimpleNamespace(tell=self._tell),
            end_well=self._end_well,
            event=self._event,
        )
        self.backup = Backup(cast("Any", stream), catalog, cast("Any", None), cast("Any", None))
        made = new_object(catalog)
        self.backup.pending.append(made)
        self.backup._kept[made.copy_id] = Kept(made.image, 7, "00" * 16)

    async def _tell(self, message: object) -> None:
        self.said.append(message)

    async def _end_well(self, state: object, *_: object, **__: object) -> None:
        self.said.append(state)

    async def _event(self, source: str, *, seconds: float) -> object:
        assert (source, seconds) == (WORKER, 600)
        return Abandoned()

    async def store(self) -> None:
        writer = SimpleNamespace(order=self.said.append)
        await self.backup._store(cast("Any", writer))

    @property
    def state(self) -> ObjectState:
        return self.catalog.object(1).state


def fails(*_: object, **__: object) -> None:
    text = "the connection is gone"
    raise CatalogError(text)


@pytest.fixture
def scene(tmp_path: Path) -> Any:  # noqa: ANN401
    with Catalog(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield Scene(catalog)


def test_an_answer_that_is_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog did it: its images are not removed."""
    real = scene.catalog.store_objects

    def loses(*given: Any, **more: Any) -> None:  # noqa: ANN401
        real(*given, **more)
        fails()

    monkeypatch.setattr(scene.catalog, "store_objects", loses)
    asyncio.run(scene.store())
    assert (scene.said, scene.backup.pending, scene.state) == ([], [], ObjectState.STORED)


def test_a_catalog_that_refuses(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.catalog, "store_objects", fails)
    with pytest.raises(StreamFault, match="the connection is gone"):
        asyncio.run(scene.store())
    assert (scene.said, len(scene.backup.pending), scene.state) == ([Abandon()], 1, ObjectState.PENDING)


def test_a_catalog_that_is_gone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it did it is not known: nothing is removed here, the daemon looks when it is back."""
    monkeypatch.setattr(scene.catalog, "store_objects", fails)
    monkeypatch.setattr(scene.catalog, "find_objects", fails)
    with pytest.raises(StreamFault, match="the connection is gone"):
        asyncio.run(scene.store())
    assert (scene.said, scene.backup.pending, scene.state) == ([], [], ObjectState.PENDING)


def test_an_end_in_the_middle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the catalog is doing already is waited for, and told as it is."""
    real, begun, go_on = scene.catalog.store_objects, threading.Event(), threading.Event()
    monkeypatch.setattr(scene.catalog, "store_objects", _slowly(real, begun, go_on))

    async def story() -> None:
        storing = asyncio.ensure_future(scene.store())
        await asyncio.to_thread(begun.wait)
        storing.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await storing

    asyncio.run(story())
    assert [str(each) for each in scene.said] == ["JobState.DONE", "Voted(committed=True)"]
    assert (scene.backup.pending, scene.state) == ([], ObjectState.STORED)


def _slowly(real: Callable[..., None], begun: threading.Event, go_on: threading.Event) -> Callable[..., None]:
    def slow(*given: Any, **more: Any) -> None:  # noqa: ANN401
        begun.set()
        go_on.wait()
        real(*given, **more)

    return slow
