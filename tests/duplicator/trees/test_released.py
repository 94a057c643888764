"""What an operation held is released wherever it ends."""

from __future__ import annotations

import os
from functools import partial

from ndmp.backends import OperationEnded
from ndmp.contracts import MemoryBackup, MemoryRecovery
from tests.duplicator.trees.scene import Scene


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_descriptors_and_drafts(scene: Scene) -> None:
    deep = scene.source / "a" / "b" / "c"
    deep.mkdir(parents=True)
    for folder in (scene.source, deep):
        (folder / "file").write_bytes(b"x" * 5000)
    environment = {"FILESYSTEM": str(scene.source), "HIST": "f"}
    whole = scene.backup()
    kept: list[OperationEnded] = []
    before = descriptors()
    for patience in range(60):
        place = scene.place(f"place {patience}")
        backup, recover = (
            partial(scene.backend.backup("tar", environment), MemoryBackup(patience)),
            partial(
                scene.backend.recover("tar", {}, scene.all_to(place)),
                MemoryRecovery(patience, stream=bytes(whole.stream)),
            ),
        )
        for run in (backup, recover):
            try:
                run()
            except OperationEnded as ended:
                kept.append(ended)  # and with it everything that its frames refer to
        assert descriptors() == before, patience
        assert not [name for _, _, names in os.walk(place) for name in names if name.startswith(".")], patience
    assert len(kept) > 40
