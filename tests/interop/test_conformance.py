"""The conformance suite on ndmjob's daemon finds what it found when its baseline was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conformance_runs import RUNS, fixture_row, make_run
from tests.peers import Namespace

FIXTURE = Path(__file__).parents[2] / "fixtures" / "ndmjob_conformance.json"
QUICK = {
    "talk": ("connect", "early", "auth", "extensions.", "framing", "header", "unknown.0xb00", "body.short.TAPE_OPEN"),
    "tape": ("tape.", "blocks", "marks", "motion", "implicit", "end.warning", "end.mark"),
    "mover": ("mover.", "window", "state.TAPE", "to-tape", "pair", "from-tape.window", "from-tape.odd"),
}
"""What is made again here; `record_conformance` makes all."""


def baseline() -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads(FIXTURE.read_text(encoding="utf-8"))["checks"]}


@pytest.mark.parametrize("name", QUICK)
def test_ndmjob_deviates_as_it_did(name: str, namespace: Namespace, tmp_path: Path) -> None:
    document = make_run(namespace, tmp_path, QUICK[name], RUNS[name][0])
    came = {row["id"]: fixture_row(row) for row in document["checks"]}
    assert came
    assert not document["conforming"]
    expected = baseline()
    assert {check: row["verdict"] for check, row in came.items()} == {
        check: expected[check]["verdict"] for check in came
    }


KNOWN = {
    "connect.greeting.text": "says Hello",
    "connect.close.reply": "answers CONNECT_CLOSE",
    "connect.open.late": "accepts CONNECT_OPEN again",
    "early.CONFIG_GET_HOST_INFO": "tells strangers of its host",
    "extensions.list.answered": "swallows CONFIG_GET_EXT_LIST",
    "unknown.0xb00": "swallows unknown messages",
    "body.short.TAPE_OPEN": "swallows what does not decode",
    "tape.mtio.ready": "TUR is ILLEGAL_ARGS",
    "blocks.empty.write": "a block of no bytes is UNDEFINED",
    "blocks.blank": "blank tape is EOF",
    "state.TAPE_CLOSE.LISTEN": "tape requests are legal in LISTEN",
    "state.TAPE_READ.ACTIVE": "and ILLEGAL_STATE in ACTIVE",
    "loss.tape.hang-up": "a lost session leaves its tape locked",
    "to-tape.window": "SEEK where EOW is due",
    "to-tape.window.same": "compares the offset of a window in writing",
    "mover.stop.record": "forgets its record size",
    "window.initial": "has a record size at first",
    "window.zero": "accepts a window of no bytes",
    "window.over": "lets windows overflow",
    "mover.listen.no-window": "needs no window",
    "mover.paused.continue": "goes on without a new window",
    "from-tape.odd": "stalls before the end of a read within a record",
    "mover.state.mode": "is always in mode READ",
    "state.MOVER_CLOSE.LISTEN": "MOVER_CLOSE is legal but in IDLE",
    "state.MOVER_SET_RECORD_SIZE.PAUSED": "MOVER_SET_RECORD_SIZE is legal in PAUSED",
    "state.MOVER_ABORT.HALTED": "MOVER_ABORT is refused in HALTED",
    "from-tape.busy": "a second read is ILLEGAL_STATE",
    "data.listen": "DATA_LISTEN is not there",
    "state.DATA_ABORT.CONNECTED": "DATA_ABORT is legal in ACTIVE alone",
    "data.state.estimates": "estimates are all ones without their bits",
}
"""What was known of ndmjob before there was a suite, each by the check that finds it."""


@pytest.mark.parametrize("name", KNOWN, ids=KNOWN.values())
def test_what_was_known_before_is_found(name: str) -> None:
    assert baseline()[name]["verdict"] in ("failed", "blocked")
