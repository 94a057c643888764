"""The generated pages say what the declarations and tables say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ndmp.messages  # noqa: F401  (fills the registries)
from ndmp import states, wire
from ndmp.render import wire_noun

ROOT = Path(__file__).parents[1]
PAGES = ("messages.md", "states.md", "status.md")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "docs.generate", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_current(page: str, fresh: Path) -> None:
    current, made = ((folder / page).read_text(encoding="utf-8") for folder in (ROOT / "docs", fresh))
    assert current == made, "run `python -m docs.generate`"


def test_every_message_has_a_row() -> None:
    rows = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8").splitlines()
    for (code, version), declared in {**wire.REQUESTS, **wire.POSTS}.items():
        name = wire_noun(declared) + (f" (version {version})" if version > 1 else "")
        assert sum(row.startswith(f"| {code:#06x} | {name} |") for row in rows) == 1, name


def test_a_row_by_hand() -> None:
    """Fields in wire order, draft 3.6.2.4; digests of fixed length, draft 3.1.2."""
    text = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    listen = (
        "`mode` `MoverMode`<br>`address_type` `AddressType` | `error` `Error`<br>`address` `Address` | draft 3.6.2.4 |"
    )
    assert f"| 0x0a01 | MOVER_LISTEN | Offer a data connection. | {listen}\n" in text
    assert (
        "| `AuthMd5` | Name and the digest of password and challenge. | `user` string<br>`digest` opaque[16] |" in text
    )
    assert "<br>`auth_types` `AuthType`<> | draft 3.2.2 |" in text
    assert "| `AuthType` | Ways to log in. | 0 NONE, 1 TEXT, 2 MD5 | draft 3.1.2 |" in text


def test_every_transition_has_a_row_and_an_edge() -> None:
    text = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")
    for table in (states.CONNECTION, states.DATA, states.MOVER, states.TAPE):
        for row in table:
            assert f"| {row.state.name} | {row.event.value} | {row.to.name} | {row.section} |" in text
            assert any(
                line.startswith(f"    {row.state.name} --> {row.to.name}: ") and row.event.value in line
                for line in text.splitlines()
            )
